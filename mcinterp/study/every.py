"""Carry out every study there is, one after the other, and tell what became of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcinterp.analysis.runner import DATA
from mcinterp.analysis.standing import stored_result
from mcinterp.declared import Study
from mcinterp.errors import McinterpError, StoppedError
from mcinterp.results import Result
from mcinterp.study.overview import Carried, overview
from mcinterp.study.replication import of_seed, replicate, replication_folder
from mcinterp.study.study import CLAIMS, STUDY_FOLDER, Setting, reproduce


@dataclass(frozen=True)
class Planned:
    """A study, and how it is carried out.

    Attributes:
        study: it.
        once: the setting of its one run.
        over: that of its replication; only looked at where no seeds are asked for.
    """

    study: Study
    once: Setting
    over: Setting


def reproduce_all(
    planned: Mapping[str, Planned], seeds: int | None, folder: Path, write: Callable[[Setting, bool], Any]
) -> Iterator[Result]:
    """Carry out studies one after the other; what stands is kept, and one that fails costs no other.

    Args:
        planned: by name, in the order in which they are carried out.
        seeds: with how many each is carried out; None for one run each. A replication that stands is told all the same.
        folder: of the page about all.
        write: given the setting of a report whose results are there, and whether they are over seeds.

    Yields:
        after every study what became of all so far; see `overview`.

    Raises:
        StoppedError: if one was stopped.
    """
    listed = {name: (plan.study, plan.once.preset) for name, plan in planned.items()}
    found: dict[str, Carried] = {}
    for name, plan in planned.items():
        plan.once.tell(f"study {name}")
        found[name] = _carried(plan, seeds, write)
        yield overview(listed, found, folder)


def _carried(plan: Planned, seeds: int | None, write: Callable[[Setting, bool], Any]) -> Carried:
    try:
        if seeds and plan.once.preset not in plan.study.alone:
            return _over_seeds(plan, seeds, write)
        claims = reproduce(plan.study, plan.once)
        write(plan.once, False)
        return _beside(plan, Carried(plan.once.out, claims))
    except StoppedError:
        raise
    except Exception as error:  # whatever a study does, a stranger's among them, must cost no other
        why = _why(error)
        plan.once.tell(f"study {plan.study.name} failed: {why}")
        return Carried(plan.once.out, why=why)


def _why(error: Exception) -> str:
    """What went wrong in a line, with the kind of error where it is no sentence of this package's."""
    said, kind = " ".join(str(error).split()), type(error).__name__
    return said if isinstance(error, McinterpError) else f"{kind}: {said}" if said else kind


def _over_seeds(plan: Planned, seeds: int, write: Callable[[Setting, bool], Any]) -> Carried:
    """With seeds, of which the first that could be decided is told as the one run."""
    over = replicate(plan.study, plan.over, seeds, lambda decided: write(decided, False))
    write(plan.over, True)
    tried = over.table("seeds")
    first = of_seed(plan.over, int(tried[tried["state"] == "decided"]["seed"].min())).out
    return Carried(first, stored_result(first / DATA / STUDY_FOLDER / CLAIMS), plan.over.out, over)


def _beside(plan: Planned, carried: Carried) -> Carried:
    """The same with the replication that stands, if any."""
    over = stored_result(replication_folder(plan.over.out))
    if over is None or over.facts.get("study") != plan.study.name:
        return carried
    return Carried(carried.folder, carried.claims, plan.over.out, over)
