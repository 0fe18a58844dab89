"""The page in which a run's model itself runs, kept beside the run's report."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcinterp.declared import Explorer, load
from mcinterp.errors import CheckpointError, McinterpError
from mcinterp.installed import study_of
from mcinterp.report.links import DATA, EXPLORER
from mcinterp.results import RECORD, Result

if TYPE_CHECKING:
    from mcinterp.runs import Run

NAME = "explorer"
"""Of the record, under a report's data, of what the page was made from."""


def keep_explorer(run: Run, folder: Path) -> str:
    """Write the explorer of a run beside its report, unless the one that stands there was made from the same.

    To be called before `write_report`, whose pages lead to an explorer that is there. Where a run can have none, the
    folder is left as it is.

    Args:
        run: of any task.
        folder: of the run's report.

    Returns:
        in a sentence why it could not be made, as where a model is too large for a page; '' where it stands, or the
        run's study has none.
    """
    from mcinterp.analysis.registry import missing

    study = study_of(run.config.task.kind)
    if study is None or study.explorer is None or missing(study.explorer.asks, run.config):
        return ""
    try:
        _keep(study.explorer, run, Path(folder))
    except McinterpError as error:
        return str(error)
    except Exception as error:  # whatever a page of a stranger's study does, a report must not fail of it
        return f"{type(error).__name__}: {error}"
    return ""


def _keep(explorer: Explorer, run: Run, folder: Path) -> None:
    page, identity = folder / EXPLORER, _identity(explorer, run)
    if _stands(page, folder / DATA / NAME, identity):
        return
    load(explorer.write)(load(explorer.gather)(run, None), page)
    made = {**identity, "page": _digest(page)}
    Result(NAME, "What the explorer was made from", {}, {}, provenance=made).save(folder / DATA / NAME)


def _stands(page: Path, record: Path, identity: dict[str, Any]) -> bool:
    """Whether a page is the one that was made from this."""
    if not (page.is_file() and (record / RECORD).is_file()):
        return False
    try:
        stored = Result.load(record).provenance
    except CheckpointError:
        return False
    return bool(stored == {**identity, "page": _digest(page)})


def _identity(explorer: Explorer, run: Run) -> dict[str, Any]:
    """All that decides the page: the run, and the code and the looks that it is made with."""
    from mcinterp.analysis.runner import code_digest
    from mcinterp.runs.checkpoint import package_versions

    return {
        "run": run.name,
        "config_hash": run.config.hash,
        "fingerprint": run.fingerprint(),
        "versions": package_versions(),
        "code": code_digest(),
        "page_code": _code_of_page(explorer),
    }


def _code_of_page(explorer: Explorer) -> str:
    """Digest of all files beside the module that gathers, and of the report's own."""
    digest = hashlib.sha256()
    for module in (explorer.gather.partition(":")[0], __name__):
        spec = find_spec(module)
        beside = Path(spec.origin).parent if spec and spec.origin else Path()
        for file in sorted(beside.rglob("*")):
            if file.suffix in (".py", ".js", ".css", ".j2"):
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
