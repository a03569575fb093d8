"""Somebody enters plates by hand while `bench.hotlist_import` imports: how soon each counts."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer

from alpr_common.auth import Principal
from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit
from alpr_common.messages.read import Box, Read
from alpr_common.plates import match_key
from alpr_common.policy import Role
from alpr_common.topics import HITS, READS
from alpr_matcher.handlers import HotLists, WantedEntry, add_entry

AGENCY = "IL0222900"
_PAUSE_SECONDS = 1.0
_READ_EVERY_SECONDS = 0.05
_GIVEN_UP_SECONDS = 60.0


async def enter(lists: HotLists, number: int) -> str:
    """One AMBER entry; returns its plate."""
    person = Principal("p", "Bench", AGENCY, Role.OFFICER, "s", None, None)
    now, plate = datetime.now(UTC), f"AMB{number:04}"
    wanted = WantedEntry(plate, "amber_alert", "Child taken", now + timedelta(days=1))
    await add_entry(lists, person, wanted, now)
    return plate


@asynccontextmanager
async def meanwhile(
    measure: Callable[[int], Awaitable[float]],
) -> AsyncIterator[dict[str, Any]]:
    """Measure again and again while the block runs; the figures are complete behind it."""
    figures: dict[str, Any] = {}
    times: list[float] = []
    ended = asyncio.Event()

    async def again() -> None:
        while not ended.is_set():
            times.append(await measure(len(times)))
            try:
                await asyncio.wait_for(ended.wait(), _PAUSE_SECONDS)
            except TimeoutError:
                continue

    task = asyncio.create_task(again())
    try:
        yield figures
    finally:
        ended.set()
        await task
        times.sort()
        figures |= {
            "entries": len(times),
            "median_seconds": round(times[len(times) // 2], 3),
            "longest_seconds": round(times[-1], 3),
        }


class Effective:
    """Reads of a plate come from when its entry was answered; its first hit ends the time."""

    def __init__(self, lists: HotLists, servers: str) -> None:
        self._lists, self._servers = lists, servers
        self._hits: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Effective"]:
        self._publisher = Publisher(self._servers)
        consumer = AIOKafkaConsumer(
            HITS.name, bootstrap_servers=self._servers, auto_offset_reset="latest",
            enable_auto_commit=False,
        )  # fmt: skip
        await consumer.start()
        await consumer.seek_to_end()
        task = asyncio.create_task(self._watch(consumer))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await consumer.stop()
            await self._publisher.stop()

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        async for message in consumer:
            plate = Hit.from_bytes(message.value).read.plate
            if plate in self._hits:
                self._hits[plate].set()

    async def measure(self, number: int) -> float:
        """Seconds from the answer to an entry until a read of its plate has hit."""
        # Numbers of its own: what was entered in another phase counts already.
        plate = await enter(self._lists, 5000 + number)
        hit = self._hits[plate] = asyncio.Event()
        began = time.perf_counter()
        while not hit.is_set() and time.perf_counter() - began < _GIVEN_UP_SECONDS:
            read = _read(plate)
            await self._publisher.publish(READS, read.match_key, read.to_bytes())
            try:
                await asyncio.wait_for(hit.wait(), _READ_EVERY_SECONDS)
            except TimeoutError:
                continue
        return time.perf_counter() - began


def _read(plate: str) -> Read:
    now = datetime.now(UTC)
    return Read(
        read_id=uuid4(), agency_id=AGENCY, camera_id="camera-1", plate=plate,
        match_key=match_key(plate), captured_at=now, first_captured_at=now, last_captured_at=now,
        latitude=42, longitude=-88, confidence=0.9, frame_id=UUID(int=1), frame_object="f.jpg",
        plate_object="p.jpg", plate_box=Box(x1=0, y1=0, x2=1, y2=1), emitted_at=now,
    )  # fmt: skip
