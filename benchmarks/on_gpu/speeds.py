"""How fast the paper's model trains, and in which way its kernels are to be called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import gpu

from mcinterp.training.kernels import COMPILED, EAGER, GRAPH
from on_gpu.scale import Scale

CHOSEN = "kernels.json"
FIRST_SECONDS = {EAGER: 0, GRAPH: 5, COMPILED: 60}
"""What each takes before its first step, which it has to bring in again."""
BOUNDS = {EAGER: 0.0, GRAPH: 0.0, COMPILED: 0.02}
"""How far losses may be from those of kernels called one by one, relative: a recording runs the same kernels."""


def speeds(scale: Scale, work: Path) -> None:
    """Measure, store, and say which way of calling kernels pays."""
    steps, rounds, side = scale.timed
    rows = gpu.main(
        device=scale.device, steps=str(steps), rounds=str(rounds), config=scale.paper, side=side, folder=work
    )
    kernels, why = choice(rows, scale.paper.training.steps)
    print(why)
    (work / CHOSEN).write_text(json.dumps({"kernels": kernels, "why": why}, ensure_ascii=False))


def chosen(work: Path) -> str:
    """The way that was found to pay; one by one where nothing was measured."""
    file = work / "speeds" / CHOSEN
    return str(json.loads(file.read_text())["kernels"]) if file.is_file() else EAGER


def choice(rows: Sequence[Mapping[str, object]], steps: int) -> tuple[str, str]:
    """The way in which bf16 takes least for so many steps, of those whose losses stay within their bound, and why."""
    seconds, told = {}, []
    for row in (row for row in rows if row["products"] == "bf16"):
        kernels, apart = str(row["kernels"]), float(str(row["losses apart"]))
        taken = FIRST_SECONDS[kernels] + steps / float(str(row["steps/s"]))
        if apart <= BOUNDS[kernels]:
            seconds[kernels] = taken
        told.append(f"{kernels} {taken:.0f} s, losses {apart:.1g} apart")
    best = min(seconds, key=lambda kernels: seconds[kernels])
    return best, f"kernels are called {best}; {steps} steps would take: {'; '.join(told)}"
