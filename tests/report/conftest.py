"""Reports and pages of every test here."""

from pages import browser, explored, explorer_page, idle_tabs, opened, page, report, single_report

__all__ = ["browser", "explored", "explorer_page", "idle_tabs", "opened", "page", "report", "single_report"]
