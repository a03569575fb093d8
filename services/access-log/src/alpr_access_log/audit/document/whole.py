"""The whole document of a summary."""

from alpr_access_log.audit.document.blocks import Block, Document, Section, Tile, Tiles, Words
from alpr_access_log.audit.document.findings import findings
from alpr_access_log.audit.document.log import access_log
from alpr_access_log.audit.document.people import passwords, training
from alpr_access_log.audit.document.telling import moment, number, period
from alpr_access_log.audit.document.usage import usage
from alpr_access_log.audit.summary import Summary


def document_of(summary: Summary) -> Document:
    """Sections in the order in which they are read."""
    return Document(
        title="ALPR audit",
        agency_id=summary.agency_id,
        period=period(summary.from_at, summary.to_at),
        facts=(
            ("Agency", summary.agency_id),
            ("Period", period(summary.from_at, summary.to_at)),
            ("Prepared by", summary.prepared_by),
            ("Prepared at", moment(summary.prepared_at)),
            ("Policy", f"version {summary.policy_version}"),
            ("Package", str(summary.package_id)),
        ),
        prepared_at=summary.prepared_at,
        package_id=str(summary.package_id),
        sections=(
            _in_short(summary),
            usage(summary),
            passwords(summary),
            training(summary),
            access_log(summary),
            findings(summary),
        ),
    )


def _in_short(summary: Summary) -> Section:
    blocks: list[Block] = [Tiles(_tiles(summary))]
    if summary.missing:
        blocks += [Words(f"Missing – {one}", tone="attention") for one in summary.missing]
    else:
        blocks.append(Words("Everything that belongs to the audit could be asked.", tone="quiet"))
    return Section("short", "In short", "131.5-d", blocks)


def _tiles(summary: Summary) -> list[Tile]:
    totals, found = summary.usage.totals, summary.misuse.findings
    unreviewed = sum(not one.reviews for one in found)
    lapses = (summary.training.data or {}).get("lapses")
    locks = (summary.password_security.data or {}).get("lockouts")
    good = summary.log.is_good
    return [
        Tile("Searches answered", number(totals.searches), f"by {number(totals.people)} people"),
        Tile("Searches refused", number(totals.refused), "each with its clause in the log"),
        Tile(
            "Findings", number(len(found)), f"{number(unreviewed)} not reviewed yet",
            "attention" if unreviewed else "plain",
        ),
        Tile(
            "Access log",
            "–" if good is None else "whole" if good else "NOT WHOLE",
            f"{number(summary.log.entries)} entries recomputed",
            "plain" if good is None else "good" if good else "attention",
        ),
        Tile("Training lapses", _count(lapses), "in the period"),
        Tile("Locked accounts", _count(locks), "in the period"),
    ]  # fmt: skip


def _count(rows: object) -> str:
    return number(len(rows)) if isinstance(rows, list) else "not known"
