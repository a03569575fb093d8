"""An agency whose reads cannot be asked keeps nobody else's entries from being compared."""

from collections.abc import AsyncIterator, Sequence
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
from alpr_matcher import handlers, retro
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.lists import WantedList, add_list
from alpr_matcher.lists_domain import ListKind
from alpr_matcher.retro import RetroMatch
from alpr_matcher.retro_reads import Account, Accounts, StoredReads
from alpr_matcher.subscriptions import answer, serve_lists
from tests.integration.matcher.line import AGENCY, OTHER_AGENCY, read_of

pytestmark = pytest.mark.integration


class Doors(StoredReads):
    """Stored reads of two agencies, of which one's account may be refused."""

    def __init__(self, read: Read) -> None:
        account = Account(username="retro", password="any")
        both = Accounts({AGENCY: account, OTHER_AGENCY: account})
        super().__init__(both, "http://127.0.0.1:1", "http://127.0.0.1:1")
        self.read, self.away, self.asked = read, set[str](), list[str]()

    async def of(
        self, agency_id: str, keys: Sequence[str], patterns: Sequence[str], since: datetime,
        until: datetime,
    ) -> AsyncIterator[Read]:  # fmt: skip
        self.asked.append(agency_id)
        if agency_id in self.away:
            raise Outage("the account is locked")
        yield self.read.model_copy(update={"agency_id": agency_id})


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


async def test_entries_of_others_are_compared_while_one_agency_cannot_be_asked(
    hot_lists: HotLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retro, "_ENTRIES_AT_ONCE", 2)
    now = datetime.now(UTC)
    for n in range(3):  # more than are looked at together, and older than the other's
        await entered(hot_lists, AGENCY, f"STUCK{n}", now - timedelta(seconds=9 - n))
    await entered(hot_lists, OTHER_AGENCY, "FREE123", now - timedelta(seconds=1))
    doors = Doors(read_of(1, "FREE123"))
    doors.away = {AGENCY}
    matching = RetroMatch(hot_lists, doors, settle_seconds=0)
    await matching.compare_some(now)
    assert await matching.compare_some(now) == 1
    assert await queued(hot_lists) == 1
    assert doors.asked == [AGENCY, OTHER_AGENCY], "and who is away is left alone for a while"

    doors.away, later = set(), now + timedelta(seconds=6)
    assert await matching.compare_some(later) + await matching.compare_some(later) == 3
    assert await matching.compare_some(later) == 0


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
    matching = RetroMatch(hot_lists, doors, settle_seconds=0)
    for seconds in (0, 6, 12):
        assert await matching.compare_some(now + timedelta(seconds=seconds)) == 0
    assert doors.asked.count(OTHER_AGENCY) == 1
    assert await queued(hot_lists) == 1
    doors.away = set()
    assert await matching.compare_some(now + timedelta(seconds=18)) == 1
    assert (doors.asked.count(OTHER_AGENCY), await queued(hot_lists)) == (1, 2)
