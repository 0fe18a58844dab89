"""Language models of any origin: what comes next, how a text goes on, and how tokens are spelled."""

from mcinterp.language.model import LanguageModel
from mcinterp.language.outcomes import OTHER, OutcomePattern

__all__ = ["OTHER", "LanguageModel", "OutcomePattern"]
