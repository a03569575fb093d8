"""The same plate again and again by one person (131.6-3b, -3c, -3e)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from alpr_access_log.audit.finding import Finding, Rule, moments
from alpr_access_log.audit.records import Looked, Record, by_plate

_LIMITS = ("repeated_plate_searches", "repeated_plate_days", "repeated_plate_separate_days")


def _find(looked: Looked) -> Iterator[Finding]:
    earliest = looked.since(looked.limits.repeated_plate_days)
    for person, searches in looked.searches.items():
        recent = [s for s in searches if s.occurred_at >= earliest and not s.is_approved]
        for plate, group in by_plate(recent).items():
            repeated = _repeated(group, looked)
            if not repeated:
                continue
            cases = sorted({s.case_number for s in repeated if s.case_number})
            spelt = sorted({s.plate for s in repeated if s.plate})
            yield REPEATED_PLATE.finding(
                looked, person, plate, repeated,
                f"{moments(repeated)} for {', '.join(spelt)}, which may all mean one plate, "
                f"under {len(cases)} case number{'s' if len(cases) != 1 else ''} "
                f"({', '.join(cases[:5])}).",
            )  # fmt: skip


def _repeated(group: Sequence[Record], looked: Looked) -> list[Record]:
    """Those searches that lie, with enough others, within the window that ends with one of them."""
    limits = looked.limits
    window = timedelta(days=limits.repeated_plate_days)
    first = 0
    kept: set[int] = set()
    for last, search in enumerate(group):
        while group[first].occurred_at <= search.occurred_at - window:
            first += 1
        if not looked.is_inside(search.occurred_at):
            continue
        within = range(first, last + 1)
        days = {group[n].occurred_at.astimezone(looked.zone).date() for n in within}
        if (
            len(within) >= limits.repeated_plate_searches
            and len(days) >= limits.repeated_plate_separate_days
        ):
            kept.update(within)
    return [group[n] for n in sorted(kept)]


REPEATED_PLATE = Rule(
    name="repeated_plate",
    title="One plate again and again",
    looks_for="Searches by one person for one plate, its look-alikes and patterns over it, on "
    "several days. Searches that a supervisor approved are not counted.",
    clause="131.6-3b",
    find=_find,
    limits=_LIMITS,
)
