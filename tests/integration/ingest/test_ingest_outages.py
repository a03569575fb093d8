"""An acknowledged frame is never lost, and frames of a camera stay in order: servers are killed
and restarted while cameras go on sending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from alpr_ingest import spool_files
from alpr_local.pidfile import PidFile
from alpr_local.stack import Stack
from tests.integration.ingest.ingest_under_test import (
    CameraUnderTest,
    IngestUnderTest,
    picture,
)
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@asynccontextmanager
async def sending(*cameras: CameraUnderTest) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(camera.send_for_ever()) for camera in cameras]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [e for e in ended if not isinstance(e, asyncio.CancelledError)]
        assert not failed, failed


async def more_acknowledged(camera: CameraUnderTest, number: int) -> None:
    before = len(camera.acknowledged)
    await eventually(lambda: len(camera.acknowledged) >= before + number, 90)


async def all_spooled(*cameras: CameraUnderTest) -> None:
    """Wait until the spool has taken something of each camera, not of the quickest alone."""
    await eventually(lambda: all(camera.spooled for camera in cameras), 90)


async def all_on_kafka_in_order(ingest: IngestUnderTest, *cameras: CameraUnderTest) -> None:
    found = await ingest.on_kafka()
    for camera in cameras:
        sequences = [frame.sequence or 0 for frame, _ in found[camera.camera_id]]
        assert sequences == sorted(sequences), f"{camera.camera_id} out of order"
        missing = set(camera.acknowledged) - set(sequences)
        assert not missing, f"{camera.camera_id} lost {sorted(missing)}"


def spool_of(stack: Stack) -> Path:
    return stack.spool_folder / "ingest"


@pytest.mark.policy("131.7-1c")
async def test_kafka_killed_and_restarted_mid_feed_loses_nothing(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    cameras = [await ingest.camera(f"feed-{n}") for n in range(4)]
    async with sending(*cameras):
        await more_acknowledged(cameras[0], 20)
        await asyncio.to_thread(local_stack.kafka.kill)
        await more_acknowledged(cameras[0], 60)
        await all_spooled(*cameras)
        await asyncio.to_thread(local_stack.kafka.start)
        await more_acknowledged(cameras[0], 20)
    await all_on_kafka_in_order(ingest, *cameras)


async def test_a_kafka_that_hangs_loses_nothing_and_holds_cameras_up_only_once(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    cameras = [await ingest.camera(f"hung-{n}") for n in range(3)]
    broker = PidFile(local_stack.folder / "run" / "kafka.pid").running()
    assert broker is not None
    async with sending(*cameras):
        await more_acknowledged(cameras[0], 10)
        broker.suspend()
        try:
            await more_acknowledged(cameras[0], 60)  # they go to the spool
            await all_spooled(*cameras)
            # Longer than aiokafka waits for an answer, so that it sends again of itself.
            await asyncio.sleep(12)
        finally:
            broker.resume()
        await more_acknowledged(cameras[0], 20)
    await all_on_kafka_in_order(ingest, *cameras)


@pytest.mark.policy("131.7-1c")
async def test_a_killed_ingest_loses_nothing_that_it_had_spooled(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    process = ingest.services.get("ingest")
    cameras = [await ingest.camera(f"killed-{n}") for n in range(3)]
    await cameras[0].send_patiently()
    async with sending(*cameras):
        await asyncio.to_thread(local_stack.kafka.kill)
        await more_acknowledged(cameras[0], 25)
        await asyncio.to_thread(process.kill)
        waiting, _ = await asyncio.to_thread(spool_files.recover, spool_of(local_stack))
        assert len(waiting) >= 25
        # It comes back while Kafka is still away, takes more, and is killed once more.
        await asyncio.to_thread(process.start)
        await more_acknowledged(cameras[0], 10)
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(local_stack.kafka.start)
        await asyncio.to_thread(process.start)
        await more_acknowledged(cameras[0], 10)
    await all_on_kafka_in_order(ingest, *cameras)


async def test_an_ingest_killed_while_it_drains_its_spool_loses_nothing(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    process = ingest.services.get("ingest")
    camera = await ingest.camera("draining")
    await camera.send_patiently()
    await asyncio.to_thread(local_stack.kafka.kill)
    for _ in range(150):
        assert (await camera.send()).status_code == 202
    waiting = len(list(spool_of(local_stack).glob("*.frame")))
    await asyncio.to_thread(local_stack.kafka.start)
    await eventually(
        lambda: len(list(spool_of(local_stack).glob("*.frame"))) < waiting,
        90,
        interval_seconds=0.005,
    )
    await asyncio.to_thread(process.kill)
    await asyncio.to_thread(process.start)
    await all_on_kafka_in_order(ingest, camera)


@pytest.mark.policy("131.6-3a")
async def test_masks_are_burned_in_before_a_frame_is_spooled(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    left_half = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    camera = await ingest.camera("masked-spool", privacy_masks=[left_half])
    await asyncio.to_thread(local_stack.kafka.kill)
    assert (await camera.send_patiently(picture(200))).json()["spooled"] is True
    waiting, _ = await asyncio.to_thread(spool_files.recover, spool_of(local_stack))
    (entry,) = [e for e in waiting if e.camera_id == "masked-spool"]
    spooled = spool_files.read(spool_of(local_stack), entry)
    await asyncio.to_thread(local_stack.kafka.start)
    await all_on_kafka_in_order(ingest, camera)
    ((_, received),) = (await ingest.on_kafka())["masked-spool"]
    assert received.value == spooled.jpeg
    pixels = simplejpeg.decode_jpeg(spooled.jpeg)
    assert pixels[:, :161].max() < 16
    assert np.abs(pixels[:, 176:].astype(int) - 200).max() < 6


async def test_a_full_spool_answers_503_and_says_when_to_come_again(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    process = ingest.services.get("ingest")
    camera = await ingest.camera("full")
    await asyncio.to_thread(process.terminate)
    small = {"ALPR_INGEST_SPOOL_MAX_BYTES": "40000"}
    await asyncio.to_thread(ingest.services.start, "ingest", environment=small)
    try:
        await asyncio.to_thread(local_stack.kafka.kill)
        refused = await camera.send()
        while refused.status_code == 202:
            refused = await camera.send()
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:alpr:problem:spool-full"
        assert int(refused.headers["retry-after"]) > 0
        assert len(camera.acknowledged) > 3
        assert (await ingest.http.get("/ready")).status_code == 503
        await asyncio.to_thread(local_stack.kafka.start)

        async def taken() -> bool:
            return (await camera.send()).status_code == 202

        await eventually(taken, 90)
        await all_on_kafka_in_order(ingest, camera)
    finally:
        await asyncio.to_thread(local_stack.kafka.start)
        await asyncio.to_thread(ingest.services.get("ingest").terminate)
        await asyncio.to_thread(ingest.services.start, "ingest")


async def test_cameras_that_are_known_send_on_while_postgres_is_away(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    camera, quiet = await ingest.camera("known"), await ingest.camera("not-yet-known")
    assert (await camera.send_patiently()).status_code == 202
    await asyncio.to_thread(local_stack.postgres.kill)
    try:
        for _ in range(30):
            assert (await camera.send()).status_code == 202
            await asyncio.sleep(0.1)  # longer in all than what is known stays fresh
        away = await quiet.send()
        assert away.status_code == 503
        assert away.headers["retry-after"]
    finally:
        await asyncio.to_thread(local_stack.postgres.start)

    async def taken() -> bool:
        return (await quiet.send()).status_code == 202

    await eventually(taken, 90, interval_seconds=0.3)
    await all_on_kafka_in_order(ingest, camera, quiet)


async def test_a_spool_is_drained_although_postgres_is_away(
    ingest: IngestUnderTest, local_stack: Stack
) -> None:
    process = ingest.services.get("ingest")
    camera = await ingest.camera("without-postgres")
    await camera.send_patiently()
    await asyncio.to_thread(local_stack.kafka.kill)
    for _ in range(10):
        await camera.send()
    await asyncio.to_thread(process.kill)
    await asyncio.to_thread(local_stack.postgres.kill)
    try:
        await asyncio.to_thread(local_stack.kafka.start)
        await asyncio.to_thread(process.start, wait=False)
        await eventually(
            lambda: not list(spool_of(local_stack).glob("*.frame")), 90, what="drained"
        )
    finally:
        await asyncio.to_thread(local_stack.postgres.start)
    await asyncio.to_thread(process.wait_until_ready)
    await all_on_kafka_in_order(ingest, camera)
