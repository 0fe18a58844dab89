"""Progress on stderr: a live bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from mcinterp.runs.sweep import Outcome
    from mcinterp.training import StepRecord

SILENCE_SECONDS = 5.0
"""What is at work says so after this time without a line, where there is no bar."""
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
    saying = nullcontext(say) if console.is_terminal else _never_silent()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar, saying as told:
        task = bar.add_task("runs", total=total)

        def tell(outcome: Outcome) -> None:
            told(_outcome_line(outcome))
            bar.advance(task)

        yield tell


@contextmanager
def analysis_progress() -> Iterator[Callable[[str], None]]:
    """Tell what was done, and between two lines that work goes on."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = _console()
    if not console.is_terminal:
        with _never_silent() as tell:
            yield tell
        return
    columns = (SpinnerColumn(), TextColumn("at work"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task("at work", total=None)
        yield say


@contextmanager
def _never_silent() -> Iterator[Callable[[str], None]]:
    """Tell lines, and after `SILENCE_SECONDS` without one that work goes on."""
    start, ended = time.monotonic(), Event()
    told = start

    def tell(line: str) -> None:
        nonlocal told
        told = time.monotonic()
        say(line)

    def watch() -> None:
        while not ended.wait(1.0):
            if time.monotonic() - told >= SILENCE_SECONDS:
                tell(f"still at work, {time.monotonic() - start:.0f} s after the start")

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        ended.set()
        thread.join()


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


@contextmanager
def count_progress(total: int, noun: str) -> Iterator[Callable[[int], None]]:
    """Show how many of something are done and the time left; without a terminal a line for every twentieth of them."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = _console()
    counted = TextColumn("{task.completed:.0f}/{task.total:.0f} " + noun)
    columns = (counted, BarColumn(bar_width=None), TimeElapsedColumn(), TextColumn("elapsed,"), TimeRemainingColumn())
    with Progress(*columns, TextColumn("left"), console=console, disable=not console.is_terminal) as bar:
        task, told = bar.add_task(noun, total=total), 0

        def done(count: int) -> None:
            nonlocal told
            bar.update(task, completed=count)
            twentieth = 20 * count // max(total, 1)
            if not console.is_terminal and twentieth > told:
                told = twentieth
                say(f"{count:,} of {total:,} {noun}")

        yield done
