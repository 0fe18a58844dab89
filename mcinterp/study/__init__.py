"""Papers as code: runs, measurements, and claims with verdicts."""

from mcinterp.errors import UsageError, nearest_name
from mcinterp.study import ghost_points, identity_mapping, matrix_completion
from mcinterp.study.claims import Claim, Control, Evidence, Finding, Number, Rule
from mcinterp.study.study import Setting, Study, reproduce

STUDIES = {study.name: study for study in (matrix_completion.STUDY, ghost_points.STUDY, identity_mapping.STUDY)}


def find_study(name: str) -> Study:
    """The study of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in STUDIES:
        raise UsageError(f"no study is called {name!r}{nearest_name(name, STUDIES)}")
    return STUDIES[name]


__all__ = [
    "STUDIES",
    "Claim",
    "Control",
    "Evidence",
    "Finding",
    "Number",
    "Rule",
    "Setting",
    "Study",
    "find_study",
    "reproduce",
]
