"""What the agency gives for its audit: shifts, cases, own and relatives' plates."""

from collections.abc import Sequence
from datetime import datetime

from alpr_access_log import store
from alpr_access_log.audit.figures import lists_of
from alpr_access_log.audit.given import GivenShift, ListMalformed
from alpr_access_log.audit.handlers.auditing import Audit, record_of
from alpr_access_log.audit.refusals import ListNotGiven
from alpr_access_log.audit.store import lists as given
from alpr_access_log.audit.store.lists import Note, OwnPlates
from alpr_access_log.audit.summary import GivenList
from alpr_common.auth import Principal
from alpr_common.postgres import Connection


async def show(
    audit: Audit, principal: Principal, now: datetime
) -> tuple[list[GivenList], list[OwnPlates]]:
    """Which lists there are; the look is recorded."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        shown, plates = await _lists(connection, audit, agency_id)
        await store.append(connection, record_of(principal, "audit.lists.viewed", "audit", now))
    return shown, plates


def check_period(from_at: datetime, to_at: datetime) -> None:
    """Raises `ListMalformed` for a period without any time in it."""
    if from_at >= to_at:
        raise ListMalformed("Say `from` and a later `to`.")


async def give_shifts(
    audit: Audit, principal: Principal, from_at: datetime, to_at: datetime,
    shifts: Sequence[GivenShift], now: datetime,
) -> list[GivenList]:  # fmt: skip
    """Replace the list of shifts. Raises `ListMalformed`."""
    check_period(from_at, to_at)
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        await given.replace_shifts(connection, agency_id, shifts)
        note = _note("shifts", from_at, to_at, len(shifts), principal, now)
        return await _noted(connection, audit, principal, note, "audit.shifts.given", now)


async def give_cases(
    audit: Audit, principal: Principal, to_at: datetime, keys: Sequence[str], now: datetime
) -> list[GivenList]:
    """Replace the list of cases; what is searched for after `to_at` is not held against it."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        await given.replace_cases(connection, agency_id, keys)
        note = _note("cases", None, to_at, len(keys), principal, now)
        return await _noted(connection, audit, principal, note, "audit.cases.given", now)


async def give_plates(
    audit: Audit, principal: Principal, person_id: str, match_keys: Sequence[str], now: datetime
) -> list[GivenList]:
    """Replace a person's own and relatives' plates; from here on nobody can read them back."""
    agency_id, key = principal.agency_id, audit.plate_key
    macs = [key.mac(agency_id, person_id, one) for one in match_keys]
    async with store.recording(audit.database, agency_id) as connection:
        total = await given.replace_plates(connection, agency_id, person_id, macs, key.key_id)
        note = _note("plates", None, now, total, principal, now)
        return await _noted(
            connection, audit, principal, note, "audit.own_plates.given", now, person_id
        )


async def check(audit: Audit, principal: Principal, kind: str, entries: int, now: datetime) -> None:
    """Record that somebody had a list read that they may give later; nothing of it is kept."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        subject = f"audit-list:{kind}"
        record = record_of(principal, "audit.list.checked", subject, now, entries=entries)
        await store.append(connection, record)


async def withdraw(
    audit: Audit, principal: Principal, kind: str, now: datetime
) -> tuple[list[GivenList], list[OwnPlates]]:
    """Take the list of shifts or cases back, as if it had never been given: the rules that need it
    are not applied. Raises `ListNotGiven`."""
    agency_id = principal.agency_id
    async with store.recording(audit.database, agency_id) as connection:
        if not await given.drop_note(connection, agency_id, kind):
            raise ListNotGiven("Look at the lists that there are.")
        if kind == "shifts":
            await given.replace_shifts(connection, agency_id, ())
        else:
            await given.replace_cases(connection, agency_id, ())
        record = record_of(principal, f"audit.{kind}.withdrawn", f"audit-list:{kind}", now)
        await store.append(connection, record)
        return await _lists(connection, audit, agency_id)


async def withdraw_plates(
    audit: Audit, principal: Principal, person_id: str, now: datetime
) -> tuple[list[GivenList], list[OwnPlates]]:
    """Take a person's own and relatives' plates off the list. Raises `ListNotGiven`."""
    agency_id, key_id = principal.agency_id, audit.plate_key.key_id
    async with store.recording(audit.database, agency_id) as connection:
        counts = await given.plate_counts(connection, agency_id, key_id)
        if person_id not in {one.person_id for one in counts}:
            raise ListNotGiven("There are no plates of that person.")
        total = await given.replace_plates(connection, agency_id, person_id, (), key_id)
        if total:
            await given.note(
                connection, agency_id, _note("plates", None, now, total, principal, now)
            )
        else:
            await given.drop_note(connection, agency_id, "plates")
        subject = f"person:{person_id}"
        record = record_of(principal, "audit.own_plates.withdrawn", subject, now, entries=total)
        await store.append(connection, record)
        return await _lists(connection, audit, agency_id)


def _note(
    kind: str, from_at: datetime | None, to_at: datetime, entries: int, principal: Principal,
    now: datetime,
) -> Note:  # fmt: skip
    return Note(kind, from_at, to_at, entries, now, principal.person_id, principal.name)


async def _noted(
    connection: Connection, audit: Audit, principal: Principal, note: Note, action: str,
    now: datetime, person_id: str | None = None,
) -> list[GivenList]:  # fmt: skip
    """Note the list as a whole and record who gave it: how many entries, never which."""
    await given.note(connection, principal.agency_id, note)
    subject = f"person:{person_id}" if person_id else f"audit-list:{note.kind}"
    record = record_of(principal, action, subject, now, entries=note.entries)
    await store.append(connection, record)
    return (await _lists(connection, audit, principal.agency_id))[0]


async def _lists(
    connection: Connection, audit: Audit, agency_id: str
) -> tuple[list[GivenList], list[OwnPlates]]:
    notes = await given.notes(connection, agency_id)
    plates = await given.plate_counts(connection, agency_id, audit.plate_key.key_id)
    return lists_of(notes, plates), plates
