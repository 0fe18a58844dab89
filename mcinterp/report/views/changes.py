"""What changed across the drop: every analysed checkpoint side by side, in the order of steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd

from mcinterp.declared import load
from mcinterp.installed import studies
from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.numbers import is_absent, number
from mcinterp.report.palette import class_colours
from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.report.scores import HARDLY, Scores, batch, capital, change
from mcinterp.report.tables import head_list
from mcinterp.report.views import ablation, circuits, patching, probes
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.report.views.taxonomy import classes, members
from mcinterp.report.views.timeline import taxonomy_colours
from mcinterp.results import Result


def changes_table(steps: Steps, pages: Mapping[int, str]) -> TableView:
    """One column a checkpoint, in the order of steps; one block of rows a pass."""
    steps = dict(sorted(steps.items()))
    rows = [row for block in (*BLOCKS, *_of_studies(steps)) for row in block(steps)]
    groups: dict[int, str] = {}
    for index, (heading, *_) in enumerate(rows):
        if heading not in groups.values():
            groups[index] = heading
    body = [(Cell(label, colour=colour), *cells) for _, label, colour, cells in rows]
    same = frozenset(index for index, (_, _, _, cells) in enumerate(rows) if not changed(cells))
    columns = _columns(steps, pages)
    return TableView("Every analysed checkpoint", columns, body, kind="plain wide", groups=groups, same=same)


_ENDS = re.compile(r"\[(−?[\d.,]+(?:e−?\d+)?), (−?[\d.,]+(?:e−?\d+)?)\]")
"""An interval as `numbers.interval` writes it."""


def changed(cells: Sequence[Cell]) -> bool:
    """Whether the last intervals of some two cells lie apart; of cells without one, whether they read otherwise."""
    known = [cell for cell in cells if cell != NOTHING]
    ends = [_ENDS.findall(f"{cell.text} {cell.note}")[-1:] for cell in known]
    if not all(ends):
        return len({(cell.text, cell.note) for cell in known}) > 1
    lows, highs = zip(*(map(_number, own[0]) for own in ends), strict=True) if ends else ((), ())
    return bool(ends) and max(lows) > min(highs)


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def changes_sentence(steps: Steps) -> str:
    """First against last checkpoint in one sentence; empty where there is nothing to compare."""
    first, last = steps[min(steps)], steps[max(steps)]
    clauses = [
        f"{label} stayed at {before}" if before == after else f"{label} went from {before} to {after}"
        for pass_name, name, say in (
            ("taxonomy", lambda _: "heads that fit a class", _fitting),
            ("ablation", _clean_label, _clean),
            ("ablation", lambda result: f"{Scores.of(result).the} with all attention made uniform", _ablated),
            ("patching", _patched_label, _patched),
        )
        if pass_name in first and pass_name in last
        if (before := say(first[pass_name])) and (after := say(last[pass_name]))
        for label in [name(last[pass_name])]
    ]
    if len(steps) < 2 or not clauses:
        return ""
    return f"From step {number(min(steps))} to step {number(max(steps))}: {'; '.join(clauses)}."


def _fitting(taxonomy: Result) -> str:
    return number(len({head for heads in members(taxonomy).values() for head in heads}))


def _clean_label(result: Result) -> str:
    scores, row = Scores.of(result), _sets(result).iloc[0]
    return f"{scores.the} ({batch(row['n'], row['seed'], scores.samples)})"


def _clean(result: Result) -> str:
    """The main score of the model as it is; empty where it has no value."""
    value = _sets(result).iloc[0][Scores.of(result).clean]
    return "" if is_absent(value) else number(value)


def _ablated(result: Result) -> str:
    row = ablation.row_of(_sets(result), "uniform", group="all")
    if row is None:
        return ""
    scores = Scores.of(result)
    size = change(row, scores.delta, row[scores.clean])
    verdict = size.say("raised", "lowered", "not measurably changed", f"changed by at most {HARDLY}")
    return f"{number(row[scores.ratio])} times its clean value ({verdict})"


def _patched_label(result: Result) -> str:
    one, other = result.facts["counterparts"]
    return f"how much nearer patching all heads brings the output to {one} than to {other}"


def _patched(result: Result) -> str:
    return _patching_cell("all", result).text.replace(NOTHING.text, "")


def _columns(steps: Steps, pages: Mapping[int, str]) -> list[Column]:
    names = {min(steps): " (first)", max(steps): " (last)"} if len(steps) > 1 else {}
    heads = [Column(f"step {number(step)}{names.get(step, '')}", href=pages.get(step, "")) for step in steps]
    return [Column("quantity"), *heads]


def _class_rows(steps: Steps) -> list[Row]:
    names = dict.fromkeys(name for result in found(steps, "taxonomy") for name in classes(result))
    colours = taxonomy_colours(dict(enumerate(found(steps, "taxonomy"))))
    return [
        ("Heads of each class", name, colours[name], each(steps, "taxonomy", partial(_members_cell, name)))
        for name in names
    ]


def _members_cell(name: str, taxonomy: Result) -> Cell:
    heads = members(taxonomy).get(name, [])
    if not heads:
        return Cell("0")
    listed = head_list(heads)
    return listed if listed.more else Cell(str(len(heads)), note=listed.text)


def _ablation_rows(steps: Steps) -> list[Row]:
    ablations = found(steps, "ablation")
    if not ablations:
        return []
    groups = dict.fromkeys(name for result in ablations for name in _sets(result)["group"])
    colours = class_colours(ablations[0].facts["kinds"])
    scores, row = Scores.of(ablations[0]), _sets(ablations[0]).iloc[0]
    samples = batch(row["n"], row["seed"], scores.samples)
    heading = f"{capital(scores.said)}, clean → heads ablated (attention made uniform), {samples}"
    return [
        (
            heading,
            "all heads" if name == "all" else name,
            colours.get(name, ""),
            each(steps, "ablation", partial(_ablation_cell, name)),
        )
        for name in groups
    ]


def _sets(result: Result) -> pd.DataFrame:
    frame = ablation_rows(result)
    return frame[(frame["method"] == "uniform") & frame["kind"].isin(["all", "class"])]


def _ablation_cell(name: str, result: Result) -> Cell:
    row, scores = ablation.row_of(_sets(result), "uniform", group=name), Scores.of(result)
    if row is None:
        return NOTHING
    clean, ablated, ratio = (number(row[key]) for key in (scores.clean, scores.mean, scores.ratio))
    return Cell(f"{clean} → {ablated} (× {ratio})", note=f"change {ablation.delta(row, scores)}")


def _patching_rows(steps: Steps) -> list[Row]:
    patched = found(steps, "patching")
    if not patched:
        return []
    scores, (one, other) = Scores.of(patched[0]), patched[0].facts["counterparts"]
    row = patched[0].table("patching").iloc[0]
    heading = (
        f"Patching {one} into {other}: how much nearer the output is to {one} than to {other}, {scores.where}, "
        f"{batch(row['n'], row['seed'], scores.samples)}"
    )
    sets = (("all", "all heads"), (f"other {scores.sample}", f"control: heads of an unrelated {scores.sample}"))
    return [(heading, label, "", each(steps, "patching", partial(_patching_cell, group))) for group, label in sets]


def _patching_cell(group: str, result: Result) -> Cell:
    frame = result.table("patching")
    first = frame[frame["direction"] == result.facts["directions"][0]]
    row = patching.find(first, group, Scores.of(result).main)
    return NOTHING if row is None else Cell(patching.nearer(row))


def _probe_rows(steps: Steps) -> list[Row]:
    best = [row for result in found(steps, "probes") for row in probes.best_layers(result.table("probes"))]
    kinds = dict.fromkeys((row["target"], row["entries"]) for row in best)
    return [
        (
            "Best linear probe, test MSE; control: shuffled targets, on the same samples",
            target if places == "all" else f"{target}, {places}",
            "",
            each(steps, "probes", partial(_probe_cell, (target, places))),
        )
        for target, places in kinds
    ]


def _probe_cell(kind: tuple[str, str], result: Result) -> Cell:
    best: Sequence[pd.Series] = probes.best_layers(result.table("probes"))
    rows = [row for row in best if (row["target"], row["entries"]) == kind]
    if not rows:
        return NOTHING
    row = rows[0]
    note = probes.gain(row).say("better than", "worse than", "not measurably better than")
    return Cell(
        f"{number(row['test_mse'])} {probes.place(row['layer'])}", note=f"{note} control {number(row['control_mse'])}"
    )


BLOCKS: tuple[Callable[[Steps], list[Row]], ...] = (
    _class_rows,
    _ablation_rows,
    _patching_rows,
    circuits.rows,
    _probe_rows,
)
"""What each pass contributes, in the order of the rows; those of studies follow, in the order of their views."""


def _of_studies(steps: Steps) -> list[Callable[[Steps], list[Row]]]:
    """What the passes of studies contribute, where they were run."""
    return [
        load(view.rows)
        for study in studies().values()
        for name, view in study.views.items()
        if view.rows and found(steps, name)
    ]
