"""Several processes that train one model, each on its share of every batch.

Every process draws the whole batch from the same generator and runs the model on its share. The outputs are put
together, so that loss and scores are the task's own of the whole batch, whatever means they are;
the gradients through the shares then add up to the whole batch's, however uneven the shares.

Processes may fail and be interrupted one by one. That all of them end together rests on one rule: before they exchange
anything they meet, and a process that fails goes to the next meeting to say so.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mcinterp.errors import InputError, PeerError
from mcinterp.interrupt import stop_signal
from mcinterp.launch import n_launched, refuse_lost_processes

T = TypeVar("T")


class Alone:
    """A process that trains without others.

    Attributes:
        device: where its model lives.
        size: how many processes train together.
        is_main: whether this is the one that writes and tells.
    """

    size = 1
    is_main = True

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def share(self, inputs: Tensor) -> Tensor:
        """The samples of a batch that this process runs the model on."""
        return inputs

    def agree(self, stop: bool) -> bool:
        """Whether any process is asked to stop, told to all at the same moment."""
        return stop

    def whole(self, output: Tensor, n: int) -> Tensor:
        """The output for all `n` samples, from that for `share`; to be called straight after `agree`."""
        return output

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of all processes' gradients."""

    def from_main(self, compute: Callable[[], T]) -> T:
        """What `compute` returns in the main process."""
        return compute()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Do a piece of work that all processes begin, and end, together."""
        yield


class Together(Alone):
    """One of several processes of `torch.distributed`."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.size, self._rank = dist.get_world_size(), dist.get_rank()
        self.is_main = self._rank == 0
        # Meetings are between the hosts, so that nobody waits for a device.
        self._hosts = dist.new_group(backend="gloo")
        self._signalled: Callable[[], bool] = bool
        self._interrupted = False

    def share(self, inputs: Tensor) -> Tensor:
        """The samples of a batch that this process runs the model on.

        Raises:
            InputError: if there are fewer samples than processes.
        """
        if len(inputs) < self.size:
            raise InputError(f"a batch of {len(inputs)} samples cannot be shared by {self.size} processes")
        first, last = self._bounds(len(inputs))
        return inputs[first:last]

    def agree(self, stop: bool) -> bool:
        """Whether any process is asked to stop.

        Raises:
            PeerError: if another process has failed; with its sentence.
        """
        failed, stopping, signalled = self._meet([False, stop, self._signalled()])
        if failed:
            raise self._theirs(self._sentences(None))
        self._interrupted |= signalled
        return stopping or signalled

    def whole(self, output: Tensor, n: int) -> Tensor:
        """The output for all `n` samples; its gradient flows into this process's share alone."""
        first, last = self._bounds(n)
        everything = output.new_zeros((n, *output.shape[1:]))
        everything[first:last] = output.detach()
        with self._exchange():
            dist.all_reduce(everything)
        return torch.cat([everything[:first], output, everything[last:]])

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of all processes' gradients."""
        trained = [parameter for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([parameter.grad.flatten() for parameter in trained if parameter.grad is not None])
        self.agree(False)
        with self._exchange():
            dist.all_reduce(flat)
        parts = torch.split(flat, [parameter.numel() for parameter in trained])
        for parameter, part in zip(trained, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def from_main(self, compute: Callable[[], T]) -> T:
        """What `compute` returns in the main process, where alone it is called."""
        value: list[Any] = [compute() if self.is_main else None]
        self.agree(False)
        with self._exchange():
            dist.broadcast_object_list(value, src=0, group=self._hosts)
        return value[0]

    @contextmanager
    def working(self) -> Iterator[None]:
        """Do a piece of work that all processes begin, and end, together: with an error in one, all raise one.

        Raises:
            PeerError: if another process has failed (with its sentence) or has ended without a word.
            KeyboardInterrupt: at the end, if the work was cut short by Ctrl-C in any of them.
        """
        self._interrupted = False
        with stop_signal() as self._signalled:
            try:
                yield
                self.agree(False)
            except PeerError:
                raise
            except BaseException as error:
                self._tell(error)
                raise
        if self._interrupted:
            raise KeyboardInterrupt

    def _bounds(self, n: int) -> tuple[int, int]:
        return self._rank * n // self.size, (self._rank + 1) * n // self.size

    def _meet(self, flags: list[bool]) -> list[bool]:
        """Each flag, True where any process says so."""
        said = torch.tensor(flags, dtype=torch.int32)
        with self._exchange():
            dist.all_reduce(said, dist.ReduceOp.MAX, group=self._hosts)
        return said.bool().tolist()

    def _tell(self, error: BaseException) -> None:
        """Tell the others, who are at the next meeting or on their way to it, unless there is nobody left."""
        with suppress(PeerError):
            self._meet([True, False, False])
            self._sentences(str(error) or type(error).__name__)

    def _sentences(self, own: str | None) -> list[str | None]:
        sentences: list[str | None] = [None] * self.size
        with self._exchange():
            dist.all_gather_object(sentences, own, group=self._hosts)
        return sentences

    def _theirs(self, sentences: list[str | None]) -> PeerError:
        rank, sentence = next((rank, sentence) for rank, sentence in enumerate(sentences) if sentence)
        return PeerError(f"process {rank} of {self.size} ended this training: {sentence}")

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError:
            raise PeerError(
                "another process of this training has died; the same command goes on from the last saved state"
            ) from None


def join(device: torch.device) -> Alone:
    """Meet the processes that were started together with this one, each on a device of its own of that kind.

    Raises:
        UsageError: if the launcher has started fewer processes than it was asked for.
        InputError: if `device` is one device and there are several processes.
    """
    refuse_lost_processes()
    if n_launched() == 1:
        return Alone(device)
    if device.index is not None:
        raise InputError(
            f"device '{device}' is one device, and {n_launched()} processes need one each: say cuda or auto"
        )
    return _joined(device.type)


@cache
def _joined(kind: str) -> Together:
    """The processes once they have met, which happens once."""
    from accelerate import PartialState

    state = PartialState(cpu=kind == "cpu")
    atexit.register(state.destroy_process_group)
    return Together(state.device)
