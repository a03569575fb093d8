"""Frames reach the topic in order per camera, whatever Kafka does meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alpr_common.errors import Outage
from alpr_ingest.delivery import GIVEN_UP, Delivery
from alpr_ingest.refusals import SpoolFull
from alpr_ingest.spool import Spool
from alpr_ingest.spool_files import OutgoingFrame
from tests.support.waiting import eventually

THREE_DAYS = timedelta(days=3)


class FakeTopic:
    """Takes frames, hangs, or says that it is away."""

    def __init__(self) -> None:
        self.taken: defaultdict[str, list[int]] = defaultdict(list)
        self.is_away = False
        self.answering = asyncio.Event()
        self.answering.set()
        self.under_way = 0
        self.most_under_way = 0

    async def connect(self) -> None:
        if self.is_away:
            raise Outage("no broker")

    async def publish(self, frame: OutgoingFrame) -> None:
        if self.is_away:
            raise Outage("no broker")
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.answering.wait()
            await asyncio.sleep(0)
            self.taken[frame.camera_id].append(int(frame.jpeg))
        finally:
            self.under_way -= 1


@dataclass
class Clock:
    """What Delivery takes for the time."""

    now: datetime = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def frame(camera_id: str, number: int) -> OutgoingFrame:
    return OutgoingFrame(camera_id, str(number).encode(), ())


@pytest.fixture
def topic() -> FakeTopic:
    return FakeTopic()


@asynccontextmanager
async def delivering(
    topic: FakeTopic, folder: Path, max_bytes: int = 10**6, clock: Clock | None = None
) -> AsyncIterator[Delivery]:
    spool = Spool(folder, max_bytes=max_bytes, min_free_bytes=0)
    await spool.open()
    delivery = Delivery(
        topic,
        spool,
        kafka_timeout_seconds=0.1,
        waits_at_most=THREE_DAYS,
        clock=clock or (lambda: datetime.now(UTC)),
    )
    running = asyncio.create_task(delivery.run())
    try:
        if not topic.is_away:
            await eventually(lambda: delivery._kafka_up)
        yield delivery
    finally:
        assert not running.done(), running.exception()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        spool.close()


async def has_left_the_spool(delivery: Delivery, camera_id: str) -> None:
    """A frame that Kafka has is then unlinked, in a thread; until that later ones queue behind."""
    await eventually(lambda: not delivery._spool.has(camera_id), what="the spool is empty")


async def test_a_frame_goes_straight_to_kafka(topic: FakeTopic, tmp_path: Path) -> None:
    async with delivering(topic, tmp_path / "s") as delivery:
        assert await delivery.deliver(frame("a", 1)) is False
        assert topic.taken["a"] == [1]


async def test_frames_are_spooled_while_kafka_is_away_and_sent_in_order_later(
    topic: FakeTopic, tmp_path: Path
) -> None:
    async with delivering(topic, tmp_path / "s") as delivery:
        await delivery.deliver(frame("a", 0))
        topic.is_away = True
        for n in range(1, 30):
            for camera_id in "abc":
                assert await delivery.deliver(frame(camera_id, n)) is True
        topic.is_away = False
        await eventually(lambda: [topic.taken[c][-1:] for c in "abc"] == [[29]] * 3)
        assert topic.taken["a"] == list(range(30))
        assert topic.taken["b"] == topic.taken["c"] == list(range(1, 30))
        await has_left_the_spool(delivery, "a")
        assert await delivery.deliver(frame("a", 30)) is False


async def test_later_frames_do_not_overtake_spooled_ones_while_these_are_sent(
    topic: FakeTopic, tmp_path: Path
) -> None:
    async with delivering(topic, tmp_path / "s") as delivery:
        topic.is_away = True
        for n in range(50):
            await delivery.deliver(frame("a", n))
        topic.is_away = False
        for n in range(50, 200):
            await delivery.deliver(frame("a", n))
        await eventually(lambda: len(topic.taken["a"]) == 200)
        assert topic.taken["a"] == list(range(200))


async def test_a_late_acknowledgement_makes_no_second_message(
    topic: FakeTopic, tmp_path: Path
) -> None:
    async with delivering(topic, tmp_path / "s") as delivery:
        topic.answering.clear()
        assert await delivery.deliver(frame("a", 1)) is True
        assert await delivery.deliver(frame("a", 2)) is True
        await asyncio.sleep(0.5)  # several times the timeout: it would have been sent again
        topic.answering.set()
        await eventually(lambda: len(topic.taken["a"]) == 2)
        await has_left_the_spool(delivery, "a")
        assert topic.taken["a"] == [1, 2]


async def test_one_camera_asks_for_all_whether_kafka_is_back(
    topic: FakeTopic, tmp_path: Path
) -> None:
    async with delivering(topic, tmp_path / "s") as delivery:
        await delivery.deliver(frame("a", 0))
        topic.answering.clear()
        await delivery.deliver(frame("a", 1))
        for camera in range(40):
            await delivery.deliver(frame(f"c{camera}", 1))
        topic.most_under_way = topic.under_way
        await asyncio.sleep(0.5)
        assert topic.most_under_way <= 2
        topic.answering.set()
        await eventually(lambda: len(topic.taken) == 41 and len(topic.taken["a"]) == 2)


async def test_cameras_come_in_while_kafka_is_away_from_the_start(
    topic: FakeTopic, tmp_path: Path
) -> None:
    topic.is_away = True
    async with delivering(topic, tmp_path / "s") as delivery:
        for n in range(5):
            assert await delivery.deliver(frame("a", n)) is True
        topic.is_away = False
        await eventually(lambda: topic.taken["a"] == list(range(5)))


async def test_what_an_earlier_process_spooled_is_sent_before_new_frames(
    topic: FakeTopic, tmp_path: Path
) -> None:
    topic.is_away = True
    async with delivering(topic, tmp_path / "s") as delivery:
        for n in range(10):
            await delivery.deliver(frame("a", n))
    topic.is_away = False
    async with delivering(topic, tmp_path / "s") as delivery:
        for n in range(10, 20):
            await delivery.deliver(frame("a", n))
        await eventually(lambda: len(topic.taken["a"]) == 20)
        assert topic.taken["a"] == list(range(20))


async def test_a_torn_file_does_not_hold_up_the_frames_behind_it(
    topic: FakeTopic, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    topic.is_away = True
    async with delivering(topic, folder) as delivery:
        for n in range(3):
            await delivery.deliver(frame("a", n))
    second = sorted(folder.glob("*.frame"))[1]
    second.write_bytes(second.read_bytes()[:-1])
    topic.is_away = False
    async with delivering(topic, folder):
        await eventually(lambda: topic.taken["a"] == [0, 2])
    assert len(list(folder.glob("*.torn"))) == 1


async def test_a_full_spool_refuses_and_recovers(topic: FakeTopic, tmp_path: Path) -> None:
    async with delivering(topic, tmp_path / "s", max_bytes=150) as delivery:
        topic.is_away = True
        for n in range(3):
            await delivery.deliver(frame("a", n))
        with pytest.raises(SpoolFull):
            await delivery.deliver(frame("a", 3))
        assert not delivery.can_take_frames
        topic.is_away = False
        await eventually(lambda: delivery.can_take_frames)
        await eventually(lambda: topic.taken["a"] == [0, 1, 2])
        await has_left_the_spool(delivery, "a")
        assert await delivery.deliver(frame("a", 3)) is False


async def test_frames_of_one_camera_side_by_side_keep_their_order(
    topic: FakeTopic, tmp_path: Path
) -> None:
    async with delivering(topic, tmp_path / "s") as delivery:
        sends = [asyncio.create_task(delivery.deliver(frame("a", n))) for n in range(20)]
        await asyncio.gather(*sends)
        assert topic.taken["a"] == list(range(20))


@pytest.mark.policy("131.7-1d")
async def test_a_frame_that_waited_for_too_long_is_given_up_while_kafka_is_still_away(
    topic: FakeTopic, tmp_path: Path
) -> None:
    clock, folder = Clock(), tmp_path / "s"
    async with delivering(topic, folder, clock=clock) as delivery:
        before = GIVEN_UP._value.get()
        topic.is_away = True
        for n in range(8):
            await delivery.deliver(frame("a", n))
        clock.now += THREE_DAYS + timedelta(seconds=1)
        await delivery.deliver(frame("a", 8))
        # A file is unlinked in a thread; the loop counts it after that.
        await eventually(lambda: GIVEN_UP._value.get() - before == 8, 30)
        assert len(list(folder.glob("*.frame"))) == 1
        topic.is_away = False
        await eventually(lambda: topic.taken["a"] == [8], 30)


@pytest.mark.policy("131.7-1c")
async def test_a_frame_is_sent_for_as_long_as_it_may_wait(topic: FakeTopic, tmp_path: Path) -> None:
    clock = Clock()
    async with delivering(topic, tmp_path / "s", clock=clock) as delivery:
        topic.is_away = True
        await delivery.deliver(frame("a", 1))
        clock.now += THREE_DAYS
        topic.is_away = False
        await eventually(lambda: topic.taken["a"] == [1], 30)


@pytest.mark.policy("131.7-1d")
async def test_the_time_that_a_frame_waits_goes_on_while_no_process_runs(
    topic: FakeTopic, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    topic.is_away = True
    async with delivering(topic, folder) as delivery:
        await delivery.deliver(frame("a", 1))
        await delivery.deliver(frame("a", 2))
    first = min(folder.glob("*.frame"))
    long_ago = (datetime.now(UTC) - timedelta(days=4)).timestamp()
    os.utime(first, (long_ago, long_ago))
    topic.is_away = False
    async with delivering(topic, folder):
        await eventually(lambda: topic.taken["a"] == [2], 30)
