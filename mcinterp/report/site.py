"""Write a report: one page for the run, one for each analysed checkpoint, one for each attention head."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcinterp.errors import CheckpointError
from mcinterp.report.assets import NAMES, asset
from mcinterp.report.heads import PAGE as HEAD_PAGE
from mcinterp.report.heads import HeadPages
from mcinterp.report.index_page import index_page
from mcinterp.report.links import DATA, EXPLORER, INDEX, MAPS, numbers_of, with_numbers
from mcinterp.report.page import FOLDER
from mcinterp.report.parts import Section
from mcinterp.report.pictures import STUDY, Pictures
from mcinterp.report.single import finished
from mcinterp.report.step_page import step_page
from mcinterp.report.story import Told, story_of_step
from mcinterp.report.study import CLAIMS, PAGE, claims_page
from mcinterp.report.views import answers, comparison_sections, examples, study_sections
from mcinterp.report.views.attention import largest
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import explained, tidy, write_atomic

_STEP_FOLDER = re.compile(r"step-(\d{8,})")
_STEP_PAGE = re.compile(r"step-\d{8,}\.html")


def write_report(folder: Path, single_file: bool = False) -> Path:
    """Write the pages of a run, or of a study that has none, from the results stored in `folder/data`.

    The pages depend on the stored results alone; written twice they are the same. Pages of checkpoints and heads that
    have no results any more are removed, and so is a report.html that is not asked for, as it would be older.

    Args:
        folder: the run's report folder; index.html, one step-….html a checkpoint, one head-….html an attention head and
            assets/ are written there, and paper.html where there are claims of a study. Without a run index.html is
            that same page.
        single_file: also put all of it into one file, report.html, which needs nothing beside it.

    Returns:
        the path of index.html, or of report.html.

    Raises:
        CheckpointError: if nothing was analysed, or a stored result is damaged.
    """
    folder = Path(folder)
    tidy(folder, DATA, FOLDER, MAPS)
    steps = _step_folders(folder)
    run = _load(folder / DATA / "training")
    if not steps and run is None:
        return _alone(folder, single_file)
    # The index comes last, so that one that stands has all that it leads to.
    write_assets(folder)
    pages = {step: f"step-{step:08d}.html" for step in steps}
    name = str(run.facts.get("run", folder.name)) if run else folder.name
    compared, claims = _load_step(folder / DATA / "run"), _load(folder / DATA / CLAIMS)
    told = Told(
        run, compared={key: _light(result) for key, result in answers(compared).items()}, claims=claims, pages=pages
    )
    shown = _examples(folder, run)
    light, heads, ends = {}, HeadPages(name, run, pages, folder, shown), _ends(list(steps.values()))
    for step in steps:
        stored = _load_step(steps[step])
        results = answers(stored)
        own = heads.add(step, results)
        light[step] = {key: _light(result) for key, result in results.items()}
        findings = story_of_step(replace(told, steps={step: light[step]}), step)
        looked_at = _numbered(folder, shown.at(step) if shown else None)
        text = step_page(folder, name, run, step, pages, own, stored, ends, findings, looked_at)
        _write(folder / pages[step], text)
    for page, text in heads.write():
        _write(folder / page, text)
    comparisons = _comparisons(folder, compared, run)
    _paper_page(folder, (PAGE,), name)
    looked_at = _numbered(folder, shown.over_steps() if shown else None)
    _write(folder / INDEX, index_page(folder, name, replace(told, steps=light), comparisons, heads.pages, looked_at))
    _remove_stale(folder, {*pages.values(), *heads.pages.values()}, pages)
    return finished(folder, single_file)


def _remove_stale(folder: Path, standing: Collection[str], steps: Collection[int]) -> None:
    """Remove pages of checkpoints and heads that were not written now, and maps beside pages of other steps."""
    for page in folder.glob("*.html"):
        if (_STEP_PAGE.fullmatch(page.name) or HEAD_PAGE.fullmatch(page.name)) and page.name not in standing:
            page.unlink()
    for maps in (folder / MAPS).glob("step-*"):
        if (match := _STEP_FOLDER.fullmatch(maps.name)) and int(match[1]) not in steps:
            shutil.rmtree(maps)


def _alone(folder: Path, single_file: bool) -> Path:
    """The page of a study that has no run of its own."""
    if not (folder / DATA / CLAIMS / RECORD).exists():
        raise CheckpointError(f"{folder / DATA} holds no results: analyse the run first")
    write_assets(folder)
    _paper_page(folder, (PAGE, INDEX), "")
    return finished(folder, single_file)


def _step_folders(folder: Path) -> dict[int, Path]:
    """Step → folder of its results, in order; a folder without results is none."""
    found = {}
    for path in (folder / DATA).glob("step-*"):
        match = _STEP_FOLDER.fullmatch(path.name)
        if match and any(path.glob(f"*/{RECORD}")):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _ends(steps: Sequence[Path]) -> dict[str, float]:
    """Where the colours of attention end on the page of every step, by name of what is shown."""
    ends: dict[str, float] = {}
    for folder in steps if len(steps) > 1 else ():
        attention = _load(folder / "attention")
        own = largest(attention) if attention and "maps" in attention.arrays else {}
        ends |= {name: max(top, ends.get(name, 0.0)) for name, top in own.items()}
    return ends


def _load(path: Path) -> Result | None:
    # A result is called what its folder is called, so that links to its files hold whatever its record says.
    return replace(Result.load(path), name=path.name) if (path / RECORD).exists() else None


def _load_step(path: Path) -> dict[str, Result]:
    found = {record.parent.name: _load(record.parent) for record in sorted(path.glob(f"*/{RECORD}"))}
    return {name: result for name, result in found.items() if result}


def _light(result: Result) -> Result:
    """A result without its arrays, which only the page of its step shows."""
    return replace(result, arrays={})


def _paper_page(folder: Path, pages: Sequence[str], run: str) -> None:
    """Write the page of a study's claims, if there are any, under these names."""
    claims = _load(folder / DATA / CLAIMS)
    if claims is None:
        return
    results = _load_step(folder / DATA / STUDY)
    del results[claims.name]
    shown = with_numbers(folder, f"{DATA}/{STUDY}", study_sections(str(claims.facts["study"]), results))
    links = numbers_of(folder, f"{DATA}/{CLAIMS}")
    training = _load(folder / DATA / "training")
    text = claims_page(claims, run, links, Pictures(folder, claims.facts["steps"], shown, training))
    for page in pages:
        _write(folder / page, text)


def _comparisons(folder: Path, results: Mapping[str, Result], run: Result | None) -> list[Section]:
    """The sections of the run's page that look at all checkpoints together."""
    answered = examples.NAME in answers(results)  # those have a place of their own
    shown = [section for section in comparison_sections(results, run) if section.name in results]
    shown = [section for section in shown if not (answered and section.name == examples.NAME)]
    return with_numbers(folder, f"{DATA}/run", shown)


def _examples(folder: Path, run: Result | None) -> examples.Examples | None:
    """The examples of inputs; None where none are stored."""
    result = _load(folder / DATA / "run" / examples.NAME)
    return examples.Examples.stored(result, run, (folder / EXPLORER).is_file())


def _numbered(folder: Path, section: Section | None) -> Section | None:
    """A section of the examples with links to their numbers."""
    return section and with_numbers(folder, f"{DATA}/run", [section])[0]


def write_assets(folder: Path) -> None:
    """Put the scripts and the style beside the pages."""
    assets = folder / FOLDER
    with explained(assets):
        assets.mkdir(exist_ok=True)
    for name in NAMES:
        _write(assets / name, asset(name))
    for left in {*assets.glob("*.js"), *assets.glob("*.css")} - {assets / name for name in NAMES}:
        left.unlink()  # of an earlier version


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode("utf-8"))
