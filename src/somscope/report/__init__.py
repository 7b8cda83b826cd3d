"""The static HTML report of a run: one file that opens offline, on a phone too."""

from somscope.report.render import MAX_BYTES, render_report, write_report
from somscope.report.run_like import RunLike

__all__ = ["MAX_BYTES", "RunLike", "render_report", "write_report"]
