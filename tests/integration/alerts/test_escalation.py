"""An alert that nobody answers is told to Communications: in time, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from alpr_common.kafka import Publisher
from alpr_common.messages.alert import AlertChanged
from alpr_common.topics import ALERTS
from alpr_local.processes import Services
from tests.integration.alerts.conftest import QUICK
from tests.integration.alerts.service_under_test import SEEN, AlertsLine
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import OTHER_AGENCY, hit

pytestmark = pytest.mark.integration

REPLICAS = ("", "second", "third")
ESCALATION_SECONDS = 10  # a busy machine stops for seconds, and somebody has to be faster


@pytest.fixture(scope="module")
def replica_urls(services: Services, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three replicas under a policy that escalates soon."""
    policy: Path = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(
        f"alert_escalation_seconds = {ESCALATION_SECONDS}\nreads_retention_days = 36500\n"
    )
    environment = {**QUICK, "ALPR_POLICY_FILE": str(policy)}
    started = [
        services.start("alerts", instance=name, environment=environment, wait=False)
        for name in REPLICAS
    ]
    for process in started:
        process.wait_until_ready()
    return [process.url for process in started]


@pytest.fixture
async def line(replica_urls: list[str], services: Services) -> AsyncIterator[AlertsLine]:
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(timeout=20) as http:
        yield AlertsLine(services.stack, replica_urls[0], http, publisher)
    await publisher.stop()


@pytest.mark.policy("131.6-5", "131.6-8d")
async def test_unanswered_alerts_are_escalated_exactly_once_by_however_many_replicas(
    line: AlertsLine, replica_urls: list[str]
) -> None:
    officer = line.person()
    unanswered = [hit(0, plate=f"ESC{n:03d}") for n in range(20)]
    other = hit(0, plate="ESCE15", agency_id=OTHER_AGENCY)
    answered = hit(0, plate="ANSW3R")
    async with asyncio.timeout(150), officer.stream(url=replica_urls[1]) as events:
        await line.publish(answered)
        new = await anext(events)
        taken = await officer.step(new.alert["alert_id"], "accept", **SEEN)
        assert taken.status_code == 200
        await line.publish(*unanswered, other)
        escalated: dict[str, int] = {}
        async for event in events:
            if event.alert["escalated_at"]:
                assert event.alert["sequence"] == 2
                assert event.alert["allowed_steps"] == ["accept", "reject", "hand-off"]
                escalated[event.alert["plate"]] = event.position
            if len(escalated) == len(unanswered):
                break
    assert "ANSW3R" not in escalated

    # Long enough for every replica to have looked again.
    async def stranger_too() -> list[str]:
        # Another replica may be at it, behind the one that raised the alerts above.
        theirs = await line.person(agency_id=OTHER_AGENCY).alerts()
        return [alert["plate"] for alert in theirs if alert["escalated_at"]]

    escalated_too = await eventually(stranger_too, 60, what="the other agency's is escalated")
    assert escalated_too == [other.read.plate]
    for alert in await officer.alerts():
        shown = (await officer.get(f"/{alert['alert_id']}")).json()
        steps = [step["step"] for step in shown["history"]]
        if alert["plate"] == "ANSW3R":
            assert steps == ["raised", "accepted"]
            continue
        assert steps == ["raised", "escalated"]
        escalation = shown["history"][1]
        assert escalation["person_id"] is None
        assert escalation["details"]["to"] == "communications"

    async def told() -> bool:
        changes = {
            c.change_id: c
            for c in (
                AlertChanged.from_bytes(m.value or b"")
                for m in await everything(line.stack.kafka_bootstrap_servers, ALERTS)
            )
        }
        return sum(c.step == "escalated" for c in changes.values()) == len(unanswered) + 1

    await eventually(told, 60, interval_seconds=0.3, what="each escalation is told on the topic")

    async def each_is_counted_once() -> bool:
        # A replica counts a step when it is committed: a moment after everybody sees it.
        texts = [(await line.http.get(f"{url}/metrics")).text for url in replica_urls]
        counted = sum(
            float(row.split()[-1])
            for text in texts
            for row in text.splitlines()
            if row.startswith("alpr_alert_escalations_total ")
        )
        return counted == len(unanswered) + 1

    await eventually(each_is_counted_once)


@pytest.mark.policy("131.6-5")
async def test_an_escalated_alert_is_still_to_be_answered(line: AlertsLine) -> None:
    officer = line.person()
    await line.publish(hit(0, plate="ST1LL1"))
    await line.handled()

    async def escalated() -> str:
        (alert,) = [a for a in await officer.alerts() if a["plate"] == "ST1LL1"]
        return alert["alert_id"] if alert["escalated_at"] else ""

    alert_id = await eventually(escalated, 60, interval_seconds=0.3, what="it is escalated")
    outdated = await officer.step(alert_id, "accept", **SEEN, expected_sequence=1)
    assert outdated.status_code == 409
    assert "escalated by The system" in outdated.json()["detail"]
    assert (await officer.step(alert_id, "accept", **SEEN)).json()["state"] == "accepted"
