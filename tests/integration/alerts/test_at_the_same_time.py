"""What happens to an alert while somebody looks, and while another loop is at it (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from opentelemetry.context import Context

from alpr_alerts import domain, escalation, handlers, metrics, store
from alpr_alerts.domain import Action, RejectionReason, VisualCheck
from alpr_alerts.escalation import escalate_due
from alpr_alerts.raising import Arrived, take_hits
from alpr_alerts.retention import handlers as retention
from alpr_common.messages.hit import Hit
from alpr_common.policy import AgencyPolicies, Policy
from alpr_common.postgres import Connection, Database
from alpr_local.stack import Stack
from tests.support.waiting import eventually
from tests.unit.alerts.samples import (
    AGENCY,
    NOON,
    OTHER_AGENCY,
    hit,
    principal,
    retrospective,
)

pytestmark = pytest.mark.integration

POLICY = Policy(reads_retention_days=36500)
SEEN = VisualCheck(characters_match=True, state_matches=True)


async def raised(database: Database, one: Hit, now: datetime = NOON) -> UUID:
    """The id of the alert that the hit raised."""
    await take_hits(database, POLICY, [Arrived(one, Context())], now)
    async with database.transaction(one.agency_id) as connection:
        known = await store.known_hits(connection, [one.hit_id])
    return known[one.hit_id].alert_id


def waiting_in(connection: Connection, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether that many transactions wait for a lock."""

    async def waiting() -> bool:
        # Those of the service's role: the server's own upkeep waits for locks as well. Who is
        # connected is remembered until a transaction ends, unless it is told to look again.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        locks = (
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND usename = current_user"
        )
        return bool(await connection.fetchval(locks) >= count)

    return waiting


@pytest.mark.policy("131.6-5")
async def test_who_looks_while_somebody_acts_sees_the_alert_before_it_or_after_it(
    database: Database,
) -> None:
    """Never a new alert whose history says that it was rejected."""

    async def act(alert_id: UUID) -> None:
        for action, decide in (
            (Action.HAND_OFF, lambda a: domain.hand_off(a)),
            (Action.REJECT, lambda a: domain.reject(a, RejectionReason.MISREAD)),
        ):
            await handlers.take_step(
                database, POLICY, principal(), alert_id, action, decide, None, NOON
            )

    for n in range(40):
        alert_id = await raised(database, hit(0, plate=f"L00K{n:02d}"))
        acting = asyncio.ensure_future(act(alert_id))
        while not acting.done():
            looks = (
                handlers.show_alert(database, POLICY, principal(), alert_id, NOON) for _ in range(3)
            )
            for seen in await asyncio.gather(*looks):
                assert seen.sequence == len(seen.history)
                assert seen.state == seen.history[-1].state
            record = await retention.show_record(database, POLICY, principal(), alert_id, NOON)
            assert record.state == record.history[-1].state
        await acting


@pytest.mark.policy("131.6-5", "131.7-1d")
async def test_an_alert_that_is_gone_before_its_turn_does_not_end_the_escalation_of_others(
    database: Database,
) -> None:
    """After a long outage both loops have the same alerts to look after: retention may close and
    remove one that escalation has on its list."""
    long_ago = datetime.now(UTC) - timedelta(days=60)
    first = await raised(database, hit(0, agency_id=OTHER_AGENCY, began_at=long_ago), long_ago)
    later = long_ago + timedelta(minutes=1)
    await raised(database, hit(0, plate="G0NE01", began_at=later), later)
    now = datetime.now(UTC)
    last = await raised(database, hit(0, plate="STAYS1", began_at=now), now - timedelta(hours=1))
    policies = AgencyPolicies(Policy(), {OTHER_AGENCY: POLICY})
    async with database.transaction(OTHER_AGENCY) as connection:
        await store.alert_of(connection, first, lock=True)  # escalation begins, and waits here
        escalating = asyncio.ensure_future(escalate_due(database, policies, now))
        await eventually(
            waiting_in(connection, 1), 20, interval_seconds=0.05, what="escalation waits"
        )
        enforced = await retention.enforce(database, policies, now)
        assert (enforced.expired, enforced.purged) == (1, 1)
    await escalating
    async with database.transaction(AGENCY) as connection:
        assert (await store.alert_of(connection, last)).escalated_at == now


@pytest.mark.policy("131.7-1d")
async def test_an_alert_that_another_replica_removed_does_not_end_the_retention_of_others(
    database: Database,
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=60)
    ids = [
        await raised(database, hit(n * 600, plate="G0NE02", began_at=long_ago), long_ago)
        for n in range(3)
    ]
    now, usual = datetime.now(UTC), AgencyPolicies(Policy(), {})
    async with database.transaction(AGENCY) as connection:
        # One replica has listed what is due and waits at the first; the other does it all.
        await store.alert_of(connection, ids[0], lock=True)
        slow = asyncio.ensure_future(retention.enforce(database, usual, now))
        await eventually(waiting_in(connection, 1), 20, interval_seconds=0.05, what="one waits")
        without_first = Policy(reads_retention_days=30)
        for alert_id in ids[1:]:
            await retention._expire(database, without_first, AGENCY, alert_id, now)
        assert await retention._purge_some(database, without_first, AGENCY, now) == 2
    done = await slow
    assert (done.expired, done.purged) == (1, 1)


async def test_what_an_alert_says_of_its_last_change_never_goes_back(database: Database) -> None:
    """Whoever waited for somebody else's step asked for the time before it."""
    alert_id = await raised(database, hit(0, plate="BACKW1"))
    late = NOON + timedelta(seconds=40)
    await handlers.take_step(
        database, POLICY, principal(), alert_id, Action.ACCEPT, lambda a: domain.accept(a, SEEN),
        None, late,
    )  # fmt: skip
    await take_hits(database, POLICY, [Arrived(hit(20, plate="BACKW1"), Context())], NOON)
    async with database.transaction(AGENCY) as connection:
        assert (await store.alert_of(connection, alert_id)).updated_at == late


@pytest.mark.policy("131.6-5")
async def test_alerts_that_cannot_be_read_do_not_keep_others_from_being_escalated(
    database: Database, fresh_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not where as many fail as are looked at together, and some of them are due at once."""
    monkeypatch.setattr(escalation, "_ESCALATION_BATCH", 2)
    broken = [await raised(database, hit(0, plate=f"BR0KEN{n}")) for n in range(5)]
    sound = [
        await raised(database, hit(0, plate=f"S0UND{n}"), NOON + timedelta(seconds=1))
        for n in range(3)
    ]
    administrator = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    try:
        await administrator.execute(
            "UPDATE alerts.alert_hit SET hit = '{}' WHERE alert_id = ANY ($1)", broken
        )
    finally:
        await administrator.close()
    due, before = NOON + timedelta(hours=1), metrics.ESCALATIONS_FAILED._value.get()
    assert await escalate_due(database, POLICY, due) > timedelta(), "no busy loop either"
    assert metrics.ESCALATIONS_FAILED._value.get() - before == len(broken), "each is tried once"
    async with database.transaction(AGENCY) as connection:
        for alert_id in sound:
            assert (await store.alert_of(connection, alert_id)).escalated_at == due


@pytest.mark.policy("131.6-5")
async def test_who_accepts_and_a_hit_that_is_only_noted_do_not_wait_for_each_other(
    database: Database,
) -> None:
    """Alert rows are locked before the stream's clock, also where the alert does not change."""
    stored, other = hit(0, plate="CL0CK1"), hit(20, plate="CL0CK1")
    calm = await raised(database, retrospective(stored))
    await raised(database, other)
    async with database.transaction(AGENCY) as connection:
        await store.tell_streams(connection, AGENCY, [calm], NOON)  # holds the clock
        # Both waits together stay under the time that a statement may take, `noted`'s too.
        noted = asyncio.ensure_future(raised(database, stored))
        await eventually(waiting_in(connection, 1), 12, interval_seconds=0.05, what="one waits")
        accepted = asyncio.ensure_future(
            handlers.take_step(
                database, POLICY, principal(), calm, Action.ACCEPT,
                lambda a: domain.accept(a, SEEN), None, NOON,
            )
        )  # fmt: skip
        await eventually(waiting_in(connection, 2), 12, interval_seconds=0.05, what="both wait")
    assert (await accepted).state == "accepted"
    assert await noted == calm


async def test_escalation_looks_again_before_the_next_alert_of_either_kind_can_be_due(
    database: Database,
) -> None:
    policy = Policy(alert_escalation_seconds=120, alert_retrospective_escalation_seconds=5)
    wait = await escalate_due(database, policy, NOON)
    assert wait == timedelta(seconds=5)
