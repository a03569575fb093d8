"""The figures as CSV files in a zip, with a manifest of their SHA-256 hashes."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from alpr_access_log.audit.summary import FindingShown, Summary

# A fixed time, so that the same summary gives the same bytes.
_AT = (1980, 1, 1, 0, 0, 0)
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def archive(summary: Summary) -> bytes:
    """`summary.json`, one CSV per table, and `manifest-sha256.txt` over all of them."""
    files = {name: table(rows) for name, rows in _tables(summary).items() if rows}
    whole = summary.model_dump(mode="json", by_alias=True)
    files["summary.json"] = json.dumps(whole, indent=1, ensure_ascii=False).encode()
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    files["manifest-sha256.txt"] = "".join(sorted(lines, key=lambda line: line[66:])).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _AT)
            entry.external_attr = 0o644 << 16
            package.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A CSV (UTF-8) with a head line; what a spreadsheet would run is written as text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\r\n", restval="")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _tables(summary: Summary) -> dict[str, list[dict[str, Any]]]:
    usage, log = summary.usage, summary.log
    tables = {
        "usage-people.csv": _rows(usage.people),
        "usage-purposes.csv": _rows(usage.purposes),
        "usage-days.csv": _rows(usage.days),
        "usage-hours.csv": _rows(usage.hours),
        "usage-refusals.csv": _rows(usage.refusals),
        "usage-approvals.csv": _rows(usage.approvals.deciders),
        "usage-retro-match.csv": _rows(usage.retro),
        "usage-actions.csv": _rows(usage.actions),
        "log-gaps.csv": _rows(log.gaps),
        "purges.csv": _rows(summary.purges),
        "misuse-rules.csv": _rows(summary.misuse.rules),
        "misuse-findings.csv": [_finding(one) for one in summary.misuse.findings],
        "misuse-records.csv": [row for one in summary.misuse.findings for row in _records(one)],
    }
    for part, said in (
        ("passwords", summary.password_security.data), ("training", summary.training.data),
    ):  # fmt: skip
        for name, value in (said or {}).items():
            # Lists of objects, however many identity may have in a later version.
            if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                tables[f"{part}-{name.replace('_', '-')}.csv"] = value
    return tables


def _rows(models: Iterable[BaseModel]) -> list[dict[str, Any]]:
    return [model.model_dump(mode="json") for model in models]


def _finding(finding: FindingShown) -> dict[str, Any]:
    last = finding.reviews[-1] if finding.reviews else None
    return {
        "finding_id": str(finding.finding_id),
        "rule": finding.rule,
        "strength": finding.strength,
        "people": "; ".join(f"{p.name} ({p.person_id})" for p in finding.people),
        "why": finding.why,
        "words": finding.words,
        "limits": finding.limits,
        "clause": finding.clause,
        "first_at": finding.first_at.isoformat(),
        "last_at": finding.last_at.isoformat(),
        "record_count": finding.record_count,
        "reviewed": last.outcome if last else "",
        "review_note": last.note if last else "",
        "reviewed_by": last.reviewed_by if last else "",
    }


def _records(finding: FindingShown) -> Iterable[dict[str, Any]]:
    for record in finding.records:
        yield {"finding_id": str(finding.finding_id), **record.model_dump(mode="json")}
