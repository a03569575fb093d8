"""The edge to PostgreSQL: a pool, transactions whose outages are `Outage`, a migration runner.

asyncpg is imported here and in each service's `store.py` alone.
"""

import asyncio
import contextlib
import hashlib
import importlib.resources
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from alpr_common.errors import Outage

log = structlog.get_logger()

Connection = asyncpg.Connection | PoolConnectionProxy
"""What store functions take: a connection inside the caller's transaction."""

_OUTAGES = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    # What the server says when the fault is its own and the same statement may pass later: no
    # room or connections left (53), stopped or interrupted (57), input and output errors (58),
    # a deadlock or serialization failure (40), a standby that took over and only reads yet. A
    # consumer must not take these for a message that can never be handled.
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    # A connection that the server cut while it was idle in the pool can answer its first use so.
    asyncpg.InternalClientError,
)

_AGENCY_SETTING = "alpr.agency_id"
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class Database:
    """A service's pool under its runtime role, which owns nothing and obeys row-level security."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, pool_size: int = 8) -> "Database":
        """Open the pool; raises `Outage` when the server does not answer."""
        try:
            pool = await asyncpg.create_pool(
                url, min_size=1, max_size=pool_size, timeout=5, command_timeout=30
            )
        except _OUTAGES as error:
            raise Outage(f"PostgreSQL did not answer: {error!r}") from error
        assert pool is not None
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, agency_id: str | None = None) -> AsyncIterator[Connection]:
        """A transaction, committed at the end of the block (synchronously, to disk).

        `agency_id` is what row-level security policies compare with
        (`current_setting('alpr.agency_id', true)`); None sees no tenant's rows.
        Raises `Outage` when the server goes away; then nothing of the block is stored, unless
        the connection broke during the commit itself: callers' writes are idempotent for that.
        A statement that is called wrongly (arguments too many, or of another type) raises as it
        is: tried again it would fail again.
        """
        try:
            async with self._connection(timeout=5) as connection, connection.transaction():
                await connection.execute(
                    "SELECT set_config($1, $2, true)", _AGENCY_SETTING, agency_id or ""
                )
                yield connection
        except _OUTAGES as error:
            raise Outage(f"PostgreSQL went away: {error!r}") from error

    async def is_ready(self) -> bool:
        """Whether a statement goes through now."""
        try:
            async with self._connection(timeout=2) as connection:
                await connection.execute("SELECT 1", timeout=2)
        except (Outage, *_OUTAGES):
            return False
        return True

    @asynccontextmanager
    async def _connection(self, *, timeout: float) -> AsyncIterator[PoolConnectionProxy]:
        """One of the pool's connections. asyncpg has one `InterfaceError` for what cannot be done
        because the connection or the pool is gone, which is an `Outage`, and for calls that are
        wrong in themselves, which stay what they are."""
        try:
            connection = await self._pool.acquire(timeout=timeout)
        except asyncpg.InterfaceError as error:
            raise Outage(f"PostgreSQL cannot be asked: {error!r}") from error
        try:
            yield connection
        except asyncpg.InterfaceError as error:
            if _is_gone(connection):
                raise Outage(f"PostgreSQL went away: {error!r}") from error
            raise
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator["Notifications"]:
        """Payloads notified on `channel`, on a connection of their own.

        Raises `Outage` when the server cannot be asked, and from `Notifications.get` when the
        connection is cut later: what is notified from then on is lost, so look and listen anew.
        """
        try:
            async with self._connection(timeout=5) as connection:
                notifications = Notifications()
                connection.add_termination_listener(notifications.cut)
                await connection.add_listener(channel, notifications.take)
                try:
                    yield notifications
                finally:
                    # The pool takes a dead connection back by itself; asking it then raises, and
                    # would stand in for what is under way here, a cancellation for one.
                    with contextlib.suppress(asyncpg.InterfaceError, *_OUTAGES):
                        connection.remove_termination_listener(notifications.cut)
                        await connection.remove_listener(channel, notifications.take)
        except _OUTAGES as error:
            raise Outage(f"PostgreSQL went away: {error!r}") from error


def _is_gone(connection: PoolConnectionProxy) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True  # it was cut, and the pool took it back


class Notifications(asyncio.Queue[str]):
    """What `Database.listening` hears: payloads, and `Outage` when its connection is gone."""

    def __init__(self) -> None:
        super().__init__()
        self._is_cut = False

    def get_nowait(self) -> str:
        """The next payload (`get` ends here too); raises `asyncio.QueueEmpty` or `Outage`."""
        payload = super().get_nowait()
        if self._is_cut and self.empty():
            self.put_nowait(payload)  # the mark of the cut stays last, for whoever asks next
            raise Outage("PostgreSQL went away: the listening connection was cut")
        return payload

    def take(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self.put_nowait(str(payload))

    def cut(self, _connection: object) -> None:
        self._is_cut = True
        self.put_nowait("")


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


class MigrationChanged(Exception):
    """A migration that was applied has been edited since. Write a new one instead."""


def migrations_of(package: str) -> list[Migration]:
    """The `migrations/NNNN_name.sql` files of a package, in order."""
    found = []
    for file in importlib.resources.files(package).joinpath("migrations").iterdir():
        named = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if named:
            found.append(Migration(int(named[1]), named[2], file.read_text("utf-8")))
    return sorted(found, key=lambda m: m.number)


async def migrate(owner_url: str, package: str) -> list[str]:
    """Bring the package's schema forward as its owner; returns the names applied.

    One transaction for all, under an advisory lock, so that replicas which start together apply
    each once. A ledger keeps number and SHA-256; raises `MigrationChanged` when a file differs
    from what was applied, `Outage` when the server does not answer.
    """
    migrations = migrations_of(package)
    try:
        connection = await asyncpg.connect(owner_url, timeout=5)
    except _OUTAGES as error:
        raise Outage(f"PostgreSQL did not answer: {error!r}") from error
    applied = []
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", package)
            await connection.execute(_LEDGER)
            rows = await connection.fetch("SELECT number, sha256 FROM schema_migration")
            ledger = {row["number"]: row["sha256"] for row in rows}
            for migration in migrations:
                known = ledger.get(migration.number)
                if known == migration.sha256:
                    continue
                if known is not None:
                    raise MigrationChanged(
                        f"{package} migration {migration.number:04d}_{migration.name} was edited "
                        "after it had been applied; add a new migration instead"
                    )
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (number, name, sha256) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.sha256,
                )
                applied.append(f"{migration.number:04d}_{migration.name}")
    finally:
        await connection.close()
    if applied:
        log.info("schema.migrated", package=package, applied=applied)
    return applied
