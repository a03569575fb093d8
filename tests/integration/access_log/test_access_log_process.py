"""The whole service as a process, between a real Kafka and a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.kafka import Publisher
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.read import Read
from alpr_common.policy import Role
from alpr_common.topics import AUDIT, READS
from alpr_local.processes import Services
from tests.integration.access_log.conftest import OURS, make_read, search_body
from tests.support.topics import everything
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


class Running:
    """The process, and how to talk to it."""

    def __init__(self, services: Services, client: httpx.AsyncClient, publisher: Publisher) -> None:
        self.services, self.client, self.publisher = services, client, publisher
        self._issuer = TokenIssuer.from_file(services.stack.secrets.token_private_key)

    def token(self, role: Role = Role.OFFICER) -> dict[str, str]:
        person = Principal(str(uuid4()), "Ann Miller", OURS, role, str(uuid4()), date.max, date.max)
        return {"Authorization": f"Bearer {self._issuer.issue(person, datetime.now(UTC))}"}

    async def publish(self, *reads: Read) -> None:
        for read in reads:
            await self.publisher.publish(READS, read.match_key, read.to_bytes())

    async def search(self, plate: str) -> list[dict[str, Any]]:
        answer = await self.client.post(
            "/v1/searches", json=search_body() | {"plate": plate}, headers=self.token()
        )
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def found(self, plate: str, count: int) -> list[dict[str, Any]]:
        """Wait until a search finds that many."""

        async def enough() -> list[dict[str, Any]]:
            items = await self.search(plate)
            return items if len(items) >= count else []

        return await eventually(enough, 120, interval_seconds=0.3, what=f"{count} of {plate}")


@pytest.fixture
async def running(services: Services) -> AsyncIterator[Running]:
    services.start("access-log")
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(base_url=services.url("access-log"), timeout=30) as client:
        yield Running(services, client, publisher)
    await publisher.stop()


async def test_published_reads_are_found_once_however_often_they_come(running: Running) -> None:
    reads = [make_read("STREAM1", minutes_ago=n + 1) for n in range(20)]
    await running.publish(*reads, *reads, *reads)
    last = make_read("STREAM1", minutes_ago=0.5)
    await running.publish(last)
    items = await running.found("STREAM1", 21)
    assert len(items) == 21
    assert items[0]["read_id"] == str(last.read_id)


async def test_a_malformed_read_goes_to_the_dead_letters_and_the_rest_goes_on(
    running: Running,
) -> None:
    good = make_read("GOODONE")
    wrong_key = make_read("WRONGK1").model_copy(update={"match_key": "OTHER"})
    nul = make_read("NULBYTE").model_copy(update={"camera_id": "cam\x00"})
    await running.publisher.publish(READS, good.match_key, b"not json")
    await running.publisher.publish(READS, good.match_key, wrong_key.to_bytes())
    await running.publisher.publish(READS, good.match_key, nul.to_bytes())
    await running.publish(good)
    await running.found("GOODONE", 1)
    servers = running.services.stack.kafka_bootstrap_servers

    async def dead() -> dict[bytes | None, bytes]:
        """The reason by what was put aside, however often (a rebalance has it handled again)."""
        letters = await everything(servers, READS.dead_letter_name)
        reasons = {letter.value: letter.headers["alpr-dead-letter-reason"] for letter in letters}
        return reasons if len(reasons) >= 3 else {}

    reasons = await eventually(dead, 60, interval_seconds=0.3, what="three dead letters")
    assert set(reasons) == {b"not json", wrong_key.to_bytes(), nul.to_bytes()}
    assert b"match key" in reasons[wrong_key.to_bytes()]


async def test_a_killed_service_stores_what_it_missed_and_nothing_twice(running: Running) -> None:
    process = running.services.start("access-log")
    before = [make_read("KILLED9", minutes_ago=n + 1) for n in range(50)]
    await running.publish(*before)
    process.kill()
    missed = [make_read("KILLED9", minutes_ago=n + 100) for n in range(50)]
    await running.publish(*missed, before[0])
    process.restart()
    items = await running.found("KILLED9", 50)
    assert len({item["read_id"] for item in items}) == len(items)
    body = search_body() | {"plate": "KILLED9", "limit": 500}

    async def all_stored() -> bool:
        said = body | {"suspicion": f"The van left the scene of the burglary, {uuid4()}"}
        answer = await running.client.post("/v1/searches", json=said, headers=running.token())
        ids = [item["read_id"] for item in answer.json()["items"]]
        assert len(set(ids)) == len(ids)
        return set(ids) == {str(r.read_id) for r in [*before, *missed]}

    await eventually(all_stored, 120, interval_seconds=0.3, what="all hundred reads, each once")


@pytest.mark.policy("131.7-3a")
async def test_what_other_services_report_stands_among_the_access_records(running: Running) -> None:
    record = AuditRecord(
        audit_id=uuid4(), agency_id=OURS, occurred_at=datetime.now(UTC), service="alerts",
        person_id=str(uuid4()), role="officer", action="alert.picture.viewed", subject="alert:7",
        outcome="done",
    )  # fmt: skip
    for _ in range(3):
        await running.publisher.publish(AUDIT, OURS, record.to_bytes())
    url = f"/v1/searches?person_id={record.person_id}"

    async def listed() -> list[dict[str, Any]]:
        answer = await running.client.get(url, headers=running.token(Role.AUDITOR))
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    items = await eventually(listed, 120, interval_seconds=0.3, what="the audit record")
    assert [(i["record_id"], i["service"]) for i in items] == [(str(record.audit_id), "alerts")]


async def test_the_service_shows_its_metrics(running: Running) -> None:
    text = (await running.client.get("/metrics")).text
    for name in ("alpr_reads_stored_total", "alpr_access_records_total", "alpr_consumer_lag"):
        assert name in text
