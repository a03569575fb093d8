"""Where a search can be held in the middle, from outside the program, and what can go wrong there.

Nothing in the service knows of it: a superuser's locks make a statement wait, a deferred trigger
makes the commit wait, and a standby that does not exist keeps the server from acknowledging what
it has committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from alpr_local.stack import Stack
from tests.support.waiting import eventually

_ADVISORY = 471_100


@dataclass(frozen=True)
class Step:
    """One step of a search. `lock` holds it; `statement` is what then waits (on `relation`). A
    commit waits on none: it is the search's if its transaction wrote a record (others commit, too).
    """

    name: str
    lock: str
    statement: str
    relation: str | None
    may_be_stored: bool = False
    """Whether the record can be there although nobody was answered."""


STEPS = (
    Step(
        "what the person searched before is looked up",
        "LOCK TABLE access_log.access_record IN ACCESS EXCLUSIVE MODE",
        "AS plate FROM access_record", "access_log.access_record",
    ),
    Step(
        "the rows are read", "LOCK TABLE access_log.read IN ACCESS EXCLUSIVE MODE",
        "FROM read", None,
    ),
    Step(
        "the leaf is appended", "LOCK TABLE access_log.log_leaf IN EXCLUSIVE MODE",
        "INSERT INTO log_leaf", "access_log.log_leaf",
    ),
    Step(
        "the leaf is queued", "LOCK TABLE access_log.log_pending IN EXCLUSIVE MODE",
        "INSERT INTO log_leaf", "access_log.log_pending",
    ),
    Step(
        "the record is appended", "LOCK TABLE access_log.access_record IN EXCLUSIVE MODE",
        "INSERT INTO access_record", "access_log.access_record",
    ),
    Step(
        "the commit has begun", f"SELECT pg_advisory_xact_lock({_ADVISORY})", "COMMIT", None,
        may_be_stored=True,
    ),
    Step("the commit is on disk and not acknowledged", "", "COMMIT", None, may_be_stored=True),
)  # fmt: skip
APPENDED, BEGUN, ON_DISK = STEPS[-3:]

CONVOY_STEPS = (
    Step(
        "the approval is looked up",
        "LOCK TABLE access_log.search_approval IN ACCESS EXCLUSIVE MODE",
        "FROM search_approval", "access_log.search_approval",
    ),
    *STEPS[1:-2],
    Step(
        "the approval is used up", "LOCK TABLE access_log.search_approval IN SHARE MODE",
        "UPDATE search_approval", "access_log.search_approval",
    ),
    *STEPS[-2:],
)  # fmt: skip
"""The steps of a convoy question, which rests on an approval."""

TABLES = ("log_leaf", "log_salt", "log_pending", "access_record")
"""What a search writes to."""

_HOLD_COMMIT = (
    "CREATE FUNCTION access_log.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"PERFORM pg_advisory_xact_lock_shared({_ADVISORY}); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON access_log.access_record "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION access_log.hold()",
)
_NO_HOLD = ("DROP FUNCTION IF EXISTS access_log.hold() CASCADE",)
_NO_STANDBY = ("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
_AS_BEFORE = ("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
_WAITING = """
SELECT a.pid FROM pg_stat_activity a
WHERE a.usename = 'alpr_access_log' AND a.query LIKE '%' || $1 || '%'
  AND (a.wait_event_type = 'Lock' OR a.wait_event = 'SyncRep')
  AND ($2::text IS NULL OR EXISTS (
      SELECT FROM pg_locks l
      WHERE l.pid = a.pid AND NOT l.granted AND l.relation = $2::text::regclass))
  AND ($1 <> 'COMMIT' OR EXISTS (
      SELECT FROM pg_locks l
      WHERE l.pid = a.pid AND l.granted AND l.mode = 'RowExclusiveLock'
        AND l.relation = 'access_log.access_record'::regclass))
"""


async def run(stack: Stack, *statements: str) -> None:
    """Run statements as the superuser, each in a transaction of its own."""
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def held(stack: Stack, step: Step) -> AsyncIterator[None]:
    """While the block runs, who comes to the step waits there. The block may kill the server."""
    holder = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await run(stack, *{BEGUN: _HOLD_COMMIT, ON_DISK: _NO_STANDBY}.get(step, ()))
        if step is ON_DISK:
            await _until_commits_wait(stack)
        if step.lock:
            await holder.execute(f"BEGIN; {step.lock}")
        yield
    finally:
        holder.terminate()
        await eventually(lambda: _answers(stack), 60, what="the server is there")
        await run(stack, *{BEGUN: _NO_HOLD, ON_DISK: _AS_BEFORE}.get(step, ()))


async def waiting_pid(stack: Stack, step: Step) -> int:
    """The backend that waits at the step, as soon as there is one."""
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        pid: int = await eventually(
            lambda: connection.fetchval(_WAITING, step.statement, step.relation), 60,
            what=f"the search waits where {step.name}",
        )  # fmt: skip
    finally:
        await connection.close()
    return pid


@asynccontextmanager
async def failing(stack: Stack, table: str, *, at_commit: bool = False) -> AsyncIterator[None]:
    """While the block runs, the database refuses rows of that table."""
    kind = "CONSTRAINT TRIGGER" if at_commit else "TRIGGER"
    when = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    await run(
        stack,
        "CREATE FUNCTION access_log.fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device'; END $$",
        f"CREATE {kind} fail AFTER INSERT ON access_log.{table} {when} "
        "FOR EACH ROW EXECUTE FUNCTION access_log.fail()",
    )
    try:
        yield
    finally:
        await run(stack, "DROP FUNCTION access_log.fail() CASCADE")


async def _answers(stack: Stack) -> bool:
    try:
        await run(stack, "SELECT 1")
    except (OSError, asyncpg.PostgresError):
        return False
    return True


async def _until_commits_wait(stack: Stack) -> None:
    """The new setting reaches the server's processes one by one; the last decides."""
    probe = await asyncpg.connect(stack.postgres_admin_dsn)
    watcher = await asyncpg.connect(stack.postgres_admin_dsn)
    pid = probe.get_server_pid()

    async def commit_for_ever() -> None:
        while True:
            await probe.execute("SELECT pg_logical_emit_message(true, 'probe', '')")

    committing = asyncio.create_task(commit_for_ever())
    try:
        await eventually(
            lambda: watcher.fetchval(
                "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $1", pid
            ),
            60, what="commits wait for a standby",
        )  # fmt: skip
        await watcher.execute("SELECT pg_terminate_backend($1)", pid)
    finally:
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        probe.terminate()
        await watcher.close()
