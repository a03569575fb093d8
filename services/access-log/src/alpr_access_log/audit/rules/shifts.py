"""Searches off shift: by the agency's list of shifts or, weaker, by a person's own habits."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from alpr_access_log.audit.finding import Finding, Rule, moments, needs
from alpr_access_log.audit.records import Looked, Record, Shift

_HOURS = 24
_AN_HOUR, _SOME_HOURS = timedelta(hours=1), timedelta(hours=2)
_A_WATCH, _HALF_A_DAY = timedelta(hours=7), timedelta(hours=12)


def _off_shift(looked: Looked) -> Iterator[Finding]:
    for person, searches in looked.searches.items():
        shifts = (looked.lists.shifts or {}).get(person)
        if not shifts:
            continue
        off = [
            s
            for s in looked.inside(searches)
            if _is_listed(s, looked) and not _is_on(s, shifts, looked.limits.shift_grace_minutes)
        ]
        if len(off) >= looked.limits.off_shift_searches:
            yield OFF_SHIFT.finding(
                looked, person, "shifts", off,
                f"{moments(off)} outside of the shifts that the agency's list has for this person.",
            )  # fmt: skip


def _is_listed(search: Record, looked: Looked) -> bool:
    """Whether the list has anything to say about that moment."""
    lists = looked.lists
    begin, end = lists.shifts_from, lists.shifts_to
    return (begin is None or search.occurred_at >= begin) and (
        end is None or search.occurred_at < end
    )


def _is_on(search: Record, shifts: Sequence[Shift], grace_minutes: int) -> bool:
    grace, at = timedelta(minutes=grace_minutes), search.occurred_at
    # Shifts are in order and do not contain each other, so that two neighbours are enough.
    n = bisect_right(shifts, at, key=lambda shift: shift[0] - grace)
    return any(begin - grace <= at < end + grace for begin, end in shifts[max(0, n - 2) : n])


def _unusual_hour(looked: Looked) -> Iterator[Finding]:
    limits = looked.limits
    listed = looked.lists.shifts or {}
    for person, records in looked.people.items():
        if person in listed:
            continue
        days = _days_by_hour(records, looked)
        active = set().union(*days)
        if len(active) < limits.usual_hours_active_days:
            continue
        most = max(1.0, limits.usual_hours_share * len(active))
        near = _near(days)
        unusual, on_days = [], 0
        for position, search in enumerate(records):
            if not search.is_answered_search or not looked.is_inside(search.occurred_at):
                continue
            local = search.occurred_at.astimezone(looked.zone)
            if len(near[local.hour]) <= most and (
                not _goes_on(near[local.hour], local.date())
                or _worked_before(records[:position], search, near, most, looked)
            ):
                unusual.append(search)
                on_days = max(on_days, len(near[local.hour]))
        if len(unusual) >= limits.usual_hours_searches:
            hours = sorted({s.occurred_at.astimezone(looked.zone).hour for s in unusual})
            yield UNUSUAL_HOUR.finding(
                looked, person, "hours", unusual,
                f"{moments(unusual)} at {', '.join(f'{h:02d}h' for h in hours)} "
                f"({limits.time_zone}), hours in which this person was active on at most {on_days} "
                f"of {len(active)} active days.",
                is_weaker=True,
            )  # fmt: skip


def _near(days: Sequence[set[date]]) -> list[set[date]]:
    """Days by hour, an hour earlier or later being the same habit."""
    return [days[h - 1] | days[h] | days[(h + 1) % _HOURS] for h in range(_HOURS)]


def _goes_on(days: set[date], day: date) -> bool:
    """Whether it was so on the day before or after, too, as when the watch has changed."""
    return bool({day - timedelta(days=1), day + timedelta(days=1)} & days)


def _worked_before(
    before: Sequence[Record], search: Record, near: Sequence[set[date]], most: float,
    looked: Looked,
) -> bool:  # fmt: skip
    """Whether the person had been at work in usual hours just before: then the watch is the old."""
    for record in reversed(before):
        ago = search.occurred_at - record.occurred_at
        if ago > _HALF_A_DAY:
            return False
        if ago > _SOME_HOURS and len(near[record.occurred_at.astimezone(looked.zone).hour]) > most:
            return True
    return False


def _days_by_hour(records: Sequence[Record], looked: Looked) -> list[set[date]]:
    """The days on which a person was at work, by hour of the day: what lies between two records
    of theirs is work, too, unless it is long."""
    days: list[set[date]] = [set() for _ in range(_HOURS)]
    earliest = looked.since(looked.limits.baseline_days)
    last: datetime | None = None
    for record in records:
        if record.occurred_at < earliest:
            continue
        local = record.occurred_at.astimezone(looked.zone)
        at = local if last is None or local - last > _A_WATCH else last
        while at < local:
            days[at.hour].add(at.date())
            at += _AN_HOUR
        days[local.hour].add(local.date())
        last = local
    return days


OFF_SHIFT = Rule(
    name="off_shift",
    title="Off shift",
    looks_for="Searches outside of the person's shifts in the agency's list.",
    clause="131.6-3c",
    find=_off_shift,
    limits=("shift_grace_minutes", "off_shift_searches"),
    why_not=needs(
        lambda looked: looked.lists.shifts or None,
        "The agency has given no list of shifts; habits are compared instead.",
    ),
)
UNUSUAL_HOUR = Rule(
    name="unusual_hour",
    title="At an unusual hour",
    looks_for="Searches by somebody who is on no list of shifts, in hours in which they hardly "
    "ever work: on a day by itself, or after work in usual hours. A weaker sign: overtime and a "
    "changed watch look alike.",
    clause="131.6-3c",
    find=_unusual_hour,
    limits=(
        "usual_hours_share", "usual_hours_active_days", "usual_hours_searches", "baseline_days",
        "time_zone",
    ),
)  # fmt: skip
