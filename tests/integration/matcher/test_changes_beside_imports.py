"""Imports and changes by hand at the same time: nobody waits, and the newest state is told last."""

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from alpr_common.auth import Principal
from alpr_common.kafka import Publisher
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import HOTLIST, HOTLIST_PATTERNS
from alpr_common.web import problem_of
from alpr_local.stack import Stack
from alpr_matcher import handlers, lists
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.imports import Importing, WantedImport, import_file
from alpr_matcher.lists_domain import EntryInImport, ListKind
from alpr_matcher.store import Page
from alpr_matcher.telling import TopicRelay
from tests.integration.matcher.line import AGENCY, OTHER_AGENCY, Topic, plate_of, until, waiting

pytestmark = pytest.mark.integration

HEADER = "plate,category,reason\n"
OFFICER = Principal("p-1", "Pat Officer", AGENCY, Role.OFFICER, "s-1", None, None)
KEEPER = Principal("p-2", "Sam Keeper", AGENCY, Role.SUPERVISOR, "s-2", None, None)
PATIENCE_SECONDS = 20
"""Far below the 30 s after which a statement is given up, and far above what these take."""


@pytest.fixture
async def administrator(fresh_stack: Stack) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    await connection.execute("SET search_path = matcher")
    yield connection
    await connection.close()


@asynccontextmanager
async def relaying(stack: Stack, lists: HotLists) -> AsyncIterator[TopicRelay]:
    publisher = Publisher(stack.kafka_bootstrap_servers)
    try:
        yield TopicRelay(lists, publisher)
    finally:
        await publisher.stop()


def lines_of(numbers: Iterator[int] | range, reason: str = "Stolen") -> bytes:
    return (HEADER + "".join(f"{plate_of(n)},stolen_vehicle,{reason}\n" for n in numbers)).encode()


async def imported(lists: HotLists, file: Any, source: str, mode: str = "delta") -> dict[str, Any]:
    wanted = WantedImport(source=source, file_name="list.csv", mode=mode, confirm_removals=True)
    return await import_file(Importing(lists, 1_000_000), KEEPER, wanted, file, datetime.now(UTC))


async def by_hand(lists: HotLists, plate: str, list_id: UUID | None = None) -> UUID:
    now = datetime.now(UTC)
    wanted = WantedEntry(plate, "amber_alert", "Child taken", now + timedelta(days=1))
    wanted = WantedEntry(**{**wanted.__dict__, "list_id": list_id})
    return (await handlers.add_entry(lists, OFFICER, wanted, now)).entry.entry_id


async def retracted(lists: HotLists, entry_id: UUID) -> None:
    await handlers.retract_entry(lists, OFFICER, entry_id, "Found", datetime.now(UTC))


async def on_list(lists: HotLists, list_id: UUID) -> dict[str, UUID]:
    page = Page(None, None, "all", None, 1000, list_id)
    found = await handlers.entries(lists, OFFICER, page, datetime.now(UTC))
    return {one.entry.plate: one.entry.entry_id for one in found}


class Halting(io.BytesIO):
    """A file that stops half-way until it is let go on."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._half = len(content) // 2
        self.reached, self.go_on = threading.Event(), threading.Event()

    def readline(self, size: int | None = -1, /) -> bytes:
        if self.tell() > self._half and not self.go_on.is_set():
            self.reached.set()
            self.go_on.wait(60)
        return super().readline(size)


async def test_nobody_waits_for_an_import_that_is_being_read(hot_lists: HotLists) -> None:
    first = await imported(hot_lists, io.BytesIO(lines_of(range(100))), "read")
    list_id = UUID(first["list_id"])
    known = await on_list(hot_lists, list_id)
    file = Halting(lines_of(range(30_000), "Stolen and armed"))
    importing = asyncio.create_task(imported(hot_lists, file, "read", mode="refresh"))
    try:
        await until(lambda: asyncio.to_thread(file.reached.is_set), bool)
        began = time.monotonic()
        manual = await by_hand(hot_lists, "HAND777")
        await by_hand(hot_lists, "HAND778", list_id)
        await retracted(hot_lists, manual)
        await retracted(hot_lists, known[plate_of(7)])
        await lists.change_list(
            hot_lists, KEEPER, list_id, "A better name", datetime.now(UTC), name="Better"
        )
        assert time.monotonic() - began < PATIENCE_SECONDS
        assert not importing.done()
    finally:
        file.go_on.set()
    report = await importing
    assert (report["added"], report["changed"]) == (29_900, 100)
    # It was retracted before the file's comparison, and the file lists it: it is back.
    now = datetime.now(UTC)
    again = await handlers.entry(hot_lists, OFFICER, known[plate_of(7)])
    assert (again.retracted, again.entry.version) == (False, 3)
    versions = await handlers.history(hot_lists, OFFICER, known[plate_of(7)], None, 10)
    assert [(v["version"], v["change"]) for v in versions] == [
        (3, "changed"), (2, "retracted"), (1, "added"),
    ]  # fmt: skip
    assert [v["after"]["reason"] for v in versions] == ["Stolen and armed", "Stolen", "Stolen"]
    assert (versions[0]["before"]["retracted"], versions[0]["after"]["retracted"]) == (True, False)
    assert versions[2]["before"] is None
    assert versions[2]["after"]["plate"] == plate_of(7)
    page = Page(None, None, "live", None, 10, None)
    live = {one.entry.plate for one in await handlers.entries(hot_lists, OFFICER, page, now)}
    assert "HAND777" not in live


async def test_a_change_by_hand_during_the_last_statements_is_neither_lost_nor_kept_waiting(
    hot_lists: HotLists, administrator: Any
) -> None:
    first = await imported(hot_lists, io.BytesIO(lines_of(range(300))), "late")
    known = await on_list(hot_lists, UUID(first["list_id"]))
    held = known[plate_of(5)]
    somebody = administrator.transaction()
    await somebody.start()
    await administrator.execute(
        "UPDATE hotlist_entry SET version = 2, caution = 'By hand' WHERE entry_id = $1", held
    )
    await administrator.execute(
        "INSERT INTO hotlist_entry_version SELECT entry_id, 2, agency_id, 'changed', now(), 'p', "
        "'P', 'by hand', NULL, '{}' FROM hotlist_entry WHERE entry_id = $1", held
    )  # fmt: skip
    file = io.BytesIO(lines_of(range(300), "Stolen and armed"))
    importing = asyncio.create_task(imported(hot_lists, file, "late", mode="refresh"))
    # The import waits for the row that somebody else is changing, and holds others by then.
    in_import = await until(lambda: held_by_the_import(hot_lists, known, held), bool)
    began = time.monotonic()
    with pytest.raises(EntryInImport, match="nothing of your change was kept") as told:
        await retracted(hot_lists, in_import[0])
    answer = problem_of(told.value)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "30")
    await by_hand(hot_lists, "MEAN777")
    assert time.monotonic() - began < PATIENCE_SECONDS
    await somebody.commit()
    report = await importing
    assert report["changed"] == 300
    entry = (await handlers.entry(hot_lists, OFFICER, held)).entry
    assert (entry.version, entry.reason) == (3, "Stolen and armed")
    newest, *_ = await handlers.history(hot_lists, OFFICER, held, None, 10)
    assert (newest["version"], newest["before"]["caution"]) == (3, "By hand")
    await retracted(hot_lists, in_import[0])


async def held_by_the_import(lists: HotLists, known: dict[str, UUID], but: UUID) -> list[UUID]:
    found = []
    for entry_id in list(known.values()):
        if entry_id == but:
            continue
        with suppress(StopAsyncIteration):
            async with lists.database.transaction(AGENCY) as connection:
                free = await connection.fetchval(
                    "SELECT count(*) FROM (SELECT FROM hotlist_entry WHERE entry_id = $1 "
                    "FOR UPDATE SKIP LOCKED) free",
                    entry_id,
                )
                if not free:
                    found.append(entry_id)
                    break
    return found


async def test_changes_by_hand_overtake_an_import_and_a_keys_last_message_is_its_newest_state(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    async with relaying(fresh_stack, hot_lists) as relay:
        while await relay.tell_some(datetime.now(UTC)):
            pass
    await imported(hot_lists, io.BytesIO(lines_of(range(50_000, 56_000))), "bulk")
    shared = plate_of(55_999)  # queued last by the import, and entered by hand too
    async with relaying(fresh_stack, hot_lists) as relay, Topic(fresh_stack, HOTLIST.name) as topic:
        assert await relay.tell_some(datetime.now(UTC))
        manual, withdrawn = await by_hand(hot_lists, shared), await by_hand(hot_lists, "AMBER77")
        await retracted(hot_lists, withdrawn)
        before = len((await topic.look()).messages)
        assert await relay.tell_some(datetime.now(UTC))
        new = (await topic.look()).messages[before:]
        assert {key for key, *_ in new} == {
            match_key(shared).encode(), match_key("AMBER77").encode(),
        }, "the next portion is theirs, whatever waits"  # fmt: skip
        assert await waiting(hot_lists) > 3_000
        while await relay.tell_some(datetime.now(UTC)):
            pass
        await topic.look()
        entries = topic.records[match_key(shared)].entries
        assert {e.source for e in entries} == {"bulk", "manual"}
        assert manual in {e.entry_id for e in entries}
        assert match_key("AMBER77") not in topic.records
        bulk = {k for k, r in topic.records.items() if any(e.source == "bulk" for e in r.entries)}
        assert len(bulk) == len({match_key(plate_of(n)) for n in range(50_000, 56_000)})
    assert await waiting(hot_lists) == 0


async def test_a_pattern_that_becomes_a_plate_by_an_import_is_taken_back(
    fresh_stack: Stack, hot_lists: HotLists
) -> None:
    mapper_lines = "plate,category,reason,record_id\n"
    from alpr_matcher.mapper import Mapper

    mapper = Mapper.parse(
        'format = "delimited"\n[fields]\nP = "plate"\nC = "category"\nR = "reason"\n'
        'N = "record_id"\n[values]\nplate = "{P}"\ncategory = "{C}"\nreason = "{R}"\n'
        'record_id = "{N}"\n'
    )
    now = datetime.now(UTC)

    async def one(plate: str) -> None:
        wanted = WantedImport(source="amber", file_name="a.csv", mapper=mapper)
        file = io.BytesIO(f"{mapper_lines}{plate},amber_alert,Taken,N1\n".encode())
        await import_file(Importing(hot_lists, 100), KEEPER, wanted, file, now)

    async with relaying(fresh_stack, hot_lists) as relay:
        for plate in ("TW?7*", "TW77777"):
            await one(plate)
            while await relay.tell_some(datetime.now(UTC)):
                pass
    async with (
        Topic(fresh_stack, HOTLIST_PATTERNS.name) as patterns,
        Topic(fresh_stack, HOTLIST.name) as plain,
    ):
        told = [value for _, value, _ in (await patterns.look()).messages]
        assert [value is None for value in told[-2:]] == [False, True]
        assert match_key("TW77777") in (await plain.look()).records


@pytest.mark.policy("131.3-hit")
async def test_a_subscriber_is_served_although_it_accepts_while_the_list_is_being_imported(
    hot_lists: HotLists,
) -> None:
    from alpr_matcher import subscriptions

    wanted = lists.WantedList(
        "county", "County", ListKind.NEIGHBOUR, subscribed_agency_ids=(OTHER_AGENCY,)
    )
    made = await lists.add_list(hot_lists, KEEPER, wanted, datetime.now(UTC))
    file = Halting(lines_of(range(80_000, 82_000)))
    importing = asyncio.create_task(imported(hot_lists, file, "county"))
    try:
        await until(lambda: asyncio.to_thread(file.reached.is_set), bool)
        chief = Principal("p-3", "Chris Chief", OTHER_AGENCY, Role.ADMINISTRATOR, "s", None, None)
        await subscriptions.answer(
            hot_lists, chief, made.list_id, accept=True, reason="Agreed", now=datetime.now(UTC)
        )
        assert await subscriptions.serve_lists(hot_lists) == 0, "it is being imported"
    finally:
        file.go_on.set()
    await importing
    assert await subscriptions.serve_lists(hot_lists) == 1
    assert await subscriptions.serve_lists(hot_lists) == 0
    page = Page(None, None, "live", None, 1000, made.list_id)
    found = await handlers.entries(hot_lists, chief, page, datetime.now(UTC))
    assert len(found) == 1000
    assert {one.entry.serves_agency_ids for one in found} == {(AGENCY, OTHER_AGENCY)}
