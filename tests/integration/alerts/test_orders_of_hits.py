"""Live and retrospective hits in every order, on a real PostgreSQL: whoever should hear does.

`now` is injected; each case has a plate of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.context import Context

from alpr_alerts import domain, handlers, store
from alpr_alerts.domain import Action, Alert, RejectionReason, VisualCheck
from alpr_alerts.escalation import escalate_due
from alpr_alerts.raising import Arrived, take_hits
from alpr_alerts.refusals import AlreadyAnswered
from alpr_alerts.retention import handlers as retention
from alpr_common.messages.alert import AlertChanged, AlertState
from alpr_common.messages.base import deterministic_id
from alpr_common.messages.hit import Hit
from alpr_common.policy import Policy
from alpr_common.postgres import Database
from alpr_common.topics import ALERTS
from tests.unit.alerts.samples import AGENCY, NOON, hit, principal, retrospective

pytestmark = pytest.mark.integration

POLICY = Policy(reads_retention_days=36500)
WINDOW = timedelta(seconds=POLICY.alert_window_seconds)
LIVE_WAIT = timedelta(seconds=POLICY.alert_escalation_seconds)
SEEN = VisualCheck(characters_match=True, state_matches=True)


async def arrive(database: Database, *hits: Hit, now: datetime = NOON) -> None:
    """The hits in one batch."""
    await take_hits(database, POLICY, [Arrived(one, Context()) for one in hits], now)


async def alerts_of(database: Database, plate: str) -> list[Alert]:
    """The plate's alerts, in the order in which they were raised."""
    async with database.transaction(AGENCY) as connection:
        alerts = await store.alerts_page(connection, None, None, 10_000)
    return sorted((a for a in alerts if a.hit.read.plate == plate), key=lambda a: a.created_at)


async def only_alert(database: Database, plate: str) -> Alert:
    (alert,) = await alerts_of(database, plate)
    return alert


async def steps_of(database: Database, alert: Alert) -> list[str]:
    async with database.transaction(AGENCY) as connection:
        return [step.done.step.value for step in await store.steps_of(connection, alert.alert_id)]


async def hits_of(database: Database, alert: Alert) -> list[store.AttachedHit]:
    async with database.transaction(AGENCY) as connection:
        return await store.hits_of(connection, alert.alert_id)


async def told(database: Database) -> list[AlertChanged]:
    """What waits for `alpr.alerts.v1`, in its order."""
    async with database.transaction(AGENCY) as connection:
        rows = await connection.fetch(
            "SELECT value FROM outbox WHERE topic = $1 ORDER BY outbox_id", ALERTS.name
        )
    return [AlertChanged.from_bytes(row["value"]) for row in rows]


async def answer(database: Database, alert: Alert, action: Action, now: datetime) -> None:
    decide = {
        Action.ACCEPT: lambda a: domain.accept(a, SEEN),
        Action.REJECT: lambda a: domain.reject(a, RejectionReason.MISREAD),
    }[action]
    await handlers.take_step(
        database, POLICY, principal(), alert.alert_id, action, decide, None, now
    )


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# --- Every order ---------------------------------------------------------------------


def some_arrivals(chance: random.Random, plate: str) -> list[Hit]:
    """Live hits of a few passes in the order of their partition, retrospective ones of some of
    them (and of reads from before the entry) anywhere between, and what Kafka repeats of it all."""
    seconds = sorted(chance.sample(range(0, 900, 20), chance.randint(1, 6)))
    reads = [hit(second, plate=plate) for second in seconds]
    before_entry = chance.randint(0, len(reads) - 1)
    stream: list[Hit] = reads[before_entry:]
    for one in reads:
        if chance.random() < 0.7:
            stream.insert(chance.randint(0, len(stream)), retrospective(one))
    begin = chance.randint(0, len(stream))
    end = chance.randint(begin, len(stream))
    return stream[:end] + stream[begin:]


@pytest.mark.policy("131.3-alert")
async def test_whatever_was_found_first_each_live_hit_is_heard_within_its_window(
    database: Database,
) -> None:
    chance = random.Random(1316)
    for n in range(60):
        plate = f"ORD{n:04d}"
        arrivals = some_arrivals(chance, plate)
        left = list(arrivals)
        while left:
            size = chance.randint(1, 4)
            await arrive(database, *left[:size])
            left = left[size:]
        alerts = await alerts_of(database, plate)
        heard = [
            attached.hit.read.captured_at
            for alert in alerts
            if not alert.retrospective
            for attached in await hits_of(database, alert)
        ]
        for one in (h for h in arrivals if not h.retrospective):
            assert any(abs(at - one.read.captured_at) < WINDOW for at in heard), (plate, one)
        await each_says_what_happened(database, arrivals, alerts)
        # All of it once more, in any order: nothing changes.
        chance.shuffle(arrivals)
        await arrive(database, *arrivals, now=later(1000))
        assert await alerts_of(database, plate) == alerts, plate


async def each_says_what_happened(
    database: Database, arrivals: Sequence[Hit], alerts: Sequence[Alert]
) -> None:
    """Hits, history and deadline of each alert agree with what came."""
    came_live = {h.hit_id for h in arrivals if not h.retrospective}
    seen = []
    for alert in alerts:
        hits = await hits_of(database, alert)
        seen += [attached.hit.hit_id for attached in hits]
        for attached in hits:
            as_live = not attached.hit.retrospective or attached.seen_live_at is not None
            assert as_live == (attached.hit.hit_id in came_live)
        steps = await steps_of(database, alert)
        was_calm = alert.hit.retrospective
        assert steps == [
            "raised",
            *(["became_live"] if was_calm and not alert.retrospective else []),
        ]
        wait = timedelta(seconds=POLICY.escalation_seconds(retrospective=alert.retrospective))
        assert alert.due_at - alert.waits_since == wait
        if alert.retrospective:
            # Calm, although one of its hits came live: only where that was before people already.
            live_ones = [a for a in alerts if not a.retrospective]
            assert live_ones or not came_live & {a.hit.hit_id for a in hits}
    assert sorted(seen) == sorted({h.hit_id for h in arrivals}), "each hit is in one alert"


@pytest.mark.policy("131.3-alert")
async def test_of_consumers_that_handle_both_hits_at_once_one_makes_the_alert_live(
    database: Database,
) -> None:
    pairs = [(retrospective(one), one) for one in (hit(0, plate=f"B0TH{n:02d}") for n in range(10))]
    chance = random.Random(3)

    async def consumer() -> None:
        mine = [one for pair in pairs for one in pair]
        chance.shuffle(mine)
        for one in mine:
            await arrive(database, one)

    async with asyncio.timeout(60):
        await asyncio.gather(*(consumer() for _ in range(4)))
    for calm, _ in pairs:
        alert = await only_alert(database, calm.read.plate)
        assert not alert.retrospective
        steps = await steps_of(database, alert)
        assert steps == (["raised", "became_live"] if alert.hit.retrospective else ["raised"])
    changes = await told(database)
    assert len({c.change_id for c in changes}) == len(changes)


# --- Beside people and deadlines -----------------------------------------------------


@pytest.mark.policy("131.6-5")
async def test_who_accepts_while_the_live_hit_comes_has_accepted_a_live_alert(
    database: Database,
) -> None:
    orders = set()
    for n in range(20):
        live = hit(0, plate=f"MEAN{n:02d}")
        await arrive(database, retrospective(live))
        calm = await only_alert(database, live.read.plate)
        await asyncio.gather(
            arrive(database, live, now=later(1)), answer(database, calm, Action.ACCEPT, later(1))
        )
        alert = await only_alert(database, live.read.plate)
        assert (alert.state, alert.retrospective, alert.sequence) == (AlertState.ACCEPTED, False, 3)
        orders.add(tuple(await steps_of(database, alert)))
        async with database.transaction() as connection:
            due = await store.due_unanswered(connection, later(10**6), 1000)
        assert alert.alert_id not in {one.alert_id for one in due}
    assert orders <= {
        ("raised", "became_live", "accepted"), ("raised", "accepted", "became_live"),
    }  # fmt: skip


@pytest.mark.policy("131.6-5")
async def test_a_live_alert_that_a_supervisor_was_told_of_as_a_stored_one_goes_to_communications(
    database: Database,
) -> None:
    live = hit(0, plate="BACK10G")
    await arrive(database, retrospective(live))
    day = timedelta(seconds=POLICY.alert_retrospective_escalation_seconds)
    await escalate_due(database, POLICY, NOON + day)
    assert (await only_alert(database, "BACK10G")).escalated_at == NOON + day
    late = NOON + day + timedelta(hours=1)
    await arrive(database, live, now=late)
    alert = await only_alert(database, "BACK10G")
    assert (alert.escalated_at, alert.due_at) == (None, late + LIVE_WAIT)
    await escalate_due(database, POLICY, late + LIVE_WAIT - timedelta(seconds=1))
    assert (await only_alert(database, "BACK10G")).escalated_at is None
    for _ in range(2):
        await escalate_due(database, POLICY, late + LIVE_WAIT)
    assert await steps_of(database, alert) == ["raised", "escalated", "became_live", "escalated"]
    async with database.transaction(AGENCY) as connection:
        *_, last = await store.steps_of(connection, alert.alert_id)
    assert last.details == {"to": "communications", "after_seconds": LIVE_WAIT.total_seconds()}


# --- Beside other alerts of the window -----------------------------------------------


async def test_further_live_hits_join_an_alert_that_became_live(database: Database) -> None:
    first, second = hit(0, plate="J01N01"), hit(30, plate="J01N01")
    await arrive(database, retrospective(first), first, second)
    assert (await only_alert(database, "J01N01")).hit_count == 2


async def test_a_second_stored_read_that_comes_live_is_marked_and_does_not_sound_again(
    database: Database,
) -> None:
    first, second = hit(0, plate="J01N02"), hit(30, plate="J01N02")
    await arrive(database, retrospective(first), retrospective(second), first)
    before = await only_alert(database, "J01N02")
    await arrive(database, second, now=later(60))
    assert await only_alert(database, "J01N02") == before
    marks = [attached.seen_live_at for attached in await hits_of(database, before)]
    assert marks == [NOON, later(60)]


@pytest.mark.policy("131.3-alert")
async def test_what_is_before_people_as_an_open_live_alert_is_not_put_before_them_twice(
    database: Database,
) -> None:
    stored, other = hit(0, plate="0PEN01"), hit(20, plate="0PEN01")
    await arrive(database, retrospective(stored))
    await arrive(database, other, now=later(1))
    await arrive(database, stored, now=later(2))
    calm, live = await alerts_of(database, "0PEN01")
    assert (calm.retrospective, live.retrospective) == (True, False)
    assert [a.seen_live_at for a in await hits_of(database, calm)] == [later(2)]


@pytest.mark.policy("131.3-alert")
async def test_a_live_alert_of_the_window_that_has_ended_keeps_nobody_from_hearing_the_next(
    database: Database,
) -> None:
    stored, other = hit(0, plate="ENDED1"), hit(20, plate="ENDED1")
    await arrive(database, retrospective(stored))
    await arrive(database, other, now=later(1))
    _, live = await alerts_of(database, "ENDED1")
    await answer(database, live, Action.REJECT, later(2))
    await arrive(database, stored, now=later(3))
    became_live, _ = await alerts_of(database, "ENDED1")
    assert (became_live.retrospective, became_live.state) == (False, AlertState.NEW)


@pytest.mark.policy("131.3-alert")
async def test_two_reads_of_one_moment_are_one_alert_and_a_live_one_makes_it_live(
    database: Database,
) -> None:
    """A camera that tells whole seconds sends two reads of one pass: other ids, the same time."""
    stored = hit(0, plate="TW1CE1")
    await arrive(database, retrospective(stored))
    await arrive(database, of_another_read(stored), now=later(1))
    alert = await only_alert(database, "TW1CE1")
    assert (alert.retrospective, alert.hit_count, alert.sequence) == (False, 2, 2)
    await arrive(database, stored, now=later(2))
    assert await only_alert(database, "TW1CE1") == alert
    # And the other way round: the retrospective one finds the live alert of its moment.
    live = hit(0, plate="TW1CE2")
    await arrive(database, live)
    await arrive(database, retrospective(of_another_read(live)), now=later(1))
    alert = await only_alert(database, "TW1CE2")
    assert (alert.retrospective, alert.hit_count, alert.sequence) == (False, 2, 1)


def of_another_read(one: Hit) -> Hit:
    """The same sighting by a read with an id of its own."""
    other = deterministic_id("read", "another", one.read.read_id)
    read = one.read.model_copy(update={"read_id": other})
    return one.model_copy(update={"read": read, "hit_id": Hit.id_of(other, one.entry.entry_id)})


# --- Retention -----------------------------------------------------------------------


@pytest.mark.policy("131.7-1d")
async def test_an_alert_that_became_live_goes_with_its_reads_and_its_record_says_what_it_was(
    database: Database,
) -> None:
    began_at = datetime.now(UTC) - timedelta(days=40)
    usual = Policy()
    live = hit(0, plate="G0NE01", began_at=began_at)
    for one in (retrospective(live), live):
        await take_hits(database, usual, [Arrived(one, Context())], began_at)
    alert = await only_alert(database, "G0NE01")
    expired = await retention.enforce(database, usual, began_at + timedelta(days=29))
    assert expired.expired == 1
    gone = await retention.enforce(database, usual, began_at + timedelta(days=30))
    assert gone.purged == 1
    async with database.transaction(AGENCY) as connection:
        assert await connection.fetchval("SELECT count(*) FROM alert_hit_live") == 0
    record = await retention.show_record(
        database, usual, principal(), alert.alert_id, datetime.now(UTC)
    )
    assert record.retrospective is False
    assert [step.step for step in record.history] == ["raised", "became_live", "expired"]
    assert "G0NE01" not in record.model_dump_json()


async def test_who_answers_second_is_refused_though_the_alert_became_live_in_between(
    database: Database,
) -> None:
    live = hit(0, plate="SEC0ND")
    await arrive(database, retrospective(live))
    calm = await only_alert(database, "SEC0ND")
    await answer(database, calm, Action.REJECT, later(1))
    await arrive(database, live, now=later(2))
    with pytest.raises(AlreadyAnswered):
        await answer(database, calm, Action.ACCEPT, later(3))
