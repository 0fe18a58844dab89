"""What a study is: settings, evidence, claims with rules and controls; how it is carried out, once or over seeds."""

from mcinterp.declared import Study
from mcinterp.installed import study_named as find_study
from mcinterp.study.claims import Claim, Control, Evidence, Finding, Number, Rule
from mcinterp.study.every import Planned, reproduce_all
from mcinterp.study.replication import replicate
from mcinterp.study.study import Setting, reproduce

__all__ = [
    "Claim",
    "Control",
    "Evidence",
    "Finding",
    "Number",
    "Planned",
    "Rule",
    "Setting",
    "Study",
    "find_study",
    "replicate",
    "reproduce",
    "reproduce_all",
]
