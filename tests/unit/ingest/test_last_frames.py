"""When the last frame was taken: noted at once, written now and then, in no frame's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from alpr_common.errors import Outage
from alpr_ingest.domain import Camera, CameraKind
from alpr_ingest.last_frames import LastFrames
from tests.support.waiting import eventually

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def camera(camera_id: str, agency_id: str = "IL0222900") -> Camera:
    return Camera(
        camera_id, agency_id, camera_id, CameraKind.MOBILE, None, None, None, (), b"", NOW, NOW,
        None,
    )  # fmt: skip


class Written:
    """A database that keeps what it is given, or is away."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, dict[str, datetime]]] = []
        self.is_away = False
        self.hangs = False

    @asynccontextmanager
    async def transaction(self, agency_id: str) -> AsyncIterator[Written]:
        if self.is_away:
            raise Outage("PostgreSQL is away.")
        if self.hangs:
            await asyncio.Event().wait()
        self.agency_id = agency_id
        yield self

    async def execute(self, _sql: str, agency_id: str, ids: list[str], times: Any) -> None:
        assert agency_id == self.agency_id
        self.writes.append((agency_id, dict(zip(ids, times, strict=True))))


async def test_many_frames_of_a_camera_are_one_write() -> None:
    last, database = LastFrames(), Written()
    for number in range(500):
        last.note(camera("a"), NOW + number * SECOND)
    last.note(camera("b"), NOW)
    last.note(camera("c", "IL0160000"), NOW)
    await last.write(database)  # type: ignore[arg-type]
    assert database.writes == [
        ("IL0222900", {"a": NOW + 499 * SECOND, "b": NOW}), ("IL0160000", {"c": NOW}),
    ]  # fmt: skip
    await last.write(database)  # type: ignore[arg-type]
    assert len(database.writes) == 2, "nothing new, nothing written"


async def test_what_was_noted_while_postgresql_was_away_is_written_later() -> None:
    last, database = LastFrames(), Written()
    database.is_away = True
    last.note(camera("a"), NOW)
    running = asyncio.create_task(last.run(database, 0.01))  # type: ignore[arg-type]
    try:
        last.note(camera("a"), NOW + SECOND)
        database.is_away = False
        await eventually(lambda: bool(database.writes), 20)
        assert database.writes == [("IL0222900", {"a": NOW + SECOND})]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_frame_that_comes_while_the_one_before_is_written_is_not_forgotten() -> None:
    last = LastFrames()

    class Slow(Written):
        async def execute(self, _sql: str, agency_id: str, ids: list[str], times: Any) -> None:
            await super().execute(_sql, agency_id, ids, times)
            if len(self.writes) == 1:
                last.note(camera("a"), NOW + SECOND)

    database = Slow()
    last.note(camera("a"), NOW)
    await last.write(database)  # type: ignore[arg-type]
    await last.write(database)  # type: ignore[arg-type]
    assert [taken["a"] for _, taken in database.writes] == [NOW, NOW + SECOND]


async def test_a_process_that_ends_writes_what_is_left_and_waits_for_no_database() -> None:
    last, database = LastFrames(), Written()
    last.note(camera("a"), NOW)
    await last.leave(database)  # type: ignore[arg-type]
    assert len(database.writes) == 1
    last.note(camera("a"), NOW + SECOND)
    database.hangs = True
    await asyncio.wait_for(last.leave(database), 30)  # type: ignore[arg-type]
    database.hangs, database.is_away = False, True
    await last.leave(database)  # type: ignore[arg-type]
