"""The live explorer: one page in which the model itself runs, from what `explorable` gathered."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from mcinterp.errors import InputError
from mcinterp.installed import study_of
from mcinterp.report.assets import STYLES, THEME
from mcinterp.report.links import EXPLORER
from mcinterp.report.numbers import number, plural
from mcinterp.report.page import head_note, render
from mcinterp.report.palette import SERIES
from mcinterp.report.parts import embed_json
from mcinterp.results import Result
from mcinterp.runs.files import explained, write_atomic
from mcinterp.studies.matrix_completion.explorer.mask_words import mask_words

HERE = "mcinterp.studies.matrix_completion.explorer"
PARTS = (
    *("numbers", "encoder", "linear", "nuclear", "task", "rank", "live", "address", "said"),
    *("grid", "heads", "course", "view"),
)
SCRIPTS = (THEME, *(f"{HERE}:{name}.js" for name in PARTS))
OWN_STYLES = (*STYLES, f"{HERE}:explore.css")
COLOURS = {
    "negative": SERIES[0],
    "positive": SERIES[1],
    "attention": "#005A8C",
    "observed": SERIES[5],
}
"""As the report's figures of signed values, its attention maps and its drawings of masks have them."""


def write_explorer(found: Result, path: Path | str) -> Path:
    """Write the page.

    Args:
        found: from `explorable`.
        path: of the HTML file; folders that lead to it are made.

    Returns:
        the path.

    Raises:
        InputError: if `path` is a folder.
        WriteError: if it cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; the explorer is one file, such as {path / EXPLORER}")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, explorer_page(found).encode("utf-8"))
    return path


def explorer_page(found: Result) -> str:
    """The page's text: a pure function of what was gathered."""
    facts = found.facts
    weights, means = (np.ascontiguousarray(found.arrays[name], dtype="<f4") for name in ("weights", "means"))
    common = (weights == weights[0]).all(0)
    return render(
        f"{HERE}:explore",
        SCRIPTS,
        OWN_STYLES,
        alone=True,
        title=f"{facts['run']}, live",
        run=str(facts["run"]),
        head_note=head_note(study_of("matrix-completion")),
        facts=_facts(found),
        rank=None if facts["task"]["factors"] == "full-rank" else facts["task"]["rank"],
        statement=str(facts["statement"]),
        versions=dict(found.provenance.get("versions", {})),
        config_hash=str(facts["config_hash"]),
        colours=COLOURS,
        model=embed_json(_model(found, common)),
        common=_base64(weights[0][common]),
        weights=[(step, _base64(row[~common])) for step, row in zip(facts["steps"], weights, strict=True)],
        means=[(step, _base64(row)) for step, row in zip(facts["steps"], means, strict=True)],
        n_means=number(facts["means"]["n"]),
    )


def _model(found: Result, common: np.ndarray) -> dict[str, Any]:
    """What the scripts read: everything but the weights."""
    facts = found.facts
    masks = {
        size: [
            {"name": name, "words": mask_words(name), "observed": observed.astype(int).ravel().tolist()}
            for name, observed in zip(names, found.arrays[f"masks_{size}"], strict=True)
        ]
        for size, names in facts["masks"].items()
    }
    kept = ("task", "model", "parameters", "steps", "curve", "means")
    return {**{name: facts[name] for name in kept}, "masks": masks, "runs": _runs(common)}


def _runs(common: np.ndarray) -> list[int]:
    """Lengths of stretches of parameters that differ between checkpoints and that do not, in turn, the former first.

    Most token embeddings are never reached by training, and stand in the page once.
    """
    ends = np.flatnonzero(np.diff(common)) + 1
    lengths = np.diff([0, *ends, len(common)]).tolist()
    return [0, *lengths] if common[0] else lengths


def _base64(numbers: np.ndarray) -> Markup:
    return Markup(base64.b64encode(numbers.tobytes()).decode("ascii"))


def _facts(found: Result) -> list[tuple[str, str]]:
    task, model = found.facts["task"], found.facts["model"]
    sizes = task["sizes"] or [[task["rows"], task["cols"]]]
    law = "full rank" if task["factors"] == "full-rank" else f"rank {task['rank']}, {task['factors']} factors"
    return [
        ("matrices", f"{', '.join(f'{rows} × {cols}' for rows, cols in sizes)}, {law}"),
        ("masked in training", f"{100 * task['p_mask']:g} % of the entries"),
        (
            "model",
            f"{plural(model['n_layers'], 'layer')} of {plural(model['n_heads'], 'head')}, {model['d_model']} wide",
        ),
        ("checkpoints in this page", number(len(found.facts["steps"]))),
    ]
