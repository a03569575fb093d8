"""The door as a real process, somebody who searches, and what can happen to them meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from typer.testing import CliRunner

from alpr_access_log import handlers
from alpr_access_log.log.key import LogKey
from alpr_access_log.settings import Settings
from alpr_client.log_command import app as log_command
from alpr_common.auth import Principal, TokenIssuer
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database
from alpr_local.processes import ServiceProcess, Services
from alpr_local.stack import Stack
from tests.integration.access_log.conftest import OURS, make_read, search_body
from tests.support.door_faults import run

PLATE = "FAULT01"
SECONDS = 60
LOG_NAME = Settings.model_fields["log_name"].default


@dataclass
class Door:
    """The real process, somebody who searches, and what the database says about it afterwards."""

    services: Services
    process: ServiceProcess
    client: httpx.AsyncClient

    @property
    def stack(self) -> Stack:
        return self.services.stack

    def token(self, person: str, role: Role = Role.OFFICER, agency: str = OURS) -> str:
        issuer = TokenIssuer.from_file(self.stack.secrets.token_private_key)
        principal = Principal(person, "Ann", agency, role, "s", date.max, date.max)
        return issuer.issue(principal, datetime.now(UTC))

    async def search(
        self, person: str, process: ServiceProcess | None = None
    ) -> httpx.Response | None:
        """The answer; None when the connection broke instead."""
        try:
            return await self.client.post(
                f"{(process or self.process).url}/v1/searches",
                json=search_body() | {"plate": PLATE},
                headers={"Authorization": f"Bearer {self.token(person)}"},
            )
        except httpx.TransportError:
            return None

    async def logged(self, person: str) -> list[UUID]:
        """Answered searches of the person that are stored, record and leaf, oldest first."""
        connection = await asyncpg.connect(self.stack.postgres_admin_dsn)
        try:
            rows = await connection.fetch(
                "SELECT record_id, returned_count FROM access_log.access_record r "
                "JOIN access_log.log_leaf l USING (record_id) "
                "WHERE person_id = $1 AND outcome = 'done' ORDER BY record_sequence",
                person,
            )
        finally:
            await connection.close()
        assert all(row["returned_count"] == 1 for row in rows)
        return [row["record_id"] for row in rows]

    async def recover(self) -> None:
        await asyncio.to_thread(self.process.start, deadline_seconds=120)


async def make_one_read(door: Door) -> None:
    """Exactly one read of the plate, however often this is called."""
    read = make_read(PLATE, read_id=UUID(int=4711), captured_at=AN_HOUR_AGO)
    database = await Database.connect(door.stack.postgres_dsn("alpr_access_log"))
    try:
        at = datetime.now(UTC)
        await handlers.store_reads(database, [(read, read.to_bytes())], Policy(), at)
    finally:
        await database.close()


AN_HOUR_AGO = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC)


def shows_rows(answer: httpx.Response | None) -> bool:
    return answer is not None and PLATE in answer.text


async def end_the_connection(door: Door, pid: int) -> None:
    """Returns when the backend is gone: before that it could still go on."""
    await run(door.stack, f"SELECT pg_terminate_backend({pid}, {SECONDS * 1000})")


async def kill_the_process(door: Door, pid: int) -> None:
    await asyncio.to_thread(door.process.kill)


async def kill_the_server(door: Door, pid: int) -> None:
    await asyncio.to_thread(door.stack.postgres.kill)
    await asyncio.to_thread(door.stack.postgres.start)


FAULTS = (end_the_connection, kill_the_process, kill_the_server)


def url(door: Door, agency_id: str) -> str:
    return f"{door.process.url}/v1/log/{agency_id}"


def signing_key(door: Door) -> LogKey:
    return LogKey.from_file(door.stack.secrets.log_signing_key, LOG_NAME)


def key_of(door: Door, agency_id: str) -> str:
    return str(signing_key(door).verifier(agency_id))


def alpr_log(door: Door, agency_id: str, *arguments: str) -> Any:
    token = door.token("auditor", Role.AUDITOR, agency_id)
    no_proxy = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return CliRunner().invoke(log_command, arguments, env={"ALPR_TOKEN": token, **no_proxy})
