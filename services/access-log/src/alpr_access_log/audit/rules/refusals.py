"""Many refusals of a reason, then success with other words (131.7-3b)."""

from collections.abc import Iterator
from datetime import timedelta

from alpr_access_log.audit.finding import Finding, Rule
from alpr_access_log.audit.records import Looked, Record

OF_REASONS = frozenset(
    {
        "purpose-missing", "purpose-unknown", "case-number-missing", "suspicion-missing",
        "suspicion-too-short", "suspicion-copied", "not-attested",
    }
)  # fmt: skip
"""Refusals that rest on the reason that was given, not on who asked nor on what."""


def _find(looked: Looked) -> Iterator[Finding]:
    limits = looked.limits
    within = timedelta(minutes=limits.altered_words_minutes)
    for person, records in looked.people.items():
        refused: dict[str, list[Record]] = {}
        altered: dict[str, list[Record]] = {}
        for record in records:
            key = record.key if record.is_search else None
            if key is None:
                continue
            if record.refusal_code in OF_REASONS:
                refused.setdefault(key, []).append(record)
            elif record.outcome == "done":
                before = [
                    r for r in refused.pop(key, ()) if record.occurred_at - r.occurred_at <= within
                ]
                if (
                    looked.is_inside(record.occurred_at)
                    and len(before) >= limits.altered_words_refusals
                    and _reason(record) != _reason(before[-1])
                ):
                    altered.setdefault(key, []).extend([*before, record])
        for key, group in altered.items():
            yield _finding(looked, person, key, group)


def _finding(looked: Looked, person: str, key: str, group: list[Record]) -> Finding:
    refusals = [r for r in group if r.outcome != "done"]
    codes = ", ".join(sorted({r.refusal_code or "" for r in refusals}))
    return ALTERED_WORDS.finding(
        looked, person, key, group,
        f"The reasons given for {group[-1].plate} were refused {len(refusals)} times ({codes}) "
        "and accepted with other words shortly after.",
        words=group[-1].suspicion,
    )  # fmt: skip


def _reason(record: Record) -> tuple[str, str, str]:
    return record.purpose or "", record.case_number or "", record.suspicion or ""


ALTERED_WORDS = Rule(
    name="altered_words",
    title="Refused until the words fitted",
    looks_for="Several refusals of the reason for one plate, then an answer to other words.",
    clause="131.7-3b",
    find=_find,
    limits=("altered_words_refusals", "altered_words_minutes"),
)
