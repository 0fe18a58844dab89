"""Stages one after the other, each in a process of its own that may fail or be stopped without harm to the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from on_gpu.packing import pack
from on_gpu.scale import MEGABYTE, SCALES, STAGES, Scale

DONE, FAILED, STOPPED, NO_TIME = "done", "failed", "stopped", "no time left"
STATES = "stages.json"
GRACE_SECONDS = 20.0
"""What a stage that is stopped has to save and to end."""
LEAST_SECONDS = 10.0
"""With less time than this no stage is begun."""
ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONUNBUFFERED": "1"}
"""So that products on a card give the same bits twice."""


def carried_out(
    scale: str, names: Sequence[str], work: Path, out: Path, seconds: float, command: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Carry out stages that are not done yet and pack what each leaves, whatever becomes of it; a row for each.

    Args:
        scale: whose name the stages are given.
        names: the stages.
        work: where each has a folder of its own.
        out: where archives go.
        seconds: for all of them.
        command: that carries out one stage, given its name, the scale and its folder.
    """
    end, states = time.monotonic() + seconds, _states(work)
    for name in names:
        start, left = time.monotonic(), end - time.monotonic()
        if states.get(name) != DONE:
            share = min(STAGES[name].seconds, left - GRACE_SECONDS)
            words = [*command, name, scale, str(work / name)]
            states[name] = NO_TIME if share < LEAST_SECONDS else _one(words, work / name, share)
        (work / STATES).write_text(json.dumps(states))
        archives, without = pack(work / name, out, STAGES[name].archives)
        yield {
            "stage": name,
            "state": states[name],
            "seconds": round(time.monotonic() - start, 1),
            "share": STAGES[name].seconds,
            "archives": len(archives),
            "MB": round(sum(archive.stat().st_size for archive in archives) / MEGABYTE, 2),
            "files without room": len(without),
        }


def alone(name: str, scale: str, work: Path) -> None:
    """Carry out one stage in this process."""
    functions()[name](SCALES[scale](), work)


def functions() -> Mapping[str, Callable[[Scale, Path], None]]:
    """What every stage does; loaded where it is done."""
    from on_gpu import checks, speeds, training

    return {
        "checks": checks.checks,
        "speeds": speeds.speeds,
        "paper": training.paper,
        "passes": training.passes,
        "wide": training.wide,
        "wide-float32": training.wide_float32,
    }


def _one(words: Sequence[str], work: Path, seconds: float) -> str:
    """Carry out a stage, and stop it after a time; what it says stands in log.txt."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env={**ENVIRONMENT, **os.environ})
        try:
            return DONE if process.wait(seconds) == 0 else _told(FAILED, work)
        except subprocess.TimeoutExpired:
            process.terminate()
            return _told(_ended(process), work)
        finally:
            process.kill()


def _ended(process: subprocess.Popen[bytes]) -> str:
    """Wait until a stage that was asked to stop has ended; it may just have been done."""
    try:
        return DONE if process.wait(GRACE_SECONDS) == 0 else STOPPED
    except subprocess.TimeoutExpired:
        return STOPPED


def _told(state: str, work: Path) -> str:
    """Say the last that a stage said which was not done."""
    if state != DONE:
        lines = (work / "log.txt").read_text(encoding="utf-8").splitlines()
        print(f"{work.name} {state}: {' | '.join(lines[-3:])}", file=sys.stderr)
    return state


def _states(work: Path) -> dict[str, str]:
    work.mkdir(parents=True, exist_ok=True)
    file = work / STATES
    return json.loads(file.read_text()) if file.is_file() else {}
