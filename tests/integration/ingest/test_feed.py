"""`alpr feed`, as a command, against a running ingest."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.integration.ingest.ingest_under_test import IngestUnderTest, picture

pytestmark = pytest.mark.integration
ALPR = str(Path(sys.executable).with_name("alpr"))


async def alpr_feed(
    ingest: IngestUnderTest, what: Path, *options: str, with_token: bool = True
) -> subprocess.CompletedProcess[str]:
    environment = {**ingest.services.environment_for_tools(), "COLUMNS": "200"}
    if with_token:
        environment["ALPR_TOKEN"] = ingest.token()["Authorization"].removeprefix("Bearer ")
    return await asyncio.to_thread(
        subprocess.run, [ALPR, "feed", str(what), *options],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


HERE = ("--latitude", "41.78", "--longitude", "-88.14", "--heading", "360")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:03d}.jpg").write_bytes(picture(number * 20))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three seconds at ten pictures per second."""
    file = tmp_path / "street.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(30):
            pixels = np.full((240, 320, 3), number * 8, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return file


async def test_a_folder_is_fed_as_one_camera(ingest: IngestUnderTest, folder: Path) -> None:
    done = await alpr_feed(
        ingest, folder, "--camera", "folder", "--register", "--attest", "the road", *HERE
    )
    assert done.returncode == 0, done.stderr
    assert "12 taken" in done.stderr
    frames = (await ingest.on_kafka())["folder"]
    assert [f.sequence for f, _ in frames] == list(range(12))
    assert [r.value for _, r in frames] == [picture(n * 20) for n in range(12)]
    times = [f.captured_at for f, _ in frames]
    assert {b - a for a, b in pairwise(times)} == {timedelta(seconds=0.5)}
    assert {f.heading_degrees for f, _ in frames} == {0}


async def test_each_file_can_be_a_camera_of_its_own(
    ingest: IngestUnderTest, folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "credentials.json"
    options = ("--camera", "per", "--camera-per-file", "--credentials-file", str(kept), *HERE)
    done = await alpr_feed(ingest, folder, "--register", "--attest", "the road", *options)
    assert done.returncode == 0, done.stderr
    assert kept.stat().st_mode & 0o077 == 0
    again = await alpr_feed(ingest, folder, *options, with_token=False)
    assert again.returncode == 0, again.stderr
    found = await ingest.on_kafka()
    assert [len(found[f"per-{n:03d}"]) for n in range(12)] == [2] * 12


async def test_a_video_is_fed_at_its_own_times(ingest: IngestUnderTest, video: Path) -> None:
    camera = await ingest.camera("video")
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    done = await alpr_feed(
        ingest, video, "--camera", "video", "--credential", camera.credential,
        "--start-at", start.isoformat().replace("+00:00", "Z"), with_token=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    frames = [f for f, _ in (await ingest.on_kafka())["video"]]
    assert [f.captured_at for f in frames] == [start + timedelta(seconds=n / 10) for n in range(30)]
    assert {(f.width, f.height, f.latitude) for f in frames} == {(320, 240, 41.78)}


async def test_a_video_is_thinned_out_to_the_rate(ingest: IngestUnderTest, video: Path) -> None:
    camera = await ingest.camera("thinned")
    done = await alpr_feed(
        ingest, video, "--camera", "thinned", "--credential", camera.credential, "--rate", "2"
    )
    assert done.returncode == 0, done.stderr
    assert len((await ingest.on_kafka())["thinned"]) == 6


@pytest.mark.policy("131.6-3a")
async def test_a_camera_registered_without_attestation_feeds_nothing_and_says_why(
    ingest: IngestUnderTest, folder: Path
) -> None:
    done = await alpr_feed(ingest, folder, "--camera", "bare", "--register", *HERE)
    assert done.returncode == 1
    assert "131.6-3a" in done.stderr
    assert (await ingest.on_kafka())["bare"] == []


async def test_refused_pictures_are_counted_by_reason_and_the_rest_is_fed(
    ingest: IngestUnderTest, folder: Path
) -> None:
    (folder / "004.jpg").write_bytes(b"no picture at all")
    (folder / "005.jpg").write_bytes(picture()[:-50])
    (folder / "006.jpg").write_bytes(picture()[:-60])
    camera = await ingest.camera("some")
    done = await alpr_feed(ingest, folder, "--camera", "some", "--credential", camera.credential)
    assert done.returncode == 1
    assert "9 taken" in done.stderr
    assert "1 refused: The body is not a JPEG picture (131.3-read)" in done.stderr
    assert "2 refused: The picture is incomplete" in done.stderr
    assert len((await ingest.on_kafka())["some"]) == 9


async def test_a_feed_waits_out_a_restart_of_ingest(ingest: IngestUnderTest, folder: Path) -> None:
    camera = await ingest.camera("patient")
    process = ingest.services.get("ingest")
    await asyncio.to_thread(process.terminate)
    feeding = asyncio.create_task(
        alpr_feed(ingest, folder, "--camera", "patient", "--credential", camera.credential)
    )
    await asyncio.to_thread(process.start)
    done = await feeding
    assert done.returncode == 0, done.stderr
    assert await ingest.sequences_on_kafka("patient") == list(range(12))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--camera", "nobody"), "no credential"),
        (("--camera", "nobody", "--credential", "nobody.wrong"), "credential is not valid"),
    ],
)
async def test_a_feed_that_cannot_begin_says_why(
    ingest: IngestUnderTest, folder: Path, options: tuple[str, ...], says: str
) -> None:
    done = await alpr_feed(ingest, folder, *options)
    assert done.returncode != 0
    assert says in done.stderr


async def test_a_camera_that_exists_is_not_taken_over_silently(
    ingest: IngestUnderTest, folder: Path
) -> None:
    camera = await ingest.camera("existing")
    options = ("--camera", "existing", "--register", *HERE)
    refused = await alpr_feed(ingest, folder, *options)
    assert refused.returncode == 2
    assert "--renew" in refused.stderr
    assert (await camera.send_patiently()).status_code == 202
    renewed = await alpr_feed(ingest, folder, *options, "--renew")
    assert renewed.returncode == 0, renewed.stderr


def test_the_command_says_what_it_can_do() -> None:
    done = subprocess.run([ALPR, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "feed" in done.stdout
    assert json.dumps(done.stderr).count("Traceback") == 0
