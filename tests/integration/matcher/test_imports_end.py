"""How imports end on record, and what one dropped file does to those behind it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from alpr_common.auth import Principal
from alpr_common.errors import Outage
from alpr_common.policy import Role
from alpr_common.postgres import Connection, Database
from alpr_local.stack import Stack
from alpr_matcher import handlers, subscriptions
from alpr_matcher.folder import WatchedFolder
from alpr_matcher.handlers import HotLists
from alpr_matcher.imports import Importing, WantedImport, import_file, import_records
from alpr_matcher.lists import WantedList, add_list
from alpr_matcher.lists_domain import ListKind
from alpr_matcher.store import Page
from tests.integration.matcher.line import AGENCY, OTHER_AGENCY, plate_of

pytestmark = pytest.mark.integration

KEEPER = Principal("p-2", "Sam Keeper", AGENCY, Role.SUPERVISOR, "s-2", None, None)
LIST = f"plate,category,reason\n{plate_of(1)},stolen_vehicle,Stolen\n"


class GoneAfterTheCommit(Database):
    """A real database that no new transaction reaches once the import's own has ended."""

    is_gone = False

    @asynccontextmanager
    async def transaction(self, agency_id: str | None = None) -> AsyncIterator[Connection]:
        if self.is_gone:
            raise Outage("cut off")
        async with super().transaction(agency_id) as connection:
            yield connection
            imports = await connection.fetchval("SELECT to_regclass('pg_temp.staged_entry')")
        self.is_gone = imports is not None


class InterruptedOnce(Database):
    """A real database on which something else happens before the import's own transaction."""

    def __init__(self, pool: asyncpg.Pool[Any], between: Callable[[], Awaitable[object]]) -> None:
        super().__init__(pool)
        self.between, self.begun = between, 0

    @asynccontextmanager
    async def transaction(self, agency_id: str | None = None) -> AsyncIterator[Connection]:
        self.begun += 1
        if self.begun == 2:  # the first one found out which list it is
            await self.between()
        async with super().transaction(agency_id) as connection:
            yield connection


async def test_an_import_that_was_committed_is_on_record_as_done_whatever_comes_after(
    hot_lists: HotLists, fresh_stack: Stack
) -> None:
    database = await GoneAfterTheCommit.connect(fresh_stack.postgres_dsn("alpr_matcher"))
    now, wanted = datetime.now(UTC), WantedImport(source="cut-off", file_name="list.csv")
    lists = HotLists(database, hot_lists.policy, hot_lists.expired_kept)
    report = None
    try:
        report = await import_file(
            Importing(lists, 100), KEEPER, wanted, io.BytesIO(LIST.encode()), now
        )
    except Outage:
        pass
    finally:
        await database.close()
    (record,) = await import_records(hot_lists, KEEPER, wanted.import_id, now)
    assert (record["state"], record["report"]["added"]) == ("done", 1)
    assert report == record["report"]


async def test_what_is_imported_serves_whom_the_list_serves_by_then(
    hot_lists: HotLists, fresh_stack: Stack
) -> None:
    now = datetime.now(UTC)
    wanted = WantedList("shared", "Shared", ListKind.NEIGHBOUR, (OTHER_AGENCY,))
    on = await add_list(hot_lists, KEEPER, wanted, now)
    chief = Principal("p-3", "Lee", OTHER_AGENCY, Role.ADMINISTRATOR, "s-3", None, None)

    async def accept_and_serve() -> None:
        await subscriptions.answer(
            hot_lists, chief, on.list_id, accept=True, reason="Agreement", now=now
        )
        assert await subscriptions.serve_lists(hot_lists) == 1

    pool = await asyncpg.create_pool(fresh_stack.postgres_dsn("alpr_matcher"), min_size=1)
    assert pool is not None
    database = InterruptedOnce(pool, accept_and_serve)
    lists = HotLists(database, hot_lists.policy, hot_lists.expired_kept)
    file = WantedImport(source="shared", file_name="list.csv")
    await import_file(Importing(lists, 100), KEEPER, file, io.BytesIO(LIST.encode()), now)
    await database.close()
    page = Page(None, None, "live", None, 10, on.list_id)
    (entry,) = await handlers.entries(hot_lists, KEEPER, page, now)
    assert set(entry.entry.serves_agency_ids) == {AGENCY, OTHER_AGENCY}


async def test_a_file_that_cannot_be_moved_does_not_hold_up_those_behind_it(
    hot_lists: HotLists, tmp_path: Path
) -> None:
    first, second = tmp_path / AGENCY / "a-stuck", tmp_path / AGENCY / "b-behind"
    for folder in (first, second):
        folder.mkdir(parents=True)
        (folder / "list.csv").write_text(LIST)
    (first / "done").symlink_to("nowhere")
    watched = WatchedFolder(tmp_path, Importing(hot_lists, 100))
    for _ in range(2):
        await watched.look(datetime.now(UTC))
    (report,) = (second / "done").glob("*.report.json")
    assert json.loads(report.read_text())["added"] == 1
    assert (first / "list.csv").exists()


@pytest.mark.parametrize("name", [b"gr\xfcn.csv", ("grün" * 40 + ".csv").encode(), b"a" * 251])
async def test_a_file_of_any_name_is_imported_and_moved(
    hot_lists: HotLists, tmp_path: Path, name: bytes
) -> None:
    folder = tmp_path / AGENCY / "any-name"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(name)).write_text(LIST)
    watched = WatchedFolder(tmp_path, Importing(hot_lists, 100))
    for _ in range(2):
        await watched.look(datetime.now(UTC))
    (report,) = (folder / "done").glob("*.report.json")
    assert json.loads(report.read_text())["outcome"] == "done"
    assert [file for file in folder.iterdir() if file.is_file()] == []


async def test_a_folder_that_can_be_no_agency_is_left_alone(
    hot_lists: HotLists, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"\xffgency") / "list"
    folder.mkdir(parents=True)
    (folder / "list.csv").write_text(LIST)
    watched = WatchedFolder(tmp_path, Importing(hot_lists, 100))
    for _ in range(2):
        assert await watched.look(datetime.now(UTC)) == 0
