"""Hand tasks to processes of this machine or to a Dask cluster, and ask them to stop wherever they run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from mcinterp.errors import TrainingError, UsageError
from mcinterp.interrupt import STOPPING, handling, waiting_signals

PAUSE_SECONDS = 5.0
"""Between two rounds, so that trainings of a broken round can finish their step and save."""
LOOK_SECONDS = 0.5
"""How often a training looks whether it is to stop."""
CONNECT_SECONDS = 10.0
"""How long a Dask scheduler may take to answer."""
_ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?[\w.\-\[\]:%]*[\w.\-\]]:[0-9]{1,5}")

FanOut = Callable[[Callable[..., Any], list[tuple[Any, ...]]], Iterator[Any]]


@contextmanager
def fan_out(scheduler: str | None, jobs: int) -> Iterator[FanOut]:
    """Something that calls a function with every tuple of arguments, and gives the answers as they come.

    Args:
        scheduler: address of a Dask scheduler; None for processes of this machine.
        jobs: so many processes; one is this very process.

    Raises:
        UsageError: if Dask is asked for but not installed, or by what is no address.
        TrainingError: if no scheduler answers, or it has no worker.
    """
    if scheduler is None:
        yield lambda function, tasks: _answers(function, tasks, min(jobs, len(tasks)), "loky")
        return
    with _client(scheduler) as client:
        yield lambda function, tasks: _cluster_answers(function, tasks, client)


def is_lost_worker(error: Exception) -> bool:
    """Whether a process died under its task so that the backend gave up."""
    # KilledWorker is Dask's; by name, so that this works where Dask is not installed.
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


class Stop:
    """A request to stop that trainings see on any machine: a file beside them, with a new name each round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.asked = False
        self.file = self._new()

    def ask(self) -> None:
        """Ask every training to finish its step, save and end."""
        self.asked = True
        self.file.touch()

    def end_round(self) -> None:
        """Stop what a broken round may have left running, without stopping the next one."""
        self.file.touch()
        time.sleep(PAUSE_SECONDS)
        self.file.unlink()
        self.file = self._new()
        if self.asked:
            self.file.touch()

    def _new(self) -> Path:
        return self._folder / f".stop-{uuid4().hex}"


@contextmanager
def stop_on_signal(folder: Path) -> Iterator[Stop]:
    """Turn the first Ctrl-C into a request; a second one is an ordinary interrupt."""
    stop = Stop(folder)
    with ExitStack() as asking:

        def ask(_signal: int, _frame: FrameType | None) -> None:
            asking.close()
            stop.ask()

        asking.enter_context(handling(STOPPING, ask))
        try:
            yield stop
        finally:
            stop.file.unlink(missing_ok=True)


def looking_for(file: Path) -> Callable[[], bool]:
    """Whether `file` is there, looked up now and then."""
    looked, found = -LOOK_SECONDS, False

    def look() -> bool:
        nonlocal looked, found
        if not found and time.monotonic() - looked >= LOOK_SECONDS:
            looked, found = time.monotonic(), file.exists()
        return found

    return look


def _answers(function: Callable[..., Any], tasks: list[tuple[Any, ...]], n_jobs: int, backend: Any) -> Iterator[Any]:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs, backend, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
    with processes_without_signals():
        return iter(parallel(delayed(function)(*task) for task in tasks))


def _cluster_answers(function: Callable[..., Any], tasks: list[tuple[Any, ...]], client: Any) -> Iterator[Any]:
    from concurrent.futures import CancelledError

    try:
        # Dask's workers decide how many there are: joblib does not look at the number.
        yield from _answers(function, tasks, -1, _dask_backend(client))
    except CancelledError:
        raise TrainingError("the connection to the Dask scheduler was lost; the same call goes on") from None


def _dask_backend(client: Any) -> Any:
    """Joblib's Dask backend, which otherwise works in this very process where the cluster has a single slot."""
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, int(super().effective_n_jobs(n_jobs)))

    return Cluster(client=client)


@contextmanager
def processes_without_signals() -> Iterator[None]:
    """Start processes that Ctrl-C in a terminal does not reach: an idle one would die of it and break all others.

    Processes inherit that a signal is blocked. One that comes to this process meanwhile waits; were it ignored, it
    would be lost.
    """
    from joblib.externals.loky.backend import resource_tracker as joblibs

    # Some versions unblock both signals when they start these, which they do once.
    resource_tracker.ensure_running()
    joblibs.ensure_running()
    with waiting_signals():
        yield


def end_processes() -> None:
    """End the processes of this machine that wait for more work: by themselves they take seconds to do so."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(kill_workers=True)


def _client(scheduler: str) -> Any:
    if not _ADDRESS.fullmatch(scheduler):
        raise UsageError(f"{scheduler!r:.80} is no address of a Dask scheduler; they look like tcp://host:8786")
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--scheduler needs the package distributed: pip install 'mcinterp[cluster]'") from None
    try:
        client: Any = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:  # TypeError: no certificates are configured for tls
        raise TrainingError(f"no Dask scheduler answers at {scheduler}: {str(error).splitlines()[0]}") from None
    if not client.ncores():
        client.close()
        raise TrainingError(
            f"the Dask scheduler at {scheduler} has no worker: start some with `dask worker {scheduler}`"
        )
    return client
