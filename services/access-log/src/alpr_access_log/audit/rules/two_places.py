"""One person in two places at once: somebody else may use their name (131.7-3c)."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

from alpr_access_log.audit.finding import Finding, Rule, needs
from alpr_access_log.audit.records import Looked, Record, Session


def _two_places(looked: Looked) -> Iterator[Finding]:
    limits = looked.limits
    within = timedelta(minutes=limits.concurrency_minutes)
    for person, records in looked.people.items():
        inside = [r for r in looked.inside(records) if r.address]
        by_day: dict[date, list[tuple[Record, ...]]] = {}
        for turn in _turns(inside, within):
            by_day.setdefault(turn[1].occurred_at.astimezone(looked.zone).date(), []).append(turn)
        for day, turns in by_day.items():
            involved = {record.record_id: record for turn in turns for record in turn}
            sessions = len({r.session_id for r in involved.values()})
            # Within one session a car's network may only have changed to and fro.
            least = limits.concurrency_turns * (1 if sessions > 1 else 2)
            if len(turns) < least:
                continue
            places = sorted({r.address for r in involved.values() if r.address})
            yield TWO_PLACES.finding(
                looked, person, day.isoformat(), tuple(involved.values()),
                f"On {day} the addresses {', '.join(places)} took turns {len(turns)} times "
                f"within {limits.concurrency_minutes} minutes each, in {sessions} "
                f"session{'s' if sessions != 1 else ''}.",
                is_weaker=sessions == 1,
            )  # fmt: skip


def _turns(records: Sequence[Record], within: timedelta) -> Iterator[tuple[Record, ...]]:
    """There, here, and there again: the last record before, those between, the first after."""
    stays = [list(stay) for _, stay in groupby(records, key=lambda r: r.address)]
    for before, here, after in zip(stays, stays[1:], stays[2:], strict=False):
        if (
            before[-1].address == after[0].address
            and after[0].occurred_at - before[-1].occurred_at <= within
        ):
            yield (before[-1], *here, after[0])


def _overlapping(looked: Looked) -> Iterator[Finding]:
    least = timedelta(minutes=looked.limits.overlapping_sessions_minutes)
    by_person: dict[str, list[Session]] = {}
    for session in looked.sessions or ():
        by_person.setdefault(session.person_id, []).append(session)
    for person, sessions in by_person.items():
        ordered = sorted(sessions, key=lambda s: (s.created_at, s.session_id))
        for pair in _pairs(ordered, least):
            early, late = pair
            until = min(early.refreshed_at, late.refreshed_at)
            if not looked.is_inside(late.created_at):
                continue
            rests_on = [
                r for r in looked.people.get(person, ())
                if r.session_id in (early.session_id, late.session_id)
                and late.created_at <= r.occurred_at <= until
            ]  # fmt: skip
            if len({r.session_id for r in rests_on}) < 2:
                continue  # one of them lay open and nobody used it
            minutes = int((until - late.created_at).total_seconds() // 60)
            yield OVERLAPPING_SESSIONS.finding(
                looked, person, f"{early.session_id} {late.session_id}", rests_on,
                f"Two sessions, from {_of(early)} and from {_of(late)}, were both kept up and "
                f"used for {minutes} minutes.",
                is_weaker=True,
            )  # fmt: skip


def _of(session: Session) -> str:
    return session.last_address or session.address or "an unknown address"


def _pairs(ordered: Sequence[Session], least: timedelta) -> Iterator[tuple[Session, Session]]:
    for n, early in enumerate(ordered):
        for late in ordered[n + 1 :]:
            if late.created_at > early.refreshed_at:
                break
            until = min(early.refreshed_at, late.refreshed_at)
            apart = {early.address, early.last_address}.isdisjoint(
                {late.address, late.last_address}
            )
            if apart and until - late.created_at >= least:
                yield early, late


TWO_PLACES = Rule(
    name="two_places",
    title="Two places at once",
    looks_for="Two addresses that take turns within minutes under one person's name; within one "
    "session twice as often (a weaker sign: a car's network may change to and fro).",
    clause="131.7-3c",
    find=_two_places,
    limits=("concurrency_minutes", "concurrency_turns"),
)
OVERLAPPING_SESSIONS = Rule(
    name="overlapping_sessions",
    title="Overlapping sessions",
    looks_for="Two sessions of one person from different addresses, kept up and used side by side. "
    "A weaker sign: a desk and a car can both be signed in.",
    clause="131.7-3c",
    find=_overlapping,
    limits=("overlapping_sessions_minutes",),
    why_not=needs(
        lambda looked: looked.sessions,
        "Sessions are not known here: identity did not answer, or was not asked.",
    ),
)
