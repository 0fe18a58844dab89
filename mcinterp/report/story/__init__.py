"""What happened, in a few findings: rules that read stored results alone, one module a question."""

from mcinterp.report.story.finding import About, Finding, State
from mcinterp.report.story.rules import story_of, story_of_step
from mcinterp.report.story.told import Told

__all__ = ["About", "Finding", "State", "Told", "story_of", "story_of_step"]
