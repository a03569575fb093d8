"""Importing a list: read, stage, compare, ask, apply. All of a file's good lines, or none of them.

One transaction holds it all: whatever ends it early leaves the list as it was. Nobody waits for it
but who changes the same entries by hand, while its last statements run.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import structlog

from alpr_common import outbox
from alpr_common.auth import Principal
from alpr_common.errors import AlprError, NotFound
from alpr_common.messages.audit import AuditRecord
from alpr_common.postgres import Connection
from alpr_common.topics import AUDIT
from alpr_matcher import import_records_store as records_store
from alpr_matcher import imports_store, lists_store
from alpr_matcher.audited import audit_record
from alpr_matcher.handlers import HotLists
from alpr_matcher.import_records_store import ImportRecord
from alpr_matcher.imports_store import Compared
from alpr_matcher.list_file import BadLine, ListReader
from alpr_matcher.lists import WantedList, add_list, checked_source
from alpr_matcher.lists_domain import HotList, ImportRunning, ListExists, refuse_removals
from alpr_matcher.mapper import Mapper, load_mapper

log = structlog.get_logger()

_LINES_AT_ONCE = 10_000
_PROGRESS_SECONDS = 1.0
_BAD_LINES_NAMED = 10_000
_SAMPLE_ENTRIES = 20
_RECORDS_SHOWN = 200
_ILLINOIS = (
    "The policy keeps these records out (import_dropped_categories, the Illinois profile); none "
    "of them was stored."
)


@dataclass(frozen=True)
class WantedImport:
    """What is to be imported, and how; None takes what the list says."""

    source: str
    file_name: str
    mode: str | None = None
    mapper_name: str | None = None
    mapper: Mapper | None = None
    dry_run: bool = False
    confirm_removals: bool = False
    import_id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True)
class Importing:
    """What every import stands on beside the lists."""

    lists: HotLists
    max_lines: int
    mappers_folder: Path | None = None


async def import_file(
    importing: Importing, person: Principal, wanted: WantedImport, file: BinaryIO, now: datetime
) -> dict[str, Any]:
    """Take a file's good lines into the agency's list of that source; answers the report.

    A line that says what the list says already makes no new version; an entry that was retracted
    and is listed again comes back. A `delta` leaves alone what the file does not name, a `refresh`
    retracts it. A dry run changes nothing. The list is begun when the agency has none.

    Raises `SourceNotAllowed`, `MapperInvalid`, `FileNotReadable`, `FileTooLarge`, `ImportRunning`,
    `RemovalsNotConfirmed`.
    """
    on = await _list_for(importing.lists, person, wanted.source, now)
    mapper_name = wanted.mapper_name or ("as sent" if wanted.mapper else on.mapper)
    mapper = wanted.mapper or load_mapper(mapper_name, importing.mappers_folder)
    record = ImportRecord(
        wanted.import_id, person.agency_id, on.source, wanted.file_name[:200], mapper_name,
        wanted.mode or on.import_mode, wanted.dry_run, person.person_id, person.name, now,
    )  # fmt: skip
    reader = ListReader(
        file, mapper, importing.lists.policy, person.agency_id, on.source, importing.max_lines
    )
    async with _recorded(importing.lists, record, reader) as (connection, progress):
        if not await lists_store.lock_import(connection, on.list_id):
            raise ImportRunning(f"Somebody is changing {on.source!r} now; try again afterwards.")
        # Whom it serves, as of now that nobody makes its entries serve others: who accepted it
        # before this moment would otherwise be missed, who accepts later is served behind it.
        on = await lists_store.list_of(connection, on.list_id) or on
        await _stage(connection, reader, progress)
        report = await _compare_and_apply(
            importing.lists, connection, person, wanted, record, on, reader, now
        )
        progress.report = report
    log.info(
        "hotlist.imported", source=on.source, agency_id=on.agency_id, dry_run=wanted.dry_run,
        **{name: report[name] for name in ("added", "changed", "removed", "rejected_count")},
    )  # fmt: skip
    return report


async def import_records(
    lists: HotLists, person: Principal, import_id: UUID | None, now: datetime
) -> list[dict[str, Any]]:
    """The agency's imports, newest first; one whose process died is shown, and kept, as failed.

    Raises `NotFound` for an id that is none of the agency's.
    """
    async with lists.database.transaction(person.agency_id) as connection:
        found = await records_store.records(connection, import_id, _RECORDS_SHOWN)
        dead = [
            one["import_id"]
            for one in found
            if one["ended_at"] is None and await records_store.is_dead(connection, one["import_id"])
        ]
        for one in dead:
            said = {"detail": "The import was interrupted; the list is as it was."}
            await records_store.end_record(connection, one, "failed", 0, said, now)
        if dead:  # one that ended in between is on record as it ended
            found = await records_store.records(connection, import_id, _RECORDS_SHOWN)
    if import_id is not None and not found:
        raise NotFound(f"Your agency has no import {import_id}.")
    return found


async def _list_for(lists: HotLists, person: Principal, source: str, now: datetime) -> HotList:
    """The agency's list of that source, begun where there is none."""
    checked_source(source)
    for _ in range(2):
        async with lists.database.transaction(person.agency_id) as connection:
            found = await lists_store.list_of_source(connection, person.agency_id, source)
        if found is not None:
            return found
        try:
            return await add_list(lists, person, WantedList(source, source), now)
        except ListExists:  # somebody else began it in between
            continue
    raise ImportRunning(f"The list {source!r} is being changed; try again.")


@dataclass
class _Progress:
    lists: HotLists
    record: ImportRecord
    told_at: float = 0.0
    report: dict[str, Any] | None = None

    async def tell(self, state: str, lines: int) -> None:
        if time.monotonic() - self.told_at < _PROGRESS_SECONDS and state == "reading":
            return
        self.told_at = time.monotonic()
        async with self.lists.database.transaction(self.record.agency_id) as connection:
            await records_store.note_progress(connection, self.record.import_id, state, lines)


@asynccontextmanager
async def _recorded(
    lists: HotLists, record: ImportRecord, reader: ListReader
) -> AsyncIterator[tuple[Connection, _Progress]]:
    """The import's transaction. That it was done is on record by it, and so exactly if it was; how
    it began, or failed, is kept in others beside it."""
    progress = _Progress(lists, record)
    database = lists.database
    begun = False
    try:
        async with database.transaction(record.agency_id) as connection:
            await records_store.hold_record(connection, record.import_id)
            async with database.transaction(record.agency_id) as beside:
                begun = await records_store.begin_record(beside, record)
            if not begun:
                raise ImportRunning(f"There is an import {record.import_id} already.")
            yield connection, progress
            await records_store.end_record(
                connection, record.import_id, "done", reader.lines_read, progress.report or {},
                datetime.now(UTC),
            )  # fmt: skip
    except BaseException as error:
        if begun:
            said: dict[str, Any] = {"detail": "The import failed.", "list": "unchanged"}
            if isinstance(error, AlprError):
                said |= {"title": error.title, "detail": error.detail, "clause": error.clause}
                said |= error.extra
            state = "refused" if isinstance(error, AlprError) else "failed"
            async with database.transaction(record.agency_id) as beside:
                await records_store.end_record(
                    beside, record.import_id, state, reader.lines_read, said, datetime.now(UTC)
                )
        raise


async def _stage(connection: Connection, reader: ListReader, progress: _Progress) -> None:
    """Copy the file's good lines into the staging table, the next lines being read meanwhile."""
    await imports_store.begin_staging(connection)
    entries = reader.entries()

    def some() -> list[Any]:
        return list(islice(entries, _LINES_AT_ONCE))

    following = asyncio.create_task(asyncio.to_thread(some))
    try:
        while batch := await following:
            following = asyncio.create_task(asyncio.to_thread(some))
            await imports_store.stage(connection, batch)
            await progress.tell("reading", reader.lines_read)
    finally:
        # The thread cannot be stopped: the file must not be closed under it.
        await asyncio.gather(following, return_exceptions=True)
    reader.bad_lines += await imports_store.end_staging(connection)
    await progress.tell("applying", reader.lines_read)


async def _compare_and_apply(
    lists: HotLists,
    connection: Connection,
    person: Principal,
    wanted: WantedImport,
    record: ImportRecord,
    on: HotList,
    reader: ListReader,
    now: datetime,
) -> dict[str, Any]:
    refresh = record.import_mode == "refresh"
    compared, unknown = await imports_store.compare(connection, on, refresh, now, _BAD_LINES_NAMED)
    reader.bad_lines += unknown
    report = _report(record, on, reader, compared)
    if wanted.dry_run:
        report["sample"] = await imports_store.samples(connection, _SAMPLE_ENTRIES)
        return report
    if refresh:
        refuse_removals(
            compared.removed_live, compared.live_before, lists.policy, wanted.confirm_removals
        )
    await imports_store.apply(connection, on, record, now, lists.retro_matches, compared)
    audited = _audited(person, report, now)
    await outbox.put(connection, AUDIT, audited.agency_id, audited.to_bytes())
    return report


def _report(
    record: ImportRecord, on: HotList, reader: ListReader, compared: Compared
) -> dict[str, Any]:
    bad = sorted(reader.bad_lines, key=lambda one: one.line)
    return {
        "import_id": str(record.import_id),
        "list_id": str(on.list_id),
        "source": on.source,
        "file_name": record.file_name,
        "mapper": record.mapper,
        "mode": record.import_mode,
        "dry_run": record.dry_run,
        "lines_read": reader.lines_read,
        "added": compared.added,
        "changed": compared.changed,
        "unchanged": compared.unchanged,
        "removed": compared.removed,
        "rejected": [_named(one) for one in bad[:_BAD_LINES_NAMED]],
        "rejected_count": len(bad),
        "dropped": [
            {"category": category, "count": count, "why": _ILLINOIS, "clause": "policy file"}
            for category, count in sorted(reader.dropped.items())
        ],
    }


def _named(bad: BadLine) -> dict[str, Any]:
    return {"line": bad.line, "what": bad.what}


def _audited(person: Principal, report: dict[str, Any], now: datetime) -> AuditRecord:
    told = ("added", "changed", "removed", "rejected_count", "mode", "mapper", "file_name")
    return audit_record(
        person,
        UUID(report["import_id"]),
        "hotlist.imported",
        f"hotlist/{report['source']}",
        now,
        details={name: str(report[name]) for name in told}
        | {f"dropped {one['category']}": str(one["count"]) for one in report["dropped"]},
    )
