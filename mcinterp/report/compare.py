"""Write the page on which checkpoints and runs stand side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcinterp.declared import Study
from mcinterp.errors import CheckpointError
from mcinterp.installed import study_of
from mcinterp.report.links import DATA, INDEX, numbers_of
from mcinterp.report.numbers import number
from mcinterp.report.page import FOLDER, head_note, render, scripts_for
from mcinterp.report.scores import Scores
from mcinterp.report.single import finished
from mcinterp.report.site import write_assets
from mcinterp.report.views import view_of
from mcinterp.report.views.provenance import provenance_tables
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import tidy, write_atomic

PAIR, RUNS = "compared-checkpoints", "compared-runs"
_FOLDER = re.compile(rf"({PAIR}|{RUNS})(?:-(\d+))?")


def write_comparison_report(folder: Path | str, single_file: bool = False) -> Path:
    """Write the page of a comparison from the results stored in `folder/data`, on which alone it depends.

    Args:
        folder: index.html and assets/ are written there.
        single_file: also put all of it into one file, report.html, which needs nothing beside it.

    Returns:
        the path of index.html, or of report.html.

    Raises:
        CheckpointError: if nothing was compared, or a stored result is damaged.
    """
    folder = Path(folder)
    tidy(folder, DATA, FOLDER)
    results = _results(folder)
    if not results:
        raise CheckpointError(f"{folder / DATA} holds no comparison; make one with mcinterp compare")
    write_assets(folder)
    sections = [
        replace(view_of(result.name)(result, {}), name=name, links=numbers_of(folder, f"{DATA}/{name}"))
        for name, result in results.items()
    ]
    page = render(
        "compare",
        scripts_for(attention=False),
        title=_title(folder, results),
        head_note=head_note(_study(results), Scores.known(next(iter(results.values())))),
        facts=_facts(folder, results),
        sections=sections,
        provenance=provenance_tables(results),
    )
    write_atomic(folder / INDEX, page.encode("utf-8"))
    return finished(folder, single_file)


def _results(folder: Path) -> dict[str, Result]:
    """The stored comparisons by the names of their folders: pairs of checkpoints, in order, and then runs."""
    found = [(match, record.parent) for record in (folder / DATA).glob(f"*/{RECORD}") if (match := _match(record))]
    found.sort(key=lambda one: (one[0][1] == RUNS, int(one[0][2] or 0)))
    return {path.name: replace(Result.load(path), name=match[1]) for match, path in found}


def _match(record: Path) -> re.Match[str] | None:
    return _FOLDER.fullmatch(record.parent.name)


def _study(results: Mapping[str, Result]) -> Study | None:
    """The study whose task was compared; comparisons are of one kind of task."""
    task = next(iter(results.values())).facts.get("task")
    return study_of(str(next(iter(task.values()), "") if isinstance(task, Mapping) else task))


def _title(folder: Path, results: Mapping[str, Result]) -> str:
    compared = next(iter(results.values())).provenance.get("compared")
    return " and ".join(map(str, compared)) if isinstance(compared, list) else folder.name


def _facts(folder: Path, results: Mapping[str, Result]) -> list[tuple[str, str, str]]:
    """Every checkpoint with its model, and a link to its page where there is one beside this folder."""
    found, pairs = {}, [result for result in results.values() if "a" in result.facts]
    for result in pairs:
        for side in ("a", "b"):
            one = result.facts[side]
            model = f"{one['n_layers']} layers × {one['n_heads']} heads, width {one['d_model']}"
            text = f"step {number(one['step'])}, {model}, seed {one['seed']}"
            name = f"{side.upper()}: {one['label']}" if len(pairs) == 1 else str(one["label"])
            found[name] = (text, _page(folder, str(one["run"]), int(one["step"])))
    return [(label, text, link) for label, (text, link) in found.items()]


def _page(folder: Path, run: str, step: int) -> str:
    """The page of a checkpoint, or the index of its run; empty without a report."""
    if Path(run).name != run:
        return ""
    for page in (f"step-{step:08d}.html", INDEX):
        if (folder.resolve().parent / run / page).is_file():
            return f"../{run}/{page}"
    return ""
