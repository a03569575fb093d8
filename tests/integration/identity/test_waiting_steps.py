"""Steps of signing in that wait: whoever asks for too many takes the room of their own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from alpr_common.postgres import Database
from alpr_identity import step_store
from alpr_identity.step_store import asker
from tests.integration.identity.conftest import IdentityUnderTest

pytestmark = pytest.mark.integration
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


@dataclass
class Steps:
    database: Database
    asked: int = 0
    keys: dict[str, list[bytes]] = field(default_factory=dict)

    async def ask(self, by: str, count: int = 1) -> None:
        """So many questions, each a millisecond after the one before."""
        for _ in range(count):
            self.asked += 1
            now, key = NOW + timedelta(milliseconds=self.asked), f"{by} {self.asked}".encode()
            self.keys.setdefault(by, []).append(key)
            async with self.database.transaction() as connection:
                await step_store.add(
                    connection, key, "passkey_sign_in", "", {}, now + timedelta(minutes=5), now,
                    asked_by=by,
                )  # fmt: skip

    async def answered(self, by: str) -> list[bool]:
        """For each question, the oldest first, whether its answer is still awaited."""
        found = []
        for key in self.keys[by]:
            async with self.database.transaction() as connection:
                found.append(
                    await step_store.take(connection, key, "passkey_sign_in", "", NOW) is not None
                )
        return found


@pytest.fixture
async def steps(
    identity: IdentityUnderTest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Steps]:
    """Room for sixty, where more than twenty of one stand out and four go at once."""
    monkeypatch.setattr(step_store, "_WAITING_MOST", 60)
    monkeypatch.setattr(step_store, "_SHARE", 20)
    monkeypatch.setattr(step_store, "_MAKES_ROOM", 4)
    await identity.sql("DELETE FROM identity.sign_in_step")
    yield Steps(identity.identity.database)
    await identity.sql("DELETE FROM identity.sign_in_step")


async def test_who_floods_pushes_out_their_own_and_nobody_elses(steps: Steps) -> None:
    await steps.ask("203.0.113.1", 10)
    await steps.ask("198.51.100.66", 300)
    await steps.ask("203.0.113.2", 10)
    assert all(await steps.answered("203.0.113.1")), "though they asked before the flood"
    assert all(await steps.answered("203.0.113.2"))
    flooded = await steps.answered("198.51.100.66")
    assert not any(flooded[:200])
    assert flooded[-1]


async def test_where_everybody_has_one_address_the_newest_stay(steps: Steps) -> None:
    proxy = "10.0.0.1"
    await steps.ask(proxy, 300)
    answered = await steps.answered(proxy)
    assert all(answered[-50:]), "who is answering now is not shut out"
    assert not any(answered[:200])


async def test_a_flood_from_many_addresses_does_not_single_out_an_office_behind_one(
    steps: Steps,
) -> None:
    for number in range(48):
        await steps.ask(f"192.0.2.{number}")
    await steps.ask("203.0.113.9", 12)  # more than any other, and no flood
    for number in range(20):
        await steps.ask(f"198.51.100.{number}")
    assert all(await steps.answered("203.0.113.9"))


async def test_the_room_is_bounded_while_many_ask_at_once(
    steps: Steps, identity: IdentityUnderTest
) -> None:
    before = step_store.DROPPED._value.get()
    await asyncio.gather(*(steps.ask(f"198.51.100.{n}", 30) for n in range(8)))
    ((waiting,),) = await identity.sql("SELECT count(*) FROM identity.sign_in_step")
    assert waiting <= 60 + 8
    assert step_store.DROPPED._value.get() - before >= 8 * 30 - waiting


async def test_the_full_room_of_one_address_refuses_nobody(identity: IdentityUnderTest) -> None:
    await identity.sql(
        "INSERT INTO identity.sign_in_step (key_sha256, purpose, expires_at, asked_by, asked_at) "
        "SELECT sha256(n::text::bytea), 'passkey_sign_in', now() + interval '5 minutes', "
        "CASE WHEN n <= 19000 THEN '198.51.100.66' ELSE '203.0.113.1' END, now() "
        "FROM generate_series(1, 20000) n"
    )
    try:
        now = datetime.now(UTC)
        async with identity.identity.database.transaction() as connection:
            await step_store.add(
                connection, b"honest", "provider", "", {}, now + timedelta(minutes=5), now,
                asked_by=asker("203.0.113.2"),
            )  # fmt: skip
        rows = await identity.sql("SELECT asked_by FROM identity.sign_in_step")
        waiting = Counter(row["asked_by"] for row in rows)
        assert waiting["203.0.113.1"] == 1000
        assert waiting["203.0.113.2"] == 1
        assert waiting["198.51.100.66"] == 18_800
    finally:
        await identity.sql("DELETE FROM identity.sign_in_step")


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::99", "2001:db8:1:2::/64"),
        ("testclient", "somebody"),
        (None, "somebody"),
    ],
)
def test_who_asks_is_told_by_what_one_subscriber_has(address: str | None, who: str) -> None:
    assert asker(address) == who
