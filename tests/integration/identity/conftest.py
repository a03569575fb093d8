"""Identity on a real PostgreSQL, in this process."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from alpr_common.auth import Gate, Principal, TokenIssuer, TokenVerifier
from alpr_common.policy import Policy, Role
from alpr_common.postgres import Database, migrate
from alpr_common.web import create_web_app
from alpr_identity import api, handlers
from alpr_identity.audit import OPERATOR
from alpr_identity.domain import Person
from alpr_identity.identity import Identity, OneKey
from alpr_identity.passwords import Passwords, banned_passwords
from alpr_identity.sealing import Sealer
from alpr_local.stack import Stack

OURS, OTHERS = "IL0222900", "IL0160000"
PASSWORD = "four lamps behind the harbour"


@dataclass
class IdentityUnderTest:
    """The app, what it stands on, and people to try it with."""

    app: FastAPI
    client: httpx.AsyncClient
    identity: Identity
    stack: Stack

    @property
    def issuer(self) -> TokenIssuer:
        return self.identity.signing.issuer(datetime.now(UTC))

    @property
    def verifier(self) -> TokenVerifier:
        return TokenVerifier(self.issuer.private_key.public_key())

    async def person(
        self, *, agency: str = OURS, role: Role = Role.OFFICER, trained: bool = True
    ) -> Person:
        """Somebody new, whose password is `PASSWORD`."""
        until = date.max if trained else None
        new = handlers.NewPerson(
            username=f"u{uuid4().hex}", name="Ann Miller", role=role, password=PASSWORD,
            leads_until=until, alpr_until=until,
        )  # fmt: skip
        person, _ = await handlers.create_person(
            self.identity, OPERATOR, agency, new, datetime.now(UTC)
        )
        return person

    def token(self, person: Person) -> dict[str, str]:
        """Headers of a session that began elsewhere."""
        principal = person.principal(uuid4(), None)
        return self.bearer(self.issuer.issue(principal, datetime.now(UTC)))

    async def administrator(self, agency: str = OURS) -> dict[str, str]:
        return self.token(await self.person(agency=agency, role=Role.ADMINISTRATOR))

    @staticmethod
    def bearer(access_token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token}"}

    async def sign_in(
        self, username: str, password: str = PASSWORD, code: str | None = None
    ) -> httpx.Response:
        body = {"username": username, "password": password}
        body |= {"code": code} if code else {}
        return await self.client.post("/v1/sessions", json=body)

    async def refresh(self, refresh_token: str) -> httpx.Response:
        body = {"refresh_token": refresh_token}
        return await self.client.post("/v1/sessions/refresh", json=body)

    def principal(self, access_token: str) -> Principal:
        return self.verifier.verify(access_token)

    async def audits(self, subject: str) -> list[dict[str, Any]]:
        """What was queued for alpr.audit.v1 about somebody, oldest first."""
        rows = await self.sql("SELECT topic, value FROM identity.outbox ORDER BY outbox_id")
        assert {r["topic"] for r in rows} <= {"alpr.audit.v1", "alpr.sessions.v1"}
        records = [json.loads(r["value"]) for r in rows if r["topic"] == "alpr.audit.v1"]
        return [r for r in records if r["subject"] == subject]

    async def withdrawn(self, subject_id: object) -> list[dict[str, Any]]:
        """What was queued for alpr.sessions.v1 about a session or person, oldest first."""
        rows = await self.sql(
            "SELECT value FROM identity.outbox WHERE topic = 'alpr.sessions.v1' AND key = $1 "
            "ORDER BY outbox_id",
            str(subject_id),
        )
        return [json.loads(r["value"]) for r in rows]

    def with_policy(self, policy: Policy) -> None:
        """Go on under another policy file (the gate's routes keep theirs)."""
        self.app.state.identity = self.identity = replace(self.identity, policy=policy)

    def with_sealer(self, sealer: Sealer) -> None:
        """Go on with another file of sealing secrets."""
        self.app.state.identity = self.identity = replace(self.identity, sealer=sealer)

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """As the database's superuser."""
        connection = await asyncpg.connect(self.stack.postgres_admin_dsn)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def migrated(fresh_stack: Stack) -> Stack:
    owner = fresh_stack.postgres_dsn("alpr_identity_owner")
    asyncio.run(migrate(owner, "alpr_identity"))
    return fresh_stack


@pytest.fixture
async def identity(migrated: Stack) -> AsyncIterator[IdentityUnderTest]:
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    gate = Gate(TokenVerifier(issuer.private_key.public_key()), Policy())
    database = await Database.connect(migrated.postgres_dsn("alpr_identity"))
    # Real argon2id, made light: what is tested here is not how long it takes.
    light = Passwords(argon2=PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    app = create_web_app("identity", "identity")
    app.state.identity = Identity(
        database, light, banned_passwords(), OneKey(issuer), Policy(), sealer=Sealer((b"s" * 32,))
    )
    app.include_router(api.router(gate))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://identity") as client:
        yield IdentityUnderTest(app, client, app.state.identity, migrated)
    await database.close()
