"""From 54 photographs, each from a camera of its own, to alerts: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from alpr_common.messages.read import Read
from alpr_local.processes import Services
from tests.support.line import PROCESSES, Line
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

_LISTED = 10


@dataclass(frozen=True)
class Photograph:
    camera_id: str
    jpeg: bytes
    plate: str


def photographs(folder: Path, prefix: str) -> list[Photograph]:
    with (folder / "data/eval/labels.csv").open() as labels:
        rows = [row for row in csv.DictReader(labels) if row["region"].startswith("eu")]
    return [
        Photograph(
            f"{prefix}-{n:02d}", (folder / "data/eval" / row["file"]).read_bytes(), row["text"]
        )
        for n, row in enumerate(rows)
    ]


def listed_plates(pictures: list[Photograph]) -> list[str]:
    """The plates that occur twice, then the first ones in the order of the labels."""
    times = Counter(picture.plate for picture in pictures)
    ordered = sorted(times, key=lambda plate: -times[plate])
    return ordered[:_LISTED]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(services: Services) -> AsyncIterator[Line]:
    services.start_all(*PROCESSES)
    async with httpx.AsyncClient(timeout=30) as client:
        yield Line(services, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def officer(line: Line) -> dict[str, str]:
    return await line.sign_in("officer")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def administrator(line: Line) -> dict[str, str]:
    return await line.sign_in("administrator")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fed(
    line: Line, officer: dict[str, str], administrator: dict[str, str], shared_data: Path
) -> list[Photograph]:
    """All photographs were sent; recognizer, worker and alerts were each killed once meanwhile."""
    pictures = photographs(shared_data, "street")
    assert len(pictures) == 54
    for plate in listed_plates(pictures):
        await line.add_entry(plate, officer)
    credentials = {
        p.camera_id: await line.register_camera(p.camera_id, administrator) for p in pictures
    }
    victims = {12: "recognizer", 24: "matcher-worker", 36: "alerts"}
    began = datetime.now(UTC) - timedelta(minutes=1)
    for n, picture in enumerate(pictures):
        answer = await line.send_frame(
            credentials[picture.camera_id], picture.jpeg, began + timedelta(seconds=n)
        )
        assert answer.status_code == 202, answer.text
        if victim := victims.get(n):
            process = line.services.get(victim)
            await asyncio.to_thread(process.kill)
            await asyncio.to_thread(process.start, wait=False)
    for victim in victims.values():
        await asyncio.to_thread(line.services.get(victim).wait_until_ready)
    await line.settled()
    return pictures


async def test_every_photograph_is_recognized_once_in_effect(
    line: Line, fed: list[Photograph]
) -> None:
    reads = await line.reads()
    once = {read.read_id: read for read in reads}
    passes = Counter((read.camera_id, read.plate, read.frame_id) for read in once.values())
    assert max(passes.values()) == 1
    right = sum(
        any(r.camera_id == p.camera_id and r.plate == p.plate for r in once.values()) for p in fed
    )
    # How well plates are read is measured elsewhere; here it only has to be a real share.
    assert right >= len(fed) // 2, f"{right} of {len(fed)} photographs were read right"


@pytest.mark.policy("131.3-hit")
async def test_every_listed_plate_read_right_is_one_alert_per_camera_and_no_other_plate_is(
    line: Line, fed: list[Photograph], officer: dict[str, str]
) -> None:
    listed = set(listed_plates(fed))
    read_right = {
        (p.camera_id, p.plate)
        for p in fed
        for r in await line.reads()
        if r.camera_id == p.camera_id and r.plate == p.plate
    }
    expected = Counter(pair for pair in read_right if pair[1] in listed)
    alerts = await line.alerts(officer)
    exact = Counter((a["camera_id"], a["plate"]) for a in alerts if a["kind"] == "exact")
    assert exact == expected
    shown = {p.camera_id: p.plate for p in fed}
    for alert in alerts:
        assert shown[alert["camera_id"]] in listed, "an unlisted plate became an alert"


@pytest.mark.policy("131.6-4a", "131.6-4b", "131.6-6")
async def test_an_alert_is_walked_to_enforced_step_by_step(
    line: Line, fed: list[Photograph], officer: dict[str, str]
) -> None:
    alert = (await line.alerts(officer))[0]
    early = await line.step(alert["alert_id"], "enforce", officer, incident_number="26-1")
    assert early.status_code == 409
    assert early.json()["clause"].startswith("131.6-4")
    enforced = await line.walk_to_enforced(alert["alert_id"], officer, "EU")
    assert enforced["sequence"] >= 3


@pytest.mark.policy("131.7-3a", "131.7-3b")
async def test_the_search_finds_a_read_only_with_a_purpose(
    line: Line, fed: list[Photograph], officer: dict[str, str]
) -> None:
    read = (await line.reads())[0]
    question = {
        "plate": read.plate,
        "from": (read.captured_at - timedelta(hours=1)).isoformat(),
        "to": (read.captured_at + timedelta(hours=1)).isoformat(),
        "case_number": "26-000123",
        "suspicion": "Seen leaving the burglary on Elm Street at 22:10 by a witness.",
        "attested": True,
    }
    url = line.url("access-log", "/v1/searches")
    refused = await line.client.post(url, headers=officer, json=question)
    assert refused.status_code in (400, 403, 422), refused.text
    assert refused.json()["clause"] == "131.7-3a"

    async def found(tries: Iterator[int] = count(1)) -> bool:
        # Each search says its own suspicion: a copy of the last one is refused.
        suspicion = f"{question['suspicion']} Asked for the {next(tries)}. time."
        answer = await line.client.post(
            url,
            headers=officer,
            json={**question, "suspicion": suspicion, "purpose": "criminal_investigation"},
        )
        assert answer.status_code == 200, answer.text
        return any(item["read_id"] == str(read.read_id) for item in answer.json()["items"])

    # Not so often that one person asks for one plate more than a day allows.
    await eventually(found, 60, interval_seconds=8, what="the stored read is found")


async def test_restarting_kafka_mid_feed_loses_and_doubles_no_acknowledged_frame(
    line: Line, fed: list[Photograph], administrator: dict[str, str]
) -> None:
    if not line.services.stack.is_local:
        pytest.skip("needs a broker that it may kill")
    before = Counter((r.camera_id, r.plate) for r in _once(await line.reads()))
    credentials = [
        await line.register_camera(f"again-{n:02d}", administrator) for n in range(len(fed))
    ]
    began = datetime.now(UTC) - timedelta(minutes=1)
    restarted: asyncio.Future[None] | None = None
    for n, (picture, credential) in enumerate(zip(fed, credentials, strict=True)):
        answer = await line.send_frame(credential, picture.jpeg, began + timedelta(seconds=n))
        assert answer.status_code == 202, answer.text
        if n == len(fed) // 3:
            await asyncio.to_thread(line.services.stack.kafka.kill)
        if n == 2 * len(fed) // 3:
            restarted = asyncio.ensure_future(asyncio.to_thread(line.services.stack.kafka.start))
    assert restarted is not None
    await restarted

    async def all_again() -> bool:
        again = Counter(
            (r.camera_id.replace("again", "street"), r.plate)
            for r in _once(await line.reads())
            if r.camera_id.startswith("again")
        )
        assert again == before
        return True

    await eventually(all_again, 240, interval_seconds=2, what="all frames are recognized again")


def _once(reads: list[Read]) -> list[Read]:
    """Reads by id: a redelivered one counts once, as every receiver counts it."""
    return list({read.read_id: read for read in reads}.values())
