"""The last line of a test run: how many tests were left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """After pytest's own last line; processes among which tests are shared say nothing."""
    if reporter := config.pluginmanager.get_plugin("terminalreporter"):
        reporter.write_line(told(_reason(report) for report in reporter.stats.get("skipped", [])))


def told(reasons: Iterable[str]) -> str:
    """How many, and the reasons, the commonest first."""
    counts = Counter(reasons)
    if not counts:
        return "No test was left out."
    each = "; ".join(f"{count}, {reason}" if len(counts) > 1 else reason for reason, count in counts.most_common())
    return f"{counts.total()} test{'s' * (counts.total() > 1)} left out: {each}"


def _reason(report: pytest.TestReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")
