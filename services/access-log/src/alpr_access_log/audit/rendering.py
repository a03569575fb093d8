"""The files of a package, made from its summary alone."""

from alpr_access_log.audit.page import page
from alpr_access_log.audit.sheet import sheet
from alpr_access_log.audit.summary import Summary
from alpr_access_log.audit.tables import archive

Rendered = dict[str, tuple[str, bytes]]
"""By name: media type and content."""


def rendered(summary: Summary) -> Rendered:
    """Page, PDF and tables. The same summary gives the same bytes."""
    return {
        "report.html": ("text/html; charset=utf-8", page(summary).encode()),
        "report.pdf": ("application/pdf", sheet(summary)),
        "tables.zip": ("application/zip", archive(summary)),
    }
