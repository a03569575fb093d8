"""When the last frame was taken from each camera: noted in memory, written now and then.

A frame costs one entry of a dictionary here and never waits for PostgreSQL. What is not written
yet when the process is killed is lost: then the registry's time is some seconds too early, which
nobody decides on.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Never

import structlog

from alpr_common.errors import Outage
from alpr_common.postgres import Database
from alpr_ingest import store
from alpr_ingest.domain import Camera

log = structlog.get_logger()

_LEAVE_SECONDS = 2.0


class LastFrames:
    """`note` beside each frame, `run` beside the requests, `leave` at the end."""

    def __init__(self) -> None:
        self._unwritten: dict[tuple[str, str], datetime] = {}

    def note(self, camera: Camera, taken_at: datetime) -> None:
        """A frame was taken from the camera. Cannot fail and waits for nothing."""
        self._unwritten[camera.agency_id, camera.camera_id] = taken_at

    async def run(self, database: Database, every_seconds: float) -> Never:
        """Write what was noted, each camera once in `every_seconds` at most, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.write(database)
            except Outage as error:
                log.warning("last_frames.not_written", error=str(error))

    async def leave(self, database: Database) -> None:
        """Write what is left, without keeping a process that ends."""
        with contextlib.suppress(Outage, TimeoutError):
            await asyncio.wait_for(self.write(database), _LEAVE_SECONDS)

    async def write(self, database: Database) -> None:
        """Write what was noted. Raises `Outage`; what is not written then stays noted."""
        for agency_id, taken in self._by_agency().items():
            async with database.transaction(agency_id) as connection:
                await store.write_last_frames(connection, agency_id, taken)
            for camera_id, taken_at in taken.items():
                # Unless it has sent another one meanwhile.
                if self._unwritten.get((agency_id, camera_id)) == taken_at:
                    del self._unwritten[agency_id, camera_id]

    def _by_agency(self) -> Mapping[str, dict[str, datetime]]:
        found: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        for (agency_id, camera_id), taken_at in self._unwritten.items():
            found[agency_id][camera_id] = taken_at
        return found
