"""A folder that others drop lists into: SFTP servers, synchronizing programs, people.

    <folder>/<agency_id>/<source>/list.txt     is imported as that agency's list of that source,
    …/<source>/done/<time>-list.txt            with the mapper and mode that the list has, and
    …/<source>/done/<time>-list.txt.report.json  moved, with what was done beside it
    …/<source>/failed/…                        where it was refused: the list is as it was

Names that begin with a dot or end in .part, .tmp or .filepart are still being written.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Counter

from alpr_common.auth import Principal
from alpr_common.errors import AlprError, Outage
from alpr_common.policy import Role
from alpr_matcher import lists_store
from alpr_matcher.imports import Importing, WantedImport, import_file
from alpr_matcher.lists_domain import LIST_SOURCE

log = structlog.get_logger()

_ENDED = ("done", "failed")
_UNFINISHED = (".part", ".tmp", ".filepart")
_NAME_MAX_BYTES = 200
DROPPED = Counter("alpr_hotlist_dropped_files_total", "Files of the watched folder", ["outcome"])


@dataclass
class WatchedFolder:
    """Imports what is dropped, once, one file at a time over all replicas."""

    folder: Path
    importing: Importing
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)

    async def run(self, every_seconds: float) -> None:
        """For ever; an outage leaves the file where it is."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except (Outage, OSError) as error:
                log.warning("folder.outage", error=str(error))
            await asyncio.sleep(every_seconds)

    async def look(self, now: datetime) -> int:
        """Import the files that were whole at the look before and still are; how many."""
        whole = await asyncio.to_thread(self._whole)
        if not whole:
            return 0
        database = self.importing.lists.database
        # Held while importing: another replica that sees the same folder leaves it alone.
        async with database.transaction() as connection:
            if not await lists_store.is_only_one(connection, "watched folder"):
                return 0
            for path in whole:
                if not path.is_file():
                    continue  # another replica was quicker
                try:
                    await self._import(path, now)
                except OSError as error:  # this one's: those behind it are not kept waiting
                    log.error("folder.file_stuck", file=str(path), error=str(error))
        return len(whole)

    async def _import(self, path: Path, now: datetime) -> None:
        agency_id, source = path.parts[-3], path.parts[-2]
        person = Principal(
            "watched-folder",
            "Watched folder",
            agency_id,
            Role.SERVICE,
            "watched-folder",
            None,
            None,
        )
        name = os.fsencode(path.name).decode(errors="replace")
        wanted = WantedImport(source=source, file_name=name)
        # Before the import: what cannot be moved afterwards would be imported again and again.
        for outcome in _ENDED:
            (path.parent / outcome).mkdir(exist_ok=True)
        try:
            with path.open("rb") as file:
                report = await import_file(self.importing, person, wanted, file, now)
            outcome = "done"
        except Outage:
            raise
        except AlprError as error:
            outcome = "failed"
            report = {"title": error.title, "detail": error.detail, **error.extra}
            if error.clause:
                report["clause"] = error.clause
        await asyncio.to_thread(_move, path, outcome, report, now)
        DROPPED.labels(outcome).inc()
        log.info("folder.imported", file=str(path), outcome=outcome)

    def _whole(self) -> list[Path]:
        sizes = dict(self._files())
        whole = [path for path, size in sizes.items() if self._seen.get(path) == size]
        self._seen = sizes
        return whole

    def _files(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        for path in sorted(self.folder.glob("*/*/*")):
            unfinished = path.name.startswith(".") or path.name.endswith(_UNFINISHED)
            if unfinished or not LIST_SOURCE.fullmatch(path.parent.name) or not path.is_file():
                continue
            if path.is_symlink():  # it may point anywhere
                continue
            if not path.parts[-3].isprintable():  # no text, so no agency's id
                continue
            found = path.stat()
            yield path, (found.st_size, found.st_mtime_ns)


def _move(path: Path, outcome: str, report: dict[str, Any], now: datetime) -> None:
    """The report first: a file that was moved without it would say nothing. Whoever waits for
    reports finds whole ones alone."""
    assert outcome in _ENDED
    folder = path.parent / outcome
    # With the time before it and the report's ending behind, no longer than a name may be.
    given = os.fsdecode(os.fsencode(path.name)[-_NAME_MAX_BYTES:])
    name = f"{now:%Y%m%dT%H%M%S%f}-{given}"
    said = json.dumps({"outcome": outcome, **report}, indent=1, default=str)
    unfinished = folder / f".{now:%Y%m%dT%H%M%S%f}.part"
    unfinished.write_text(said + "\n", "utf-8")
    unfinished.rename(folder / f"{name}.report.json")
    path.rename(folder / name)
