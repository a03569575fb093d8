"""The bounded queue on disk for frames that Kafka has not acknowledged, in order per camera."""

import asyncio
import os
import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from prometheus_client import Counter, Gauge

from alpr_common.errors import Outage
from alpr_ingest import spool_files
from alpr_ingest.refusals import SpoolFull
from alpr_ingest.spool_files import OutgoingFrame, SpoolEntry

log = structlog.get_logger()

SPOOL_FRAMES = Gauge("alpr_ingest_spool_frames", "Frames waiting on disk")
SPOOL_BYTES = Gauge("alpr_ingest_spool_bytes", "Bytes waiting on disk")
TORN = Counter("alpr_ingest_spool_torn_total", "Spooled files that were torn", ["kind"])

_IO_THREADS = 4
T = TypeVar("T")


class Spool:
    """Lives on one event loop; disk work runs in threads. One process per folder."""

    def __init__(self, folder: Path, *, max_bytes: int, min_free_bytes: int) -> None:
        self._folder, self._max_bytes, self._min_free = folder, max_bytes, min_free_bytes
        self._waiting: dict[str, deque[SpoolEntry]] = {}
        self._bytes = 0
        self._last_size = 0
        self._next = 1
        self._lock: int | None = None
        self._threads = ThreadPoolExecutor(_IO_THREADS, thread_name_prefix="spool")

    async def open(self, patience_seconds: float = 10.0) -> None:
        """Take the folder and find what an earlier process left in it; raises `SpoolInUse`."""
        self._lock = await self._in_thread(
            partial(spool_files.lock_folder, self._folder, patience_seconds)
        )
        entries, unfinished = await self._in_thread(partial(spool_files.recover, self._folder))
        TORN.labels("unfinished").inc(unfinished)
        for entry in entries:
            self._add(entry)
            self._next = entry.number + 1
            self._bytes += entry.size
        self._note()
        if entries:
            log.info("spool.recovered", frames=len(entries), bytes=self._bytes)

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another frame like the last one."""
        return not self._has_room(self._last_size)

    def cameras(self) -> list[str]:
        """Cameras with waiting frames, the one that waits longest first."""
        return sorted(self._waiting, key=lambda camera_id: self._waiting[camera_id][0].number)

    def has(self, camera_id: str) -> bool:
        return camera_id in self._waiting

    def head(self, camera_id: str) -> SpoolEntry | None:
        """The camera's oldest waiting frame."""
        waiting = self._waiting.get(camera_id)
        return waiting[0] if waiting else None

    async def put(self, frame: OutgoingFrame, now: datetime) -> SpoolEntry:
        """Durable when it returns. The caller puts one frame of a camera at a time.

        Raises `SpoolFull`, or `Outage` when the disk fails.
        """
        size = frame.spooled_size
        self._last_size = size
        if not self._has_room(size):
            raise SpoolFull(
                "Kafka does not take frames at the moment and the room to keep them is used up. "
                "Keep the frame and send it again later.",
                limit_bytes=self._max_bytes,
            )
        entry = SpoolEntry(self._next, frame.camera_id, size, now)
        self._next += 1
        self._bytes += size  # before the write, so that writes side by side keep to the limit
        try:
            await self._in_thread(partial(spool_files.write, self._folder, entry, frame))
        except OSError as error:
            self._bytes -= size
            raise Outage(
                f"The spool could not be written: {error}. Send the frame again."
            ) from error
        self._add(entry)
        self._note()
        return entry

    async def load(self, entry: SpoolEntry) -> OutgoingFrame:
        """Raises `TornFrame`, or `OSError` when the disk fails."""
        return await self._in_thread(partial(spool_files.read, self._folder, entry))

    async def remove(self, entry: SpoolEntry) -> None:
        """The camera's head was acknowledged by Kafka, or is given up."""
        await self._in_thread(partial(spool_files.remove, self._folder, entry))
        self._drop(entry)

    async def set_aside(self, entry: SpoolEntry) -> None:
        """The camera's head is torn: it is kept under another name and reported."""
        await self._in_thread(partial(spool_files.set_aside, self._folder, entry))
        TORN.labels("damaged").inc()
        self._drop(entry)

    async def forget_torn(self, before: datetime) -> int:
        """Remove torn files that were written before then; how many there were."""
        return await self._in_thread(
            partial(spool_files.forget_torn, self._folder, before.timestamp())
        )

    def _has_room(self, size: int) -> bool:
        free = shutil.disk_usage(self._folder).free
        return self._bytes + size <= self._max_bytes and free - size >= self._min_free

    def _add(self, entry: SpoolEntry) -> None:
        self._waiting.setdefault(entry.camera_id, deque()).append(entry)

    def _drop(self, entry: SpoolEntry) -> None:
        waiting = self._waiting[entry.camera_id]
        assert waiting[0] == entry, "frames leave the spool in order"
        waiting.popleft()
        if not waiting:
            del self._waiting[entry.camera_id]
        self._bytes -= entry.size
        self._note()

    def _note(self) -> None:
        SPOOL_FRAMES.set(sum(map(len, self._waiting.values())))
        SPOOL_BYTES.set(self._bytes)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
