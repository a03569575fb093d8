"""The package as one page: nothing is loaded from anywhere, it prints, and it reads aloud."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from alpr_access_log.audit.document.whole import document_of
from alpr_access_log.audit.summary import Summary
from alpr_access_log.audit.svg import Pen

_templates = Environment(
    loader=PackageLoader("alpr_access_log.audit", "templates"), autoescape=True,
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


def page(summary: Summary) -> str:
    """HTML, complete in itself."""
    template = _templates.get_template("report.html")
    return template.render(document=document_of(summary), pen=Pen())
