"""A read that was found among the stored ones and is then hit live: somebody hears the live hit.

Both hits have one id. The comparison of a new entry with stored reads can be faster than the
worker that joins live reads, and then the quiet one comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from alpr_common.kafka import Publisher
from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.hit import Hit
from alpr_common.topics import ALERTS
from alpr_local.processes import Services
from tests.integration.alerts.conftest import QUICK
from tests.integration.alerts.service_under_test import CONFIRMED, SEEN, AlertsLine, ids
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import hit, retrospective

pytestmark = pytest.mark.integration

ESCALATION_SECONDS = 10  # a busy machine stops for seconds


@pytest.fixture(scope="module")
def service_url(services: Services, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The service under a policy that escalates live alerts soon."""
    policy: Path = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(
        f"alert_escalation_seconds = {ESCALATION_SECONDS}\nreads_retention_days = 36500\n"
    )
    environment = {**QUICK, "ALPR_POLICY_FILE": str(policy)}
    return services.start("alerts", environment=environment).url


@pytest.fixture
async def line(service_url: str, services: Services) -> AsyncIterator[AlertsLine]:
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(timeout=20) as http:
        yield AlertsLine(services.stack, service_url, http, publisher)
    await publisher.stop()


async def of_plate(line: AlertsLine, plate: str) -> dict[str, Any]:
    """The plate's only alert, with hits and history."""
    (alert_id,) = ids(a for a in await line.person().alerts() if a["plate"] == plate)
    shown: dict[str, Any] = (await line.person().get(f"/{alert_id}")).json()
    return shown


async def told_of(line: AlertsLine, alert_id: str, count: int) -> list[AlertChanged]:
    """What the topic tells of an alert, each change once, once there are that many."""

    async def found() -> list[AlertChanged]:
        changes = {
            change.change_id: change
            for change in (
                AlertChanged.from_bytes(m.value or b"")
                for m in await everything(line.stack.kafka_bootstrap_servers, ALERTS)
                if m.key == alert_id.encode()
            )
        }
        return list(changes.values()) if len(changes) >= count else []

    return await eventually(found, 60, interval_seconds=0.3, what=f"{count} changes are told")


async def figure(line: AlertsLine, name: str) -> float:
    """A counter of the service; 0 where it has counted nothing yet."""
    rows = (await line.http.get(f"{line.url}/metrics")).text.splitlines()
    return sum(float(row.split()[-1]) for row in rows if row.startswith(name))


@pytest.mark.policy("131.3-alert", "131.6-5")
async def test_a_live_hit_is_heard_although_the_stored_read_was_found_first(
    line: AlertsLine,
) -> None:
    live = hit(0, plate="1ATE001")
    counted = await figure(line, "alpr_alerts_became_live_total")
    async with asyncio.timeout(120), line.person().stream() as events:
        await line.publish(retrospective(live))
        calm = await anext(events)
        assert (calm.alert["retrospective"], calm.alert["sound"]) == (True, "silent")
        await line.publish(live)
        heard = await anext(events)
        assert heard.alert["alert_id"] == calm.alert["alert_id"]
        assert (heard.alert["retrospective"], heard.alert["sound"]) == (False, "urgent")
        assert (heard.alert["state"], heard.alert["sequence"]) == ("new", 2)
        assert heard.alert["became_live_at"] == heard.alert["updated_at"]
        assert heard.alert["due_at"] < calm.alert["due_at"]
        escalated = await anext(events)
        assert escalated.alert["escalated_at"]
    shown = await of_plate(line, "1ATE001")
    assert [step["step"] for step in shown["history"]] == ["raised", "became_live", "escalated"]
    _, became_live, escalation = shown["history"]
    assert became_live["person_id"] is None
    assert "2026-05-04 12:00:00 UTC" in became_live["details"]["reason"]
    assert escalation["details"] == {"to": "communications", "after_seconds": ESCALATION_SECONDS}
    (sighting,) = shown["hits"]
    assert sighting["retrospective"] is True
    assert sighting["seen_live_at"] == became_live["occurred_at"]
    changes = await told_of(line, shown["alert_id"], 3)
    assert [(c.sequence, c.step) for c in changes] == [
        (1, "raised"), (2, "became_live"), (3, "escalated"),
    ]  # fmt: skip
    assert await figure(line, "alpr_alerts_became_live_total") == counted + 1


async def test_hits_that_come_again_in_any_order_change_nothing(line: AlertsLine) -> None:
    live = hit(0, plate="1ATE002")
    for first in ([live], [retrospective(live), live]):
        await line.publish(*first)
    await line.handled()
    accepted = await line.person().step(
        (await of_plate(line, "1ATE002"))["alert_id"], "accept", **SEEN
    )
    assert accepted.status_code == 200
    before = await of_plate(line, "1ATE002")
    await line.publish(live, retrospective(live), retrospective(live), live)
    await line.handled()
    assert await of_plate(line, "1ATE002") == before
    assert before["retrospective"] is False
    # On a slow machine it may have been escalated before it was accepted.
    steps = [step["step"] for step in before["history"] if step["step"] != "escalated"]
    assert steps == ["raised", "accepted"]


WAYS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "accepted": [("accept", SEEN)],
    "actionable": [("accept", SEEN), ("status", CONFIRMED)],
    "rejected": [("reject", {"reason": "misread"})],
    "closed": [("accept", SEEN), ("close", {"reason": "gone"})],
    "enforced": [("accept", SEEN), ("status", CONFIRMED), ("enforce", {"incident_number": "26-1"})],
}


@pytest.mark.policy("131.3-alert", "131.6-5")
@pytest.mark.parametrize("state", WAYS)
async def test_what_somebody_answered_does_not_start_again_but_says_that_it_was_live(
    line: AlertsLine, state: str
) -> None:
    plate = f"ANS{list(WAYS).index(state):03d}X"
    live: Hit = hit(0, plate=plate)
    await line.publish(retrospective(live))
    await line.handled()
    calm = await of_plate(line, plate)
    for step, body in WAYS[state]:
        answer = await line.person().step(calm["alert_id"], step, **body)
        assert answer.status_code == 200, answer.text
    answered = await of_plate(line, plate)
    async with asyncio.timeout(120), line.person().stream() as events:
        await line.publish(live)
        told = await anext(events)
        assert told.alert["alert_id"] == calm["alert_id"], "whoever looks at it sees it anew"
        assert told.alert["state"] == state
    after = await of_plate(line, plate)
    assert after["state"] == state
    assert after["due_at"] == answered["due_at"]
    assert after["escalated_at"] is None
    assert after["hits"][0]["seen_live_at"]
    steps = [step["step"] for step in after["history"]]
    if state in ("accepted", "actionable"):
        assert steps[-1] == "became_live"
        assert after["retrospective"] is False
        assert (after["allowed_steps"], after["assigned_person_name"]) == (
            answered["allowed_steps"], "Officer Lopez",
        )  # fmt: skip
    else:
        assert after["history"] == answered["history"], "an end is final"
        assert after["retrospective"] is True
