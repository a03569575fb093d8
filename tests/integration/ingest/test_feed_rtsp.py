"""`alpr feed rtsp://…` against a real RTSP stream: H.264 over RTP, recorded and read by FFmpeg."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
import simplejpeg

from tests.integration.ingest.ingest_under_test import IngestUnderTest
from tests.integration.ingest.test_feed import ALPR, HERE
from tests.support.rtsp_relay import recording, rtsp_relay
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
CAMERA = "rtsp-street"


def hears_interrupts() -> None:
    """A shell that runs the tests behind its back has them ignored, and whoever they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.policy("131.7-1c")
async def test_a_stream_is_fed_live_and_goes_on_after_its_connection_broke(
    ingest: IngestUnderTest,
) -> None:
    began = datetime.now(UTC)
    async with rtsp_relay() as relay, recording(relay.url):
        await eventually(lambda: relay.has_video, 90, what="the camera records")
        process = await asyncio.create_subprocess_exec(
            ALPR, "feed", relay.url, "--camera", CAMERA, "--register", "--attest", "the road",
            "--rate", "5", *HERE,
            env={
                **ingest.services.environment_for_tools(), "COLUMNS": "200",
                "ALPR_TOKEN": ingest.token()["Authorization"].removeprefix("Bearer "),
            },
            stderr=asyncio.subprocess.PIPE, preexec_fn=hears_interrupts,
        )  # fmt: skip

        async def taken(most: int) -> bool:
            if process.returncode is not None:
                pytest.fail((await process.communicate())[1].decode())
            return len(await ingest.sequences_on_kafka(CAMERA)) >= most

        try:
            await eventually(lambda: taken(8), 90, interval_seconds=0.3)
            relay.drop_players()
            await eventually(lambda: relay.plays >= 2, 90, what="it connects again")
            before = await ingest.sequences_on_kafka(CAMERA)
            await eventually(lambda: taken(len(before) + 8), 90, interval_seconds=0.3)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            try:
                _, said = await asyncio.wait_for(process.communicate(), 60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
    assert process.returncode == 130, said.decode()

    frames = (await ingest.on_kafka())[CAMERA]
    assert [frame.sequence for frame, _ in frames] == list(range(len(frames)))
    times = [frame.captured_at for frame, _ in frames]
    assert all(began <= a < b <= datetime.now(UTC) for a, b in pairwise(times))
    shades = [shade_of(record.value or b"") for _, record in frames]
    assert all(a <= b + 2 for a, b in pairwise(shades)), "pictures come in the order of the camera"
    assert shades[-1] > shades[0] + 3


async def test_a_stream_that_is_not_there_is_said_in_one_line(ingest: IngestUnderTest) -> None:
    await ingest.camera("rtsp-nowhere")
    async with rtsp_relay() as relay:
        url = relay.url.replace("rtsp://", "rtsp://viewer:secret-word@")
        process = await asyncio.create_subprocess_exec(
            ALPR, "feed", url, "--camera", "rtsp-nowhere", "--credential", "rtsp-nowhere.x",
            env=ingest.services.environment_for_tools() | {"COLUMNS": "200"},
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert "404" in said.decode() or "not found" in said.decode().lower(), said.decode()
    assert "secret-word" not in said.decode()


def shade_of(jpeg: bytes) -> float:
    return float(np.mean(simplejpeg.decode_jpeg(jpeg, "GRAY")))
