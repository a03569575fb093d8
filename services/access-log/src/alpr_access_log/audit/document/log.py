"""The section on the access log, recomputed, and on what was purged."""

from alpr_access_log.audit.document.blocks import Block, Facts, Section, Table, Words
from alpr_access_log.audit.document.telling import moment, number
from alpr_access_log.audit.summary import LogChecked, LogCheckpoint, Summary

_MOST_ROWS = 60


def access_log(summary: Summary) -> Section:
    said = summary.log
    blocks: list[Block] = [_verdict(said)]
    blocks += [Words(f"Fault: {fault}", tone="attention") for fault in said.faults]
    blocks += [_facts(said), _gaps(said), _purges(summary)]
    return Section("log", "The access log, recomputed", "131.7-3a", blocks)


def _verdict(said: LogChecked) -> Words:
    if said.is_good is None:
        return Words("The log got no checkpoint in this period: there is nothing to check.")
    if said.is_good:
        return Words(
            f"Whole: all {number(said.entries)} entries up to the last checkpoint of the period "
            "were hashed again, and every checkpoint and copy that was compared is a beginning of "
            "the same log.",
            tone="good",
        )
    return Words(
        "NOT WHOLE: the log is not what was signed. Keep everything as it is and compare with the "
        "witness's copies (docs/verifying-the-log.md).",
        tone="attention",
    )


def _facts(said: LogChecked) -> Facts:
    return Facts(
        (
            ("Log", said.origin),
            ("Verifier key", f"{said.key} – compare it with the one handed out on paper"),
            ("Last before the period", _checkpoint(said.before)),
            ("First of the period", _checkpoint(said.first)),
            ("Last of the period", _checkpoint(said.last)),
            ("Entries of the period", number(said.entries_in_period)),
            ("Checkpoints", f"{number(said.checkpoints)} signed, "
                            f"{number(said.checkpoints_checked)} compared"),
            ("Witness", said.witness),
            ("Copies", said.witness_why_not or f"{number(said.witness_copies)} found, "
                                               f"{number(said.witness_copies_checked)} compared"),
        )
    )  # fmt: skip


def _checkpoint(one: LogCheckpoint | None) -> str:
    if one is None:
        return "none"
    return f"{number(one.size)} entries, {moment(one.signed_at)}, root {one.root}"


def _gaps(said: LogChecked) -> Table:
    minutes = said.gap_after_seconds // 60
    rows = [
        (moment(gap.from_at), "not yet" if gap.is_open else moment(gap.to_at), number(gap.minutes))
        for gap in said.gaps[:_MOST_ROWS]
    ]
    return Table(
        f"Gaps in witnessing: entries that waited more than {minutes} minutes for a copy",
        ("From", "Until", "Minutes"), rows, (40, 40, 20), frozenset({2}),
        empty="The copies cannot be read." if said.witness_why_not else "No gap.",
        more=max(0, len(said.gaps) - _MOST_ROWS),
    )  # fmt: skip


def _purges(summary: Summary) -> Table:
    rows = [
        (
            moment(one.purged_at), one.subject, number(one.count), number(one.kept),
            str(one.certificate_id),
        )
        for one in summary.purges[:_MOST_ROWS]
    ]  # fmt: skip
    total = sum(one.count for one in summary.purges)
    return Table(
        f"Purges: {number(len(summary.purges))} of {number(total)} reads; each has its certificate "
        "in the log",
        ("When", "What", "Removed", "Kept by holds", "Certificate"), rows, (20, 20, 12, 12, 36),
        frozenset({2, 3}), empty="Nothing was purged.",
        more=max(0, len(summary.purges) - _MOST_ROWS),
    )  # fmt: skip
