"""What a study is: settings, evidence, claims with rules and controls, and how it is carried out."""

from mcinterp.declared import Study
from mcinterp.errors import UsageError, nearest_name
from mcinterp.installed import broken, studies
from mcinterp.study.claims import Claim, Control, Evidence, Finding, Number, Rule
from mcinterp.study.study import Setting, reproduce

__all__ = ["Claim", "Control", "Evidence", "Finding", "Number", "Rule", "Setting", "Study", "find_study", "reproduce"]


def find_study(name: str) -> Study:
    """The study of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in studies():
        why = f"; {broken()[name]}" if name in broken() else nearest_name(name, studies())
        raise UsageError(f"no study is called {name!r}{why}")
    return studies()[name]
