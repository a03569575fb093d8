"""What `alpr feed` sends, when, and what it does when ingest is away or refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import numpy as np
import pytest

from alpr_client.errors import RefusedError, UnavailableError
from alpr_client.feed_cameras import Credentials, Place, camera_ids, senders
from alpr_client.feed_sending import GaveUp, Pace, Sender, Tally, feed_camera
from alpr_client.feed_sources import (
    NothingToFeed,
    Pictures,
    Shot,
    Stream,
    Video,
    is_stream,
    jpeg_of,
    pictures_in,
    read_times,
)
from alpr_client.models import FrameReceipt, RegisteredCamera
from tests.support.waiting import eventually

SENDER = Sender("a", "a.secret")


class FakeFrames:
    """Answers from a list, then always takes."""

    def __init__(self, *answers: Exception) -> None:
        self.answers = list(answers)
        self.taken: list[tuple[bytes, datetime, int]] = []
        self.tries = 0

    async def send(self, _credential: str, jpeg: bytes, **details: Any) -> FrameReceipt:
        self.tries += 1
        if self.answers:
            raise self.answers.pop(0)
        self.taken.append((jpeg, details["captured_at"], details["sequence"]))
        return FrameReceipt(frame_id=uuid4())


class Numbers:
    """A source of numbered shots."""

    name = "numbers"

    def __init__(self, count: int, interval_seconds: float, live: bool = False) -> None:
        self.count: int | None = count
        self._interval = interval_seconds
        self.duration_seconds: float | None = None if live else count * interval_seconds
        self.is_through = False

    def shots(self) -> Iterator[Shot]:
        for number in range(self.count or 0):
            yield Shot(f"#{number}", str(number).encode(), number * self._interval)
        self.is_through = True


class AwayUntilThrough(FakeFrames):
    """Away for as long as the source has anything to show."""

    def __init__(self, source: Numbers) -> None:
        super().__init__()
        self._source = source

    async def send(self, _credential: str, jpeg: bytes, **details: Any) -> FrameReceipt:
        if not self._source.is_through:
            raise UnavailableError("away", 0.05)
        return await super().send(_credential, jpeg, **details)


async def fed(frames: FakeFrames, source: Any, **pace: Any) -> Tally:
    tally = Tally()
    await feed_camera(frames, SENDER, source, Pace(**pace), tally, lambda: None)  # type: ignore[arg-type]
    return tally


def refused(code: str) -> RefusedError:
    return RefusedError(
        422, {"type": f"urn:alpr:problem:{code}", "title": code, "detail": "d", "clause": "131.x"}
    )


async def test_by_default_the_last_shot_is_taken_now() -> None:
    frames = FakeFrames()
    began = datetime.now(UTC)
    await fed(frames, Numbers(10, 60))
    times = [captured for _, captured, _ in frames.taken]
    assert all(b - a == timedelta(seconds=60) for a, b in pairwise(times))
    assert abs(times[0] - (began - timedelta(seconds=600))) < timedelta(seconds=5)


async def test_in_real_time_no_shot_is_sent_before_it_is_taken() -> None:
    frames = FakeFrames()
    began = datetime.now(UTC)
    await fed(frames, Numbers(4, 0.1), realtime=True)
    assert datetime.now(UTC) - began >= timedelta(seconds=0.3)
    assert [n for _, _, n in frames.taken] == [0, 1, 2, 3]


async def test_a_given_start_counts() -> None:
    frames, start = FakeFrames(), datetime.now(UTC) - timedelta(hours=3)
    await fed(frames, Numbers(3, 1), start_at=start)
    assert [t - start for _, t, _ in frames.taken] == [timedelta(seconds=n) for n in range(3)]


async def test_a_loop_goes_on_in_time_and_never_into_the_future() -> None:
    frames = FakeFrames()
    feeding = asyncio.create_task(fed(frames, Numbers(2, 0.02), loop=True))
    await eventually(lambda: len(frames.taken) > 4, 30, what="it began again and again")
    assert not feeding.done()
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    times = [captured for _, captured, _ in frames.taken]
    assert len(set(times)) == len(times)
    assert times == sorted(times)
    assert times[-1] <= datetime.now(UTC)


async def test_an_outage_is_waited_out_without_changing_the_order() -> None:
    frames = FakeFrames(UnavailableError("away", 0.01), UnavailableError("away", 0.01))
    tally = await fed(frames, Numbers(4, 1))
    assert [jpeg for jpeg, _, _ in frames.taken] == [b"0", b"1", b"2", b"3"]
    assert (tally.accepted, frames.tries) == (4, 6)


async def test_an_outage_that_lasts_is_given_up() -> None:
    frames = FakeFrames(*[UnavailableError("away", 0.05)] * 100)
    with pytest.raises(GaveUp, match="away"):
        await fed(frames, Numbers(4, 1), patience_seconds=0.2)
    assert frames.taken == []


async def test_refusals_are_counted_by_reason_and_the_rest_goes_on() -> None:
    frames = FakeFrames(refused("not-a-jpeg"), refused("not-a-jpeg"), refused("other"))
    tally = await fed(frames, Numbers(5, 1))
    assert tally.accepted == 2
    assert dict(tally.refused) == {"not-a-jpeg (131.x)": 2, "other (131.x)": 1}
    assert tally.reasons["not-a-jpeg (131.x)"] == "#0: d"


async def test_a_camera_that_may_not_send_stops_at_once() -> None:
    frames = FakeFrames(refused("camera-unattested"))
    tally = await fed(frames, Numbers(5, 1))
    assert (tally.accepted, tally.refused.total(), frames.tries) == (0, 1, 1)


async def test_a_live_stream_takes_the_time_of_arrival() -> None:
    frames = FakeFrames()
    began = datetime.now(UTC)
    tally = await fed(frames, Numbers(5, 1, live=True))
    assert tally.accepted == 5
    assert all(began <= t <= datetime.now(UTC) for _, t, _ in frames.taken)


async def test_a_live_stream_is_kept_for_a_while_and_what_is_dropped_is_said() -> None:
    source = Numbers(400, 0.01, live=True)
    frames = AwayUntilThrough(source)
    tally = await fed(frames, source)
    assert tally.accepted + tally.dropped == 400
    assert tally.dropped > 0
    kept = [int(jpeg) for jpeg, _, _ in frames.taken]
    assert kept == sorted(kept)
    assert kept[-1] == 399, "the oldest go, not the newest"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "street.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            pixels = np.full((48, 64, 3), number * 10, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return file


@pytest.mark.parametrize(("rate", "number"), [(None, 20), (5, 10), (2.5, 5), (100, 20)])
def test_a_video_gives_as_many_pictures_as_the_rate_says(
    video: Path, rate: float | None, number: int
) -> None:
    source = Video(video, rate)
    shots = list(source.shots())
    assert len(shots) == source.count == number
    offsets = [shot.offset_seconds for shot in shots]
    assert offsets == sorted(set(offsets))
    assert source.duration_seconds == pytest.approx(2.0)
    assert all(s.jpeg.startswith(b"\xff\xd8") and s.jpeg.endswith(b"\xff\xd9") for s in shots)


def test_a_stream_is_read_like_a_video(video: Path) -> None:
    source = Stream(str(video), 5)
    assert source.duration_seconds is None
    assert len(list(source.shots())) == 10


def test_a_stream_that_never_came_is_a_wrong_address_and_hides_the_password() -> None:
    source = Stream("rtsp://user:secret@127.0.0.1:9/cam", None)
    with pytest.raises(NothingToFeed) as error:
        next(source.shots())
    assert "secret" not in str(error.value)


def test_pictures_come_in_the_order_of_their_names_as_they_are(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.JPG", "c.txt"):
        (tmp_path / name).write_bytes(name.encode())
    files = pictures_in(tmp_path)
    assert [s.jpeg for s in Pictures(files, 1, {}).shots()] == [b"a.JPG", b"b.jpg"]


def test_other_formats_become_jpegs(video: Path, tmp_path: Path) -> None:
    with av.open(str(video)) as container:
        frame = next(container.decode(video=0))
    file = tmp_path / "one.png"
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 25)
    frame.pts = 0
    packets = [*encoder.encode(frame.reformat(format="rgb24")), *encoder.encode(None)]
    file.write_bytes(b"".join(bytes(p) for p in packets))
    assert jpeg_of(file).startswith(b"\xff\xd8")


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_an_input_without_pictures_is_said(tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToFeed):
        pictures_in(tmp_path / what)


def test_a_file_that_is_no_video_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text("no video")
    with pytest.raises(NothingToFeed):
        Video(tmp_path / "x.mp4", None)


def test_times_come_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "times.csv"
    table.write_text("file,captured_at\na.jpg,2026-05-04T10:00:00Z\n")
    assert read_times(table) == {"a.jpg": datetime(2026, 5, 4, 10, tzinfo=UTC)}
    table.write_text("name\nx\n")
    with pytest.raises(NothingToFeed, match="captured_at"):
        read_times(table)


@pytest.mark.parametrize(
    ("text", "stream"), [("rtsp://c/1", True), ("http://c/m.mjpg", True), ("a/b.mp4", False)]
)
def test_streams_are_known_by_their_scheme(text: str, stream: bool) -> None:
    assert is_stream(text) is stream


def test_camera_ids_are_made_of_what_an_id_may_have_and_differ() -> None:
    ids = camera_ids("cam", ["Straße 1", "Straße-1", "a/../b", "x" * 100, "x" * 101])
    assert ids[:3] == ["cam-Stra-e-1", "cam-Stra-e-1-2", "cam-a-..-b"]
    assert len(set(ids)) == 5
    assert max(map(len, ids)) == 64


class FakeCameras:
    def __init__(self, taken: bool = False) -> None:
        self.taken = taken
        self.registered: list[str] = []

    async def register(self, camera_id: str, **_details: Any) -> RegisteredCamera:
        if self.taken:
            raise RefusedError(409, {"title": "taken"})
        self.registered.append(camera_id)
        return RegisteredCamera(camera_id=camera_id, credential=f"{camera_id}.new")

    async def renew_credential(self, camera_id: str) -> RegisteredCamera:
        return RegisteredCamera(camera_id=camera_id, credential=f"{camera_id}.renewed")


async def test_credentials_are_kept_for_the_next_run(tmp_path: Path) -> None:
    file, cameras = tmp_path / "c.json", FakeCameras()
    how = Credentials(file=file, register=True, site="the road")
    await senders(cameras, ["a", "b"], Place(1, 2), how)  # type: ignore[arg-type]
    assert json.loads(file.read_text()) == {"a": "a.new", "b": "b.new"}
    assert file.stat().st_mode & 0o077 == 0
    again = await senders(cameras, ["a", "b"], Place(1, 2), Credentials(file=file))  # type: ignore[arg-type]
    assert [s.credential for s in again] == ["a.new", "b.new"]
    assert cameras.registered == ["a", "b"]


async def test_a_camera_that_exists_keeps_its_credential_unless_told() -> None:
    cameras: Any = FakeCameras(taken=True)
    with pytest.raises(NothingToFeed, match="--renew"):
        await senders(cameras, ["a"], Place(), Credentials(register=True))
    renewing = Credentials(register=True, renew=True)
    (sender,) = await senders(cameras, ["a"], Place(), renewing)
    assert sender.credential == "a.renewed"


async def test_without_a_credential_it_says_what_to_do() -> None:
    with pytest.raises(NothingToFeed, match="--register"):
        await senders(FakeCameras(), ["a"], Place(), Credentials())  # type: ignore[arg-type]
