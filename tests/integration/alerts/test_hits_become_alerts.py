"""Hits on the topic become alerts: once each, whatever is repeated, late, killed or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.hit import Hit
from alpr_common.policy import NOT_PROBABLE_CAUSE
from alpr_common.topics import ALERTS, HITS
from alpr_local.processes import ServiceProcess, Services
from tests.integration.alerts.conftest import QUICK
from tests.integration.alerts.service_under_test import AlertsLine, ids
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import OTHER_AGENCY, hit

pytestmark = pytest.mark.integration


async def of_plate(line: AlertsLine, plate: str) -> list[dict[str, Any]]:
    """The plate's alerts, by the time of their first sighting."""
    found = [a for a in await line.person().alerts() if a["plate"] == plate]
    return sorted(found, key=lambda a: a["first_captured_at"])


@pytest.mark.policy("131.3-alert", "131.6-4")
async def test_a_hit_is_put_before_people_with_the_notice_that_it_is_no_reason_for_a_stop(
    line: AlertsLine,
) -> None:
    made_of = hit(0, plate="NOT1CE", began_at=datetime.now(UTC) - timedelta(minutes=3))
    (alert,) = await line.raise_alerts(made_of)
    assert alert["notice"] == NOT_PROBABLE_CAUSE
    assert alert["state"] == "new"
    assert alert["sequence"] == 1
    assert alert["allowed_steps"] == ["accept", "reject", "hand-off"]
    assert alert["category_label"] == "Stolen vehicle"
    assert (alert["colour"], alert["sound"], alert["priority"]) == ("#ff4d4f", "urgent", 2)
    assert alert["read"]["read_id"] == str(made_of.read.read_id)
    assert alert["entry"]["reason"] == "taken from a driveway"
    shown = await line.person().get(f"/{alert['alert_id']}")
    assert [h["hit_id"] for h in shown.json()["hits"]] == [str(made_of.hit_id)]
    assert [s["step"] for s in shown.json()["history"]] == ["raised"]
    assert shown.headers["cache-control"] == "no-store"
    metrics = (await line.http.get(f"{line.url}/metrics")).text
    assert 'alpr_alerts_raised_total{category="stolen_vehicle"} 1.0' in metrics
    assert "alpr_alert_from_hit_seconds_count 1.0" in metrics


async def test_hits_within_the_window_attach_and_the_next_window_raises_the_next_alert(
    line: AlertsLine,
) -> None:
    await line.publish(*(hit(s, plate="W1ND0W") for s in (0, 120, 299, 300, 420)))
    await line.handled()
    first, second = await of_plate(line, "W1ND0W")
    assert (first["hit_count"], second["hit_count"]) == (3, 2)
    assert first["first_captured_at"] < first["last_captured_at"] < second["first_captured_at"]
    shown = (await line.person().get(f"/{first['alert_id']}")).json()
    assert len(shown["hits"]) == 3
    # Sightings are no steps: they do not make a person's picture of the decision outdated.
    assert first["sequence"] == 1


@pytest.mark.policy("131.3-alert")
async def test_a_live_hit_never_falls_silent_with_a_retrospective_one(line: AlertsLine) -> None:
    earlier = [hit(s, plate="RE7R0").model_copy(update={"retrospective": True}) for s in (0, 60)]
    await line.publish(*earlier, hit(90, plate="RE7R0"))
    await line.handled()
    silent, sounding = await of_plate(line, "RE7R0")
    assert (silent["retrospective"], silent["sound"], silent["hit_count"]) == (True, "silent", 2)
    assert (sounding["retrospective"], sounding["sound"], sounding["hit_count"]) == (
        False,
        "urgent",
        1,
    )


async def test_replayed_and_late_hits_give_the_same_alerts(line: AlertsLine) -> None:
    hits = [hit(s, plate="REP1AY") for s in (100, 0, 250, 700)]
    await line.publish(*hits)
    await line.handled()
    before = await of_plate(line, "REP1AY")
    assert [a["hit_count"] for a in before] == [3, 1]
    await line.publish(*hits, *reversed(hits))
    await line.handled()
    assert await of_plate(line, "REP1AY") == before


async def test_other_cameras_plates_and_entries_raise_alerts_of_their_own(line: AlertsLine) -> None:
    await line.publish(
        hit(0, plate="0THER1"),
        hit(0, plate="0THER1", camera_id="cam-2"),
        hit(0, plate="0THER1", category="scofflaw"),
    )
    await line.handled()
    found = await of_plate(line, "0THER1")
    assert len({a["alert_id"] for a in found}) == 3


async def test_a_malformed_hit_goes_to_its_dead_letters_and_the_rest_goes_on(
    line: AlertsLine,
) -> None:
    strange = hit(0, plate="STRANG")
    foreign_read = strange.model_copy(update={"agency_id": OTHER_AGENCY})
    foreign_entry = strange.model_copy(
        update={
            "entry": strange.entry.model_copy(
                update={"agency_id": OTHER_AGENCY, "serves_agency_ids": (OTHER_AGENCY,)}
            )
        }
    )
    key = strange.read.match_key
    await line.publisher.publish(HITS, key, b"{not json")
    await line.publish(foreign_read, foreign_entry, strange)
    await line.handled()
    assert len(await of_plate(line, "STRANG")) == 1
    dead = await everything(line.stack.kafka_bootstrap_servers, HITS.dead_letter_name)
    # By what was put aside: a batch that a rebalance has handled again puts it aside again.
    reasons = {d.value: d.headers["alpr-dead-letter-reason"].decode() for d in dead}.values()
    assert len(reasons) == 3
    assert any("belongs to" in r for r in reasons)
    assert any("does not serve" in r for r in reasons)


async def test_killing_the_service_mid_way_loses_and_doubles_nothing(
    line: AlertsLine, alerts_process: ServiceProcess, services: Services
) -> None:
    def plate(n: int) -> str:
        return f"K1LL{n:03d}"

    hits: list[Hit] = [hit(s, plate=plate(n)) for n in range(60) for s in (0, 60, 400)]

    async def feed() -> None:
        for one in hits:
            await line.publish(one)

    feeding = asyncio.ensure_future(feed())

    async def some() -> bool:
        return len(await line.person().alerts()) >= 20

    await eventually(some, 120, what="the first of the alerts")
    await asyncio.to_thread(alerts_process.kill)
    await feeding
    await asyncio.to_thread(alerts_process.start)
    await line.handled()

    found = [a for a in await line.person().alerts() if a["plate"].startswith("K1LL")]
    assert Counter(a["plate"] for a in found) == {plate(n): 2 for n in range(60)}
    assert sum(a["hit_count"] for a in found) == len(hits)

    async def told() -> bool:
        changes = [
            AlertChanged.from_bytes(r.value or b"")
            for r in await everything(line.stack.kafka_bootstrap_servers, ALERTS)
        ]
        raised = {c.alert_id: c.change_id for c in changes if c.step == "raised"}
        assert set(ids(found)) <= {str(alert_id) for alert_id in raised}
        # Repeated perhaps, but always as the same change: receivers know it by its id.
        assert len({c.change_id for c in changes}) == len({(c.alert_id, c.step) for c in changes})
        return True

    await eventually(told, 60, interval_seconds=0.5, what="every alert is told on its topic")


async def test_two_replicas_share_the_hits_and_raise_each_alert_once(
    line: AlertsLine, services: Services
) -> None:
    second = await asyncio.to_thread(services.start, "alerts", instance="second", environment=QUICK)
    hits = [hit(s, plate=f"TW0{n:03d}") for n in range(40) for s in (0, 30)]
    await line.publish(*hits)
    await line.handled()
    found = [a for a in await line.person().alerts() if a["plate"].startswith("TW0")]
    assert len(found) == 40
    assert all(a["hit_count"] == 2 for a in found)
    await asyncio.to_thread(second.terminate)
