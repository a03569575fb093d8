"""Every accepted frame reaches Kafka, in order per camera: at once, or by way of the spool.

The caller may acknowledge a frame to its camera when `deliver` returns: Kafka has it, or the disk
has. While a camera has frames in the spool its later ones queue up behind them. While Kafka is
away one spooled frame at a time asks whether it is back.

A frame waits for a bounded time: what reached Kafka later would be on topics for longer than it may
be kept (131.7-1d), and a picture that never does may not stay on this disk either.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol

import structlog
from prometheus_client import Counter, Gauge

from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.topics import FRAMES
from alpr_ingest.spool import Spool
from alpr_ingest.spool_files import OutgoingFrame, SpoolEntry, TornFrame

log = structlog.get_logger()

ACCEPTED = Counter("alpr_frames_accepted_total", "Frames acknowledged to cameras", ["via"])
DRAINED = Counter("alpr_ingest_spool_sent_total", "Frames sent from the spool")
GIVEN_UP = Counter("alpr_ingest_spool_given_up_total", "Frames that waited for too long")
KAFKA_UP = Gauge("alpr_ingest_kafka_up", "Whether Kafka took the latest frame")

_SENDING_SIDE_BY_SIDE = 16
_DISK_PAUSE_SECONDS = 1.0
# Then another camera asks: its partition may have a leader where this one's has none.
_ASKS_IN_A_ROW = 5


class FramesTopic(Protocol):
    """Where frames go: Kafka, or a fake of it in the tests."""

    async def connect(self) -> None:
        """Raises `Outage`."""

    async def publish(self, frame: OutgoingFrame) -> None:
        """Returns when the frame is acknowledged; raises `Outage`."""


class KafkaFrames:
    """The frames' topic on Kafka."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def connect(self) -> None:
        await self._publisher.start()

    async def publish(self, frame: OutgoingFrame) -> None:
        acknowledged = await self._publisher.enqueue_raw(
            FRAMES.name, frame.camera_id.encode(), frame.jpeg, list(frame.headers)
        )
        await acknowledged


class Delivery:
    """`run` beside the requests; `deliver` in each of them."""

    def __init__(
        self,
        topic: FramesTopic,
        spool: Spool,
        *,
        kafka_timeout_seconds: float,
        waits_at_most: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._topic, self._spool, self._timeout = topic, spool, kafka_timeout_seconds
        self._waits_at_most, self._clock = waits_at_most, clock
        self._kafka_up = False
        self._camera: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Sends whose acknowledgement did not come in time but may still come, by spool number.
        # Waiting for them instead of sending again spares duplicates.
        self._pending: dict[int, asyncio.Task[None]] = {}
        self._spooled = asyncio.Event()
        self._slots = asyncio.Semaphore(_SENDING_SIDE_BY_SIDE)
        self._probe = asyncio.Lock()

    @property
    def can_take_frames(self) -> bool:
        return self._kafka_up or not self._spool.is_full

    async def deliver(self, frame: OutgoingFrame) -> bool:
        """Whether the frame went to the spool (True) or is on Kafka (False).

        Raises `SpoolFull` or `Outage`; the camera then has to send the frame again.
        """
        async with self._camera[frame.camera_id]:
            pending = None
            if self._kafka_up and not self._spool.has(frame.camera_id):
                pending = _start(self._topic.publish(frame))
                if await self._acknowledged(pending):
                    ACCEPTED.labels("kafka").inc()
                    return False
            try:
                entry = await self._spool.put(frame, self._clock())
            finally:
                self._spooled.set()
            if pending is not None and not _failed(pending):
                self._pending[entry.number] = pending
            ACCEPTED.labels("spool").inc()
            return True

    async def run(self) -> None:
        """Send what is spooled, now and later, until cancelled."""
        await self._connect()
        draining: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                self._spooled.clear()
                waiting = self._spool.cameras()
                if not waiting:
                    # Nobody is left to ask whether Kafka is back: the next frame will.
                    self._set_up(True)
                for camera_id in waiting:
                    if camera_id not in draining:
                        draining.add(camera_id)
                        group.create_task(self._drain(camera_id, draining))
                await self._spooled.wait()

    async def _connect(self) -> None:
        for pause in _pauses():
            try:
                await self._topic.connect()
                self._set_up(True)
                return
            except Outage as error:
                log.warning("kafka.away", error=str(error))
                await asyncio.sleep(pause)

    async def _drain(self, camera_id: str, draining: set[str]) -> None:
        while (entry := self._spool.head(camera_id)) is not None:
            if self._clock() - entry.spooled_at > self._waits_at_most:
                await self._give_up(entry)
            elif self._kafka_up:
                async with self._slots:
                    await self._send(entry)
            else:
                async with self._probe:
                    await self._ask_until_up(camera_id)
        draining.discard(camera_id)
        self._spooled.set()

    async def _ask_until_up(self, camera_id: str) -> None:
        for pause in islice(_pauses(), _ASKS_IN_A_ROW):
            entry = self._spool.head(camera_id)
            if self._kafka_up or entry is None or await self._send(entry):
                return
            await asyncio.sleep(pause)

    async def _give_up(self, entry: SpoolEntry) -> None:
        try:
            await self._spool.remove(entry)
        except OSError as error:
            log.error("spool.unreadable", file=entry.name, error=str(error))
            await asyncio.sleep(_DISK_PAUSE_SECONDS)
            return
        self._pending.pop(entry.number, None)
        GIVEN_UP.inc()
        log.error(
            "spool.frame_given_up",
            camera_id=entry.camera_id,
            spooled_at=entry.spooled_at.isoformat(),
            waits_at_most_hours=self._waits_at_most / timedelta(hours=1),
        )

    async def _send(self, entry: SpoolEntry) -> bool:
        """Whether the entry has left the spool."""
        try:
            pending = self._pending.get(entry.number)
            if pending is None:
                frame = await self._spool.load(entry)
                pending = self._pending[entry.number] = _start(self._topic.publish(frame))
            acknowledged = await self._acknowledged(pending)
            if pending.done():
                del self._pending[entry.number]
            if acknowledged:
                await self._spool.remove(entry)
                DRAINED.inc()
            return acknowledged
        except TornFrame as error:
            log.error("spool.torn", file=entry.name, reason=str(error))
            await self._spool.set_aside(entry)
            return True
        except OSError as error:
            log.error("spool.unreadable", file=entry.name, error=str(error))
            self._set_up(False)  # not Kafka's fault, but the same remedy: ask again, slower
            return False

    async def _acknowledged(self, pending: "asyncio.Task[None]") -> bool:
        """Whether the acknowledgement came in time. The send goes on if it did not."""
        await asyncio.wait({pending}, timeout=self._timeout)
        error: BaseException | None = TimeoutError("no acknowledgement in time")
        if pending.done():
            error = pending.exception()
        if error is not None and not isinstance(error, Outage | TimeoutError):
            raise error
        if error is not None and self._kafka_up:
            log.warning("kafka.away", error=str(error))
        self._set_up(error is None)
        return error is None

    def _set_up(self, up: bool) -> None:
        if up and not self._kafka_up:
            log.info("kafka.up")
        self._kafka_up = up
        KAFKA_UP.set(up)


def _start(publishing: Any) -> "asyncio.Task[None]":
    task: asyncio.Task[None] = asyncio.ensure_future(publishing)
    # Nobody may be waiting any more when it fails; that is no error of its own.
    task.add_done_callback(lambda t: None if t.cancelled() else t.exception())
    return task


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _pauses() -> Iterator[float]:
    """Growing, with jitter, so that many processes do not ask in step."""
    pause = 0.1
    while True:
        yield pause * (0.5 + random.random())  # noqa: S311 - jitter, not a secret
        pause = min(pause * 2, 2.0)
