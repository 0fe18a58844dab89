"""Compare checkpoints and runs, keep the results, and do no work twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcinterp.analysis.compare.checkpoint_comparison import ASKS, compare_checkpoints
from mcinterp.analysis.compare.run_comparison import compare_runs
from mcinterp.analysis.registry import without
from mcinterp.analysis.runner import DATA, circumstances, kept_or_made
from mcinterp.analysis.standing import KEPT
from mcinterp.errors import CheckpointError, UsageError, WriteError
from mcinterp.results import RECORD, Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.files import tidy

SAMPLES = 256
CLASS_SAMPLES = 64
PAIR, RUNS = "compared-checkpoints", "compared-runs"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """One of those that are compared.

    Attributes:
        run: a run.
        step: one of its checkpoints; None for the run, of which the last one is then looked at.
        name: what the run is called.
    """

    run: Run
    step: int | None
    name: str

    @property
    def label(self) -> str:
        """What it is called: `tiny`, or `tiny@4915` for a checkpoint."""
        return self.name if self.step is None else f"{self.name}@{self.step}"

    def checkpoint(self) -> Checkpoint:
        """The checkpoint that is looked at."""
        return self.run.checkpoint("last" if self.step is None else self.step)


def compare(
    compared: Sequence[Compared], out: Path, samples: int | None = None, seed: int = 0, progress: Report | None = None
) -> None:
    """Compare checkpoints, and where they are of several runs these, and store the results under `out/data`.

    The first checkpoint is compared with each of the others. A result that stands for the same weights, settings,
    versions and code is kept.

    Args:
        compared: at least two.
        out: folder of the comparison.
        samples: None for the comparisons' own numbers.
        seed: of the samples.
        progress: told what was done, a line a comparison.

    Raises:
        WriteError: if `out` can be no folder.
        UsageError: if it holds other results.
    """
    _check_folder(out)
    tidy(out, DATA)
    labels = [one.label for one in compared]
    _refuse_others(out, labels)
    first, *others = compared
    why = without("comparing checkpoints", ASKS, first.run.config)
    if not why or any(one.step is not None for one in compared):
        for index, other in enumerate(others, start=1):
            name = PAIR if index == 1 else f"{PAIR}-{index}"
            _pair(first, other, out / DATA / name, labels, samples or SAMPLES, seed, progress)
    elif progress:
        progress(f"left out: {why}")
    distinct = {one.run.path.resolve(): one for one in reversed(compared)}
    if len(distinct) > 1:
        runs = list(reversed(distinct.values()))
        _runs(runs, out / DATA / RUNS, labels, samples or CLASS_SAMPLES, seed, progress)


def _pair(
    a: Compared, b: Compared, folder: Path, labels: Sequence[str], samples: int, seed: int, progress: Report | None
) -> None:
    start, one, other = time.perf_counter(), a.checkpoint(), b.checkpoint()
    names = (f"{a.name}@{one.step}", f"{b.name}@{other.step}")
    identity = {
        "compared": list(labels),
        "pair": list(names),
        "digests": [one.digest, other.digest],
        "config_hashes": [one.config.hash, other.config.hash],
        **circumstances(samples, seed, one.device),
    }
    _, how = kept_or_made(folder, identity, {}, lambda: compare_checkpoints(one, other, samples, seed, names))
    _tell(progress, f"{names[0]} and {names[1]}: checkpoints", start, how)


def _runs(
    members: Sequence[Compared], folder: Path, labels: Sequence[str], samples: int, seed: int, progress: Report | None
) -> None:
    start, runs, names = time.perf_counter(), [one.run for one in members], [one.name for one in members]
    identity = {
        "compared": list(labels),
        "runs": names,
        "fingerprints": [run.fingerprint() for run in runs],
        "config_hashes": [run.config.hash for run in runs],
        **circumstances(samples, seed, runs[0].device),
    }
    _, how = kept_or_made(folder, identity, {}, lambda: compare_runs(runs, names, samples, seed))
    _tell(progress, f"{', '.join(names)}: training", start, how)


def _tell(progress: Report | None, what: str, start: float, how: str) -> None:
    if progress:
        progress(f"{what} {how if how == KEPT else f'{time.perf_counter() - start:.1f} s{how}'}")


def _check_folder(out: Path) -> None:
    """Refuse a path that leads through a file before anything is computed."""
    first = next(path for path in (out / DATA, *(out / DATA).parents) if path.exists())
    if not first.is_dir():
        raise WriteError(f"{out} cannot be written: {first} is no folder")


def _refuse_others(out: Path, labels: Sequence[str]) -> None:
    """A folder holds one comparison: results left by another would stand between its own."""
    if not (out / DATA).is_dir():
        return
    for folder in sorted(path for path in (out / DATA).iterdir() if path.is_dir()):
        if not folder.name.startswith((PAIR, RUNS)):
            raise UsageError(f"{out} holds the report of a run; a comparison needs a folder of its own, see --out")
        found = _compared(folder)
        if found is not None and found != list(labels):
            raise UsageError(
                f"{out} holds the comparison of {' and '.join(found)}, not of {' and '.join(labels)}; choose another "
                "folder with --out, or delete that one"
            )


def _compared(folder: Path) -> list[str] | None:
    """What a stored result compares; None where that cannot be told."""
    if not (folder / RECORD).is_file():
        return None
    try:
        found = Result.load(folder).provenance.get("compared")
    except CheckpointError:
        return None
    return [str(name) for name in found] if isinstance(found, list) else None
