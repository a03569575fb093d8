"""The door on a real PostgreSQL, in this process, so that a test can hold it by the arm."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from alpr_access_log import api, handlers
from alpr_access_log.handlers import Door
from alpr_common.auth import Gate, Principal, TokenIssuer, TokenVerifier
from alpr_common.messages.read import Box, Read
from alpr_common.objects import Pictures
from alpr_common.plates import match_key
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_common.web import create_web_app
from alpr_local.stack import Stack
from tests.support.verifiable_log import LogUnderTest, wipe

OURS, OTHERS = "IL0222900", "IL0160000"


@dataclass
class DoorUnderTest:
    """The app, what it stands on, and tokens for whoever is needed."""

    app: FastAPI
    client: httpx.AsyncClient
    database: Database
    pictures: Pictures
    issuer: TokenIssuer
    stack: Stack

    def token(
        self,
        *,
        person: str | None = None,
        agency: str = OURS,
        role: Role = Role.OFFICER,
        leads: date | None = date.max,
        alpr: date | None = date.max,
        rank: str | None = None,
    ) -> dict[str, str]:
        """Headers of somebody signed in; a new person unless named."""
        principal = Principal(
            person or str(uuid4()), "Ann Miller", agency, role, str(uuid4()), leads, alpr,
            rank=rank,
        )  # fmt: skip
        token = self.issuer.issue(principal, datetime.now(UTC))
        return {"Authorization": f"Bearer {token}"}

    def with_policy(self, policy: Policy) -> None:
        """Go on under another policy file."""
        self.app.state.door = Door(self.database, self.pictures, policy)

    async def store(self, *reads: Read) -> None:
        now = datetime.now(UTC)
        await handlers.store_reads(self.database, [(r, r.to_bytes()) for r in reads], Policy(), now)

    async def search(self, headers: dict[str, str], **changed: Any) -> httpx.Response:
        """POST a search that is in order but for what is changed; None leaves a field out."""
        said = search_body() | changed
        body = {name: value for name, value in said.items() if value is not None}
        return await self.client.post("/v1/searches", json=body, headers=headers)

    async def records(self, agency: str = OURS, **wanted: Any) -> list[asyncpg.Record]:
        """Access records as the database's superuser sees them, oldest first."""
        connection = await asyncpg.connect(self.stack.postgres_admin_dsn)
        try:
            rows = await connection.fetch(
                "SELECT * FROM access_log.access_record WHERE agency_id = $1 "
                "ORDER BY record_sequence",
                agency,
            )
        finally:
            await connection.close()
        return [r for r in rows if all(r[name] == value for name, value in wanted.items())]


def search_body() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "plate": "AB12345",
        "from": (now - timedelta(days=2)).isoformat(),
        "to": now.isoformat(),
        "purpose": "stolen_vehicle",
        "case_number": "26-000123",
        "suspicion": f"The van left the scene of the burglary, note {uuid4()}",
        "attested": True,
    }


def make_read(plate: str, *, agency: str = OURS, minutes_ago: float = 60, **changed: Any) -> Read:
    captured_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    said: dict[str, Any] = {
        "read_id": uuid4(),
        "agency_id": agency,
        "camera_id": "cam-1",
        "plate": plate,
        "match_key": match_key(plate),
        "captured_at": captured_at,
        "first_captured_at": captured_at,
        "last_captured_at": captured_at,
        "latitude": 41.84,
        "longitude": -87.95,
        "confidence": 0.9,
        "frame_id": uuid4(),
        "frame_object": "frame.jpg",
        "plate_object": "plate.jpg",
        "plate_box": Box(x1=0, y1=0, x2=10, y2=5),
        "emitted_at": captured_at,
    }
    return Read(**(said | changed))


@pytest.fixture
async def log(migrated: Stack, tmp_path: Path) -> AsyncIterator[LogUnderTest]:
    """An agency's log whose key may be changed."""
    made = await LogUnderTest.on(migrated, tmp_path)
    yield made
    # A witness's loop of another test has not got these keys, and would wait for them.
    await wipe(migrated, made.agency_id)
    await made.database.close()


@pytest.fixture(scope="module")
def migrated(fresh_stack: Stack) -> Stack:
    owner = fresh_stack.postgres_dsn("alpr_access_log_owner")
    asyncio.run(migrate(owner, "alpr_access_log"))
    return fresh_stack


@pytest.fixture
async def door(migrated: Stack, tmp_path: Path) -> AsyncIterator[DoorUnderTest]:
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    gate = Gate(TokenVerifier(issuer.private_key.public_key()), Policy())
    database = await Database.connect(migrated.postgres_dsn("alpr_access_log"))
    pictures = Pictures.at((tmp_path / "objects").as_uri())
    app = create_web_app("access-log", "door")
    app.state.gate = gate
    app.state.door = Door(database, pictures, Policy())
    app.include_router(api.router(gate))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        yield DoorUnderTest(app, client, database, pictures, issuer, migrated)
    await database.close()
