"""What tests of studies share with those of the base: a checkpoint, reports and pages."""

from pages import browser, explored, explorer_page, idle_tabs, opened, page, report, single_report

from checkpoints import random_checkpoint

__all__ = [
    "browser",
    "explored",
    "explorer_page",
    "idle_tabs",
    "opened",
    "page",
    "random_checkpoint",
    "report",
    "single_report",
]
