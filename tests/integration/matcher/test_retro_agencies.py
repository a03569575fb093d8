"""An agency whose reads cannot be asked keeps nobody else's entries from being compared."""

import io
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from alpr_common.auth import Principal
from alpr_common.errors import Outage
from alpr_common.messages.read import Read
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_local.stack import Stack
from alpr_matcher import handlers, retro, retro_store, store
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.imports import Importing, WantedImport, import_file
from alpr_matcher.lists import WantedList, add_list
from alpr_matcher.lists_domain import ListKind
from alpr_matcher.retro import RetroMatch
from alpr_matcher.retro_reads import Account, Accounts, StoredReads
from alpr_matcher.subscriptions import answer, serve_lists
from tests.integration.matcher.line import AGENCY, OTHER_AGENCY, read_of

pytestmark = pytest.mark.integration

THIRD_AGENCY = "IL9999900"  # behind the others, where it matters whose turn it is


class Doors(StoredReads):
    """Stored reads of some agencies, of whom the accounts of some may be refused."""

    def __init__(self, read: Read) -> None:
        account = Account(username="retro", password="any")
        all_of_them = Accounts(dict.fromkeys((AGENCY, OTHER_AGENCY, THIRD_AGENCY), account))
        super().__init__(all_of_them, "http://127.0.0.1:1", "http://127.0.0.1:1")
        self.read, self.away, self.asked = read, set[str](), list[str]()
        self.on_failure: Callable[[], None] = lambda: None

    async def of(
        self, agency_id: str, keys: Sequence[str], patterns: Sequence[str], since: datetime,
        until: datetime,
    ) -> AsyncIterator[Read]:  # fmt: skip
        self.asked.append(agency_id)
        if agency_id in self.away:
            self.on_failure()
            raise Outage("the account is locked")
        yield self.read.model_copy(update={"agency_id": agency_id})


@dataclass
class Clock:
    """What retro-match takes for the time."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def keeper(agency_id: str, role: Role = Role.SUPERVISOR) -> Principal:
    return Principal("p-1", "Sam Keeper", agency_id, role, "s-1", None, None)


@pytest.fixture
async def hot_lists(fresh_stack: Stack) -> AsyncIterator[HotLists]:
    await migrate(fresh_stack.postgres_dsn("alpr_matcher_owner"), "alpr_matcher")
    admin = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    await admin.execute("TRUNCATE matcher.retro_wait, matcher.outbox")
    await admin.close()
    database = await Database.connect(fresh_stack.postgres_dsn("alpr_matcher"))
    yield HotLists(database, Policy(), timedelta(days=1), retro_matches=True)
    await database.close()


async def entered(
    lists: HotLists, agency_id: str, plate: str, now: datetime, list_id: UUID | None = None
) -> None:
    wanted = WantedEntry(
        plate, "stolen_vehicle", "Stolen", now + timedelta(days=2), list_id=list_id
    )
    await handlers.add_entry(lists, keeper(agency_id), wanted, now)


async def queued(lists: HotLists) -> int:
    async with lists.database.transaction() as connection:
        return int(
            await connection.fetchval("SELECT count(*) FROM outbox WHERE topic = 'alpr.hits.v1'")
        )


async def waiting(lists: HotLists) -> int:
    async with lists.database.transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM retro_wait"))


async def all_in_turn(matching: RetroMatch) -> None:
    while await matching.compare_some():
        pass


async def test_entries_of_others_are_compared_while_one_agency_cannot_be_asked(
    hot_lists: HotLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retro, "_ENTRIES_AT_ONCE", 2)
    now = datetime.now(UTC)
    for n in range(3):  # more than are looked at together, and older than the other's
        await entered(hot_lists, AGENCY, f"STUCK{n}", now - timedelta(seconds=9 - n))
    await entered(hot_lists, OTHER_AGENCY, "FREE123", now - timedelta(seconds=1))
    doors, clock = Doors(read_of(1, "FREE123")), Clock(now)
    doors.away = {AGENCY}
    matching = RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock)
    await all_in_turn(matching)
    assert (await queued(hot_lists), await waiting(hot_lists)) == (1, 3)
    assert doors.asked == [AGENCY, OTHER_AGENCY], "and who is away is left alone for a while"

    doors.away = set()
    await all_in_turn(matching)
    assert await waiting(hot_lists) == 3
    clock.goes_on(6)
    await all_in_turn(matching)
    assert await waiting(hot_lists) == 0


async def test_a_third_agency_is_asked_however_often_two_others_fail(
    hot_lists: HotLists,
) -> None:
    now = datetime.now(UTC)
    await entered(hot_lists, AGENCY, "STUCK1", now - timedelta(seconds=9))
    await entered(hot_lists, OTHER_AGENCY, "STUCK2", now - timedelta(seconds=8))
    await entered(hot_lists, THIRD_AGENCY, "FREE123", now - timedelta(seconds=7))
    doors, clock = Doors(read_of(1, "FREE123")), Clock(now)
    doors.away = {AGENCY, OTHER_AGENCY}
    doors.on_failure = lambda: clock.goes_on(30)  # longer than who fails is left alone
    matching = RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock)
    await matching.compare_some()
    assert set(doors.asked) == doors.away, "and nobody else: it may be the door's fault"
    await matching.compare_some()
    assert doors.asked[2] == THIRD_AGENCY
    assert (await queued(hot_lists), await waiting(hot_lists)) == (1, 2)


async def test_who_fails_slowly_is_left_alone_from_its_failure_on(hot_lists: HotLists) -> None:
    now = datetime.now(UTC)
    await entered(hot_lists, AGENCY, "STUCK1", now - timedelta(seconds=9))
    doors, clock = Doors(read_of(1, "STUCK1")), Clock(now)
    doors.away = {AGENCY}
    doors.on_failure = lambda: clock.goes_on(30)
    matching = RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock)
    await all_in_turn(matching)
    clock.goes_on(4)
    await all_in_turn(matching)
    assert doors.asked == [AGENCY]
    clock.goes_on(2)
    await all_in_turn(matching)
    assert doors.asked == [AGENCY, AGENCY]


async def test_an_entry_whose_agency_stays_away_is_put_off_and_dropped_when_its_window_is_over(
    hot_lists: HotLists,
) -> None:
    now, before = datetime.now(UTC), retro.TOO_LATE._value.get()
    await entered(hot_lists, AGENCY, "STUCK1", now)
    doors, clock = Doors(read_of(1, "STUCK1")), Clock(now)
    doors.away = {AGENCY}
    matching = RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock)
    window = timedelta(hours=Policy().retro_match_hours)
    while clock.now <= now + window:
        await all_in_turn(matching)
        assert await waiting(hot_lists) == 1
        clock.goes_on(60)
    assert len(doors.asked) < window / timedelta(minutes=5) + 10
    clock.goes_on(300)
    await all_in_turn(matching)
    assert (await waiting(hot_lists), retro.TOO_LATE._value.get() - before) == (0, 1)


async def test_an_old_entry_is_compared_all_the_same_where_its_agency_answers(
    hot_lists: HotLists,
) -> None:
    """Nothing was there to ask for longer than the window: the whole service was down."""
    now = datetime.now(UTC)
    await entered(hot_lists, AGENCY, "FREE123", now)
    doors, clock = Doors(read_of(1, "FREE123")), Clock(now + timedelta(hours=30))
    await all_in_turn(RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock))
    assert (doors.asked, await queued(hot_lists), await waiting(hot_lists)) == ([AGENCY], 1, 0)


async def test_an_entry_that_is_changed_while_it_is_put_off_has_a_window_and_a_turn_anew(
    hot_lists: HotLists,
) -> None:
    now = datetime.now(UTC)
    await entered(hot_lists, AGENCY, "STUCK1", now)
    doors, clock = Doors(read_of(1, "STUCK1")), Clock(now)
    doors.away = {AGENCY}
    matching = RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock)
    await all_in_turn(matching)
    clock.goes_on(3600)
    async with hot_lists.database.transaction(AGENCY) as connection:
        entry_id = await connection.fetchval("SELECT entry_id FROM retro_wait")
        stored = await store.entry_of(connection, entry_id)
        assert stored is not None
        await store.wait_for_retro(connection, replace(stored, changed_at=clock.now))
        (one,) = await retro_store.in_turn(connection, clock.now, clock.now, 10)
    assert (one.queued_at, one.put_off) == (clock.now, False)


async def test_an_imported_entry_that_changes_while_it_is_put_off_has_its_turn_anew_too(
    hot_lists: HotLists,
) -> None:
    now = datetime.now(UTC)

    async def imported(plate: str) -> None:
        text = f"plate,category,reason,record_id\n{plate},stolen_vehicle,Stolen,7\n"
        wanted = WantedImport(source="turns", file_name="list.csv")
        await import_file(
            Importing(hot_lists, 100), keeper(AGENCY), wanted, io.BytesIO(text.encode()), clock.now
        )

    doors, clock = Doors(read_of(1, "STUCK1")), Clock(now)
    doors.away = {AGENCY}
    await imported("STUCK1")
    await all_in_turn(RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock))
    clock.goes_on(3600)
    async with hot_lists.database.transaction() as connection:
        (before,) = await retro_store.in_turn(connection, clock.now, clock.now, 10)
    await imported("STUCK2")
    async with hot_lists.database.transaction() as connection:
        (after,) = await retro_store.in_turn(connection, clock.now, clock.now, 10)
    assert (before.put_off, before.queued_at) == (True, now)
    assert (after.put_off, after.queued_at) == (False, clock.now)
    assert after.entry is not None
    assert after.entry.plate == "STUCK2"


async def test_a_shared_entry_is_compared_once_with_whoever_answers_and_later_with_the_rest(
    hot_lists: HotLists,
) -> None:
    now = datetime.now(UTC)
    shared = WantedList("shared", "Shared", ListKind.NEIGHBOUR, (OTHER_AGENCY,))
    on = await add_list(hot_lists, keeper(AGENCY), shared, now)
    chief = keeper(OTHER_AGENCY, Role.ADMINISTRATOR)
    await answer(hot_lists, chief, on.list_id, accept=True, reason="Agreed", now=now)
    await serve_lists(hot_lists)
    await entered(hot_lists, AGENCY, "BOTH123", now - timedelta(seconds=1), on.list_id)
    doors = Doors(read_of(1, "BOTH123"))
    doors.away = {AGENCY}
    clock = Clock(now)
    matching = RetroMatch(hot_lists, doors, settle_seconds=0, clock=clock)
    for _ in range(3):
        await all_in_turn(matching)
        assert await waiting(hot_lists) == 1
        clock.goes_on(20)
    assert (doors.asked.count(AGENCY), doors.asked.count(OTHER_AGENCY)) == (3, 1)
    assert await queued(hot_lists) == 1
    doors.away = set()
    clock.goes_on(20)
    await all_in_turn(matching)
    assert (doors.asked.count(OTHER_AGENCY), await queued(hot_lists)) == (1, 2)
    assert await waiting(hot_lists) == 0
