"""Reports: stored results as HTML pages that work offline, from a disk, without a model."""

from mcinterp.report.compare import write_comparison_report
from mcinterp.report.explorer import keep_explorer
from mcinterp.report.latex import latex_table
from mcinterp.report.overview import write_overview
from mcinterp.report.replication import write_replication_report
from mcinterp.report.site import write_report
from mcinterp.report.sweep import write_sweep_report

__all__ = [
    "keep_explorer",
    "latex_table",
    "write_comparison_report",
    "write_overview",
    "write_replication_report",
    "write_report",
    "write_sweep_report",
]
