"""Kafka or PostgreSQL goes away and comes back: nothing is lost, doubled or dead-lettered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from alpr_common.kafka import Publisher
from alpr_common.messages.alert import AlertChanged
from alpr_common.topics import ALERTS, HITS
from alpr_local.processes import ServiceProcess, Services
from alpr_local.stack import Stack
from tests.integration.alerts.conftest import QUICK
from tests.integration.alerts.service_under_test import SEEN, AlertsLine, ids
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import hit

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def process(local_stack: Stack, services: Services) -> ServiceProcess:
    return services.start("alerts", environment=QUICK)


@pytest.fixture
async def line(process: ServiceProcess, local_stack: Stack) -> AsyncIterator[AlertsLine]:
    publisher = Publisher(local_stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(timeout=20) as http:
        yield AlertsLine(local_stack, process.url, http, publisher)
    await publisher.stop()


async def test_hits_that_come_while_postgresql_is_away_become_alerts_when_it_is_back(
    line: AlertsLine, local_stack: Stack, process: ServiceProcess
) -> None:
    officer = line.person()
    await line.publish(hit(0, plate="BEF0RE"))
    await line.handled()
    async with asyncio.timeout(120), officer.stream() as events:
        await asyncio.to_thread(local_stack.postgres.kill)
        await line.publish(*(hit(s, plate=f"PGDWN{n}") for n in range(8) for s in (0, 20)))

        async def unready() -> bool:
            return not await asyncio.to_thread(process.is_ready)

        await eventually(unready, 60, interval_seconds=0.3, what="the service says it is unready")
        refused = await officer.step(str(hit(0).hit_id), "accept", **SEEN)
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        await asyncio.to_thread(local_stack.postgres.start)
        await asyncio.to_thread(process.wait_until_ready)
        # The stream that was open all the time goes on.
        told: set[str] = set()
        async for event in events:
            if event.alert["hit_count"] == 2:
                told.add(event.alert["plate"])
            if len(told) == 8:
                break
    await line.handled()
    found = Counter(a["plate"] for a in await officer.alerts())
    assert found == {"BEF0RE": 1, **{f"PGDWN{n}": 1 for n in range(8)}}
    dead = await everything(line.stack.kafka_bootstrap_servers, HITS.dead_letter_name)
    assert dead == []


async def test_steps_taken_while_kafka_is_away_are_told_when_it_is_back(
    line: AlertsLine, local_stack: Stack
) -> None:
    officer = line.person()
    await line.publish(*(hit(0, plate=f"KADWN{n}") for n in range(4)))
    await line.handled()
    alerts = ids(a for a in await officer.alerts() if a["plate"].startswith("KADWN"))
    await asyncio.to_thread(local_stack.kafka.kill)
    for alert_id in alerts:
        taken = await officer.step(alert_id, "accept", **SEEN)
        assert taken.status_code == 200, "people work on while Kafka is away"
    await asyncio.to_thread(local_stack.kafka.start)

    async def told() -> bool:
        changes = [
            AlertChanged.from_bytes(m.value or b"")
            for m in await everything(line.stack.kafka_bootstrap_servers, ALERTS)
        ]
        accepted = {str(c.alert_id) for c in changes if c.step == "accepted"}
        return accepted >= set(alerts)

    await eventually(told, 120, interval_seconds=1, what="the steps are told on the topic")
    await line.publish(hit(0, plate="AFTER1"))

    async def raised() -> bool:
        return any(a["plate"] == "AFTER1" for a in await officer.alerts())

    await eventually(raised, 120, interval_seconds=0.5, what="hits become alerts again")


async def test_the_service_waits_for_postgresql_when_it_starts_first(
    line: AlertsLine, local_stack: Stack, process: ServiceProcess
) -> None:
    await asyncio.to_thread(process.terminate)
    await asyncio.to_thread(local_stack.postgres.stop)
    await asyncio.to_thread(process.start, wait=False)
    await asyncio.to_thread(local_stack.postgres.start)
    await asyncio.to_thread(process.wait_until_ready)
    assert len(await line.person().alerts()) > 0
