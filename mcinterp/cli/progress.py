"""Progress on stderr: a live bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from mcinterp.runs.sweep import Outcome
    from mcinterp.training import StepRecord

REFRESH_STEPS = 20
"""The bar is updated every so many steps; drawing it at each would slow training."""


@cache
def _console() -> Console:
    """Where progress goes; a command that has none does not wait for its library."""
    from rich.console import Console

    return Console(stderr=True)


@contextmanager
def training_progress(total: int, activity: str = "training") -> Iterator[Callable[[StepRecord], None]]:
    """Show steps, time left and the scores of the newest batches, averaged over `REFRESH_STEPS`."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = _console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[scores]} "),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(activity, total=total, scores="")
        recent: list[StepRecord] = []
        newest = 0

        def update(record: StepRecord) -> None:
            nonlocal newest
            newest = max(newest, record.step)
            # Steps that come again are those that are replayed to save checkpoints across the drop.
            doing = activity if record.step == newest else "replaying"
            recent.append(record)
            if record.step % REFRESH_STEPS == 0 or record.step == total:
                bar.update(task, completed=record.step, scores=_average_scores(recent), description=doing)
            if not console.is_terminal and record.step % max(1, total // 20) == 0:
                console.print(f"{doing}: step {record.step}/{total}: {_average_scores(recent)}", highlight=False)
            del recent[:-REFRESH_STEPS]

        yield update


@contextmanager
def sweep_progress(total: int) -> Iterator[Callable[[Outcome], None]]:
    """Tell what became of each run of a sweep, and show in a terminal how many have ended."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = _console()
    columns = (TextColumn("{task.completed:.0f}/{task.total:.0f} runs"), BarColumn(bar_width=None), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("runs", total=total)

        def tell(outcome: Outcome) -> None:
            say(_outcome_line(outcome))
            bar.advance(task)

        yield tell


def say(line: str) -> None:
    """Print a line of progress."""
    _console().print(line, highlight=False, markup=False)


def _outcome_line(outcome: Outcome) -> str:
    if outcome.state == "kept":
        return f"{outcome.name}: kept, it was finished"
    if outcome.state == "stopped" and not outcome.seconds:
        return f"{outcome.name}: left for the next time"
    begun = "continued, " if outcome.continued else ""
    sentence = f": {outcome.sentence}" if outcome.sentence else ""
    return f"{outcome.name}: {begun}{outcome.state} after {outcome.seconds:.1f} s{sentence}"


def _average_scores(records: list[StepRecord]) -> str:
    names = list(records[0].scores)[:2]
    means = {name: sum(record.scores[name] for record in records) / len(records) for name in names}
    return "  ".join(f"{name} {value:.4f}" for name, value in means.items())
