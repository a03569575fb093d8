"""The hot list can be told anew when Kafka has lost it, as docs/operations.md says."""

import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from alpr_common.auth import Principal
from alpr_common.kafka import Publisher
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_common.topics import HOTLIST, HOTLIST_PATTERNS
from alpr_local.folders import repository
from alpr_local.stack import Stack
from alpr_matcher import handlers
from alpr_matcher.expiry import expired_kept
from alpr_matcher.handlers import HotLists, WantedEntry
from alpr_matcher.telling import TopicRelay
from tests.integration.matcher.line import AGENCY, Topic

pytestmark = pytest.mark.integration

OFFICER = Principal("p-1", "Pat Officer", AGENCY, Role.OFFICER, "s-1", None, None)


async def test_the_statement_of_the_operations_page_tells_all_live_entries_again(
    fresh_stack: Stack,
) -> None:
    owner = fresh_stack.postgres_dsn("alpr_matcher_owner")
    await migrate(owner, "alpr_matcher")
    database = await Database.connect(fresh_stack.postgres_dsn("alpr_matcher"))
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)
    policy = Policy()
    lists = HotLists(database, policy, expired_kept(policy, None))
    relay = TopicRelay(lists, publisher)
    now = datetime.now(UTC)
    try:
        for plate in ("AB12345", "XY?789*", "GONE123"):
            wanted = WantedEntry(plate, "amber_alert", "Child taken", now + timedelta(days=1))
            added = await handlers.add_entry(lists, OFFICER, wanted, now)
        await handlers.retract_entry(lists, OFFICER, added.entry.entry_id, "Found", now)
        while await relay.tell_some(now):
            pass
        async with (
            Topic(fresh_stack, HOTLIST.name) as records,
            Topic(fresh_stack, HOTLIST_PATTERNS.name) as patterns,
        ):
            before = [
                {k: v for k, v, _ in (await t.look()).messages if v} for t in (records, patterns)
            ]
            for topic in (records, patterns):
                topic.messages.clear()
            await _as_owner(owner, _statement())
            while await relay.tell_some(now):
                pass
            after = [{k: v for k, v, _ in (await t.look()).messages} for t in (records, patterns)]
    finally:
        await publisher.stop()
        await database.close()
    gone = {key for key in before[0] if key not in after[0]}
    assert (len(after[0]), len(after[1])) == (1, 1)
    assert all(after[n][key] == before[n][key] for n in (0, 1) for key in after[n])
    assert len(gone) <= 1, "the retracted entry alone is not told"


def _statement() -> str:
    page = (repository() / "docs/operations.md").read_text("utf-8")
    (found,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    return str(found)


async def _as_owner(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
