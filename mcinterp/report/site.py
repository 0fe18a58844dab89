"""Write a report: one page for the run, one for each analysed checkpoint, one for each attention head."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from mcinterp.errors import CheckpointError
from mcinterp.report.assets import NAMES, asset
from mcinterp.report.heads import PAGE as HEAD_PAGE
from mcinterp.report.heads import HeadPages
from mcinterp.report.index_page import index_page
from mcinterp.report.links import DATA, INDEX, MAPS, numbers_of, with_numbers
from mcinterp.report.page import FOLDER
from mcinterp.report.parts import Link, Section
from mcinterp.report.pictures import STUDY, Pictures
from mcinterp.report.step_page import step_page
from mcinterp.report.study import CLAIMS, PAGE, claims_page, claims_sentence
from mcinterp.report.views import answers, comparison_sections, study_sections
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import explained, tidy, write_atomic

_STEP_FOLDER = re.compile(r"step-(\d{8,})")
_STEP_PAGE = re.compile(r"step-\d{8,}\.html")


def write_report(folder: Path, single_file: bool = False) -> Path:
    """Write the pages of a run, or of a study that has none, from the results stored in `folder/data`.

    The pages depend on the stored results alone; written twice they are the same. Pages of checkpoints and heads that
    have no results any more are removed.

    Args:
        folder: the run's report folder; index.html, one step-….html a checkpoint, one head-….html an attention head and
            assets/ are written there, and paper.html where there are claims of a study. Without a run index.html is
            that same page.
        single_file: put scripts, style and numbers into each page instead of assets/ and links to data/.

    Returns:
        the path of index.html.

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
    write_assets(folder, single_file)
    pages = {step: f"step-{step:08d}.html" for step in steps}
    name = str(run.facts.get("run", folder.name)) if run else folder.name
    light, heads = {}, HeadPages(name, run, pages)
    for step in steps:
        stored = _load_step(steps[step])
        results = answers(stored)
        own = heads.add(step, results)
        _write(folder / pages[step], step_page(folder, name, run, step, pages, own, stored, single_file))
        light[step] = {key: replace(result, arrays={}) for key, result in results.items()}
    for page, text in heads.write(single_file):
        _write(folder / page, text)
    comparisons = _comparisons(folder, run, single_file)
    paper = _paper_page(folder, (PAGE,), name, single_file)
    _write(folder / INDEX, index_page(folder, name, run, light, comparisons, pages, heads.pages, paper, single_file))
    _remove_stale(folder, {*pages.values(), *heads.pages.values()}, () if single_file else pages)
    return folder / INDEX


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
    write_assets(folder, single_file)
    _paper_page(folder, (PAGE, INDEX), "", single_file)
    return folder / INDEX


def _step_folders(folder: Path) -> dict[int, Path]:
    """Step → folder of its results, in order; a folder without results is none."""
    found = {}
    for path in (folder / DATA).glob("step-*"):
        match = _STEP_FOLDER.fullmatch(path.name)
        if match and any(path.glob(f"*/{RECORD}")):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _load(path: Path) -> Result | None:
    # A result is called what its folder is called, so that links to its files hold whatever its record says.
    return replace(Result.load(path), name=path.name) if (path / RECORD).exists() else None


def _load_step(path: Path) -> dict[str, Result]:
    found = {record.parent.name: _load(record.parent) for record in sorted(path.glob(f"*/{RECORD}"))}
    return {name: result for name, result in found.items() if result}


def _paper_page(folder: Path, pages: Sequence[str], run: str, single_file: bool) -> tuple[str, Link] | None:
    """Write the page of a study's claims, if there are any, under these names; what the index says of it."""
    claims = _load(folder / DATA / CLAIMS)
    if claims is None:
        return None
    results = _load_step(folder / DATA / STUDY)
    del results[claims.name]
    shown = with_numbers(folder, f"{DATA}/{STUDY}", study_sections(str(claims.facts["study"]), results), single_file)
    links = numbers_of(folder, f"{DATA}/{CLAIMS}", single_file)
    training = _load(folder / DATA / "training")
    text = claims_page(claims, run, single_file, links, Pictures(folder, claims.facts["steps"], shown, training))
    for page in pages:
        _write(folder / page, text)
    return claims_sentence(claims), Link(str(claims.facts["title"]), PAGE)


def _comparisons(folder: Path, run: Result | None, single_file: bool) -> list[Section]:
    """The sections of the run's page that look at all checkpoints together."""
    results = _load_step(folder / DATA / "run")
    shown = [section for section in comparison_sections(results, run) if section.name in results]
    return with_numbers(folder, f"{DATA}/run", shown, single_file)


def write_assets(folder: Path, single_file: bool) -> None:
    """Put the scripts and the style beside the pages; in single files they stand, and older ones are removed."""
    assets = folder / FOLDER
    if not single_file:
        with explained(assets):
            assets.mkdir(exist_ok=True)
        for name in NAMES:
            _write(assets / name, asset(name))
        for left in {*assets.glob("*.js"), *assets.glob("*.css")} - {assets / name for name in NAMES}:
            left.unlink()  # of an earlier version
    elif assets.exists():
        for name in NAMES:
            (assets / name).unlink(missing_ok=True)
        if not any(assets.iterdir()):
            assets.rmdir()


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode("utf-8"))
