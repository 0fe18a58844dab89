"""Write a report: one page for the run, one for each analysed checkpoint, one for each attention head."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from mcinterp.declared import Explorer
from mcinterp.errors import CheckpointError
from mcinterp.report.assets import NAMES, asset
from mcinterp.report.heads import PAGE as HEAD_PAGE
from mcinterp.report.heads import HeadPages, linked, linked_table
from mcinterp.report.numbers import number
from mcinterp.report.packing import files
from mcinterp.report.page import EXPLORER, FOLDER, head_note, render, scripts_for
from mcinterp.report.parts import Link, Section, embed_json
from mcinterp.report.scores import Scores
from mcinterp.report.study import CLAIMS, PAGE, STUDY, claims_page, claims_sentence
from mcinterp.report.views import answers, comparison_sections, defined_passes, sections, study_sections, training
from mcinterp.report.views.changes import changes_sentence, changes_table
from mcinterp.report.views.condition import conditions_sentences
from mcinterp.report.views.provenance import digests_table, provenance_tables, versions
from mcinterp.report.views.timeline import taxonomy_colours, timelines
from mcinterp.results import ARRAYS, RECORD, Result
from mcinterp.runs.files import atomic_folder, explained, tidy, write_atomic

DATA, INDEX, MAPS = "data", "index.html", "maps"
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
        _write(folder / pages[step], _step_page(folder, name, run, step, pages, own, stored, single_file))
        light[step] = {key: replace(result, arrays={}) for key, result in results.items()}
    for page, text in heads.write(single_file):
        _write(folder / page, text)
    comparisons = _comparisons(folder, run, single_file)
    paper = _paper_page(folder, (PAGE,), name, single_file)
    _write(folder / INDEX, _index_page(folder, name, run, light, comparisons, pages, heads.pages, paper, single_file))
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


def _step_page(
    folder: Path,
    name: str,
    run: Result | None,
    step: int,
    pages: Mapping[int, str],
    heads: Mapping[str, str],
    results: Mapping[str, Result],
    single_file: bool,
) -> str:
    shown = _linked(folder, f"{DATA}/step-{step:08d}", linked(sections(results, run), heads), single_file)
    if not single_file:
        shown = [_beside(folder, f"{MAPS}/step-{step:08d}", section) for section in shown]
    order = list(pages)
    at = order.index(step)
    return render(
        "step",
        single_file,
        scripts_for(attention=any(section.widget for section in shown)),
        title=f"{name}, step {number(step)}",
        run=name,
        head_note=head_note(training.study_of_run(run), Scores.known(run)),
        step=number(step),
        number=step,
        at=at,
        pages=[_step_link(each, pages) for each in order],
        pages_json=_pages_json(pages),
        previous=_step_link(order[at - 1], pages) if at > 0 else None,
        following=_step_link(order[at + 1], pages) if at + 1 < len(order) else None,
        sections=shown,
        provenance=provenance_tables(answers(results)),
    )


def _beside(folder: Path, maps: str, section: Section) -> Section:
    """The section with its large maps in files of a folder beside the page."""
    if section.widget is None or section.widget.cells is None:
        return section
    with explained(folder / MAPS):
        (folder / MAPS).mkdir(exist_ok=True)
    with atomic_folder(folder / maps) as written:
        for name, text in files(section.widget.cells):
            (written / name).write_text(text, encoding="utf-8")
    widget = replace(section.widget, data={**section.widget.data, "folder": maps}, cells=None)
    return replace(section, widget=widget)


def _paper_page(folder: Path, pages: Sequence[str], run: str, single_file: bool) -> tuple[str, Link] | None:
    """Write the page of a study's claims, if there are any, under these names; what the index says of it."""
    claims = _load(folder / DATA / CLAIMS)
    if claims is None:
        return None
    results = _load_step(folder / DATA / STUDY)
    del results[claims.name]
    shown = _linked(folder, f"{DATA}/{STUDY}", study_sections(str(claims.facts["study"]), results), single_file)
    links = numbers_of(folder, f"{DATA}/{CLAIMS}", single_file)
    text = claims_page(claims, run, single_file, links, shown)
    for page in pages:
        _write(folder / page, text)
    return claims_sentence(claims), Link(str(claims.facts["title"]), PAGE)


def _comparisons(folder: Path, run: Result | None, single_file: bool) -> list[Section]:
    """The sections of the run's page that look at all checkpoints together."""
    results = _load_step(folder / DATA / "run")
    shown = [section for section in comparison_sections(results, run) if section.name in results]
    return _linked(folder, f"{DATA}/run", shown, single_file)


def _linked(folder: Path, data: str, shown: Sequence[Section], single_file: bool) -> list[Section]:
    """Sections with links to their numbers."""
    return [
        section if section.absent else replace(section, links=numbers_of(folder, f"{data}/{section.name}", single_file))
        for section in shown
    ]


def _index_page(
    folder: Path,
    name: str,
    run: Result | None,
    steps: Mapping[int, Mapping[str, Result]],
    comparisons: Sequence[Section],
    pages: Mapping[int, str],
    heads: Mapping[str, str],
    paper: tuple[str, Link] | None,
    single_file: bool,
) -> str:
    if run:
        links = numbers_of(folder, f"{DATA}/{run.name}", single_file)
        curve = replace(training.view(run, pages), links=links)
    else:
        curve = Section("training", "Loss curve", absent="The results of the training are missing.")
    taxonomies = {step: results["taxonomy"] for step, results in steps.items() if "taxonomy" in results}
    return render(
        "index",
        single_file,
        scripts_for(attention=False),
        title=name,
        facts=training.run_facts(run) if run else [],
        curve=curve,
        paper=paper,
        explorer=Link(_offered(run), EXPLORER) if (folder / EXPLORER).is_file() else None,
        head_note=head_note(training.study_of_run(run), Scores.known(run)),
        checkpoints=[_step_link(step, pages) for step in steps],
        pages_json=_pages_json(pages),
        changes=changes_table(steps, pages) if steps else None,
        across="across the drop" if _has_drop(run) else "over training",
        lead=" ".join([*conditions_sentences(steps), changes_sentence(steps)]) if steps else "",
        comparisons=comparisons,
        headed=training.has_heads(run),
        analysable=bool(steps) or bool(defined_passes(run)),
        classified=bool(taxonomies) or "taxonomy" in defined_passes(run),
        heads=[Link(head, page) for head, page in heads.items()],
        timelines=[linked_table(view, heads) for view in timelines(steps, pages)],
        legend=Section("classes", "", legend=taxonomy_colours(taxonomies)),
        config=training.config_table(run) if run else None,
        config_hash=str(run.facts.get("config_hash", "")) if run else "",
        digests=digests_table(steps),
        versions=versions(steps),
    )


def _offered(run: Result | None) -> str:
    """What there is to play with in the explorer."""
    study = training.study_of_run(run)
    return ((study and study.explorer) or Explorer).offers


def _has_drop(run: Result | None) -> bool:
    return bool(run and (run.facts.get("transition") or {}).get("found"))


def _pages_json(pages: Mapping[int, str]) -> Markup:
    """Every checkpoint's page, for the script that goes from one to another."""
    return embed_json(
        [{"step": step, "href": href, "text": _step_link(step, pages).text} for step, href in pages.items()]
    )


def _step_link(step: int, pages: Mapping[int, str]) -> Link:
    return Link(f"step {number(step)}", pages[step])


def numbers_of(folder: Path, data: str, single_file: bool) -> list[Link]:
    """Links to the stored numbers of a result; in a single file the tables travel in the link itself."""
    files = sorted(path for path in (folder / data).iterdir() if path.suffix == ".csv" or path.name in (RECORD, ARRAYS))
    if not single_file:
        return [Link(path.name, f"{data}/{path.name}") for path in files]
    return [Link(path.name, _data_url(path), _download_name(data, path)) for path in files if path.name != ARRAYS]


def _data_url(path: Path) -> str:
    kind = "text/csv" if path.suffix == ".csv" else "application/json"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _download_name(data: str, path: Path) -> str:
    return f"{data.removeprefix(DATA + '/').replace('/', '-')}-{path.name}"


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
