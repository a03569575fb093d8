"""A package is prepared in the background: whoever asked may go, processes may die, and it is made
once, or fails with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from alpr_access_log.audit import identity as identity_answers
from alpr_access_log.audit.handlers import packages
from alpr_access_log.audit.handlers.preparing import PREPARED
from alpr_access_log.audit.identity import Identity
from alpr_common.auth import Principal
from alpr_common.objects import Pictures
from alpr_common.policy import Role
from tests.integration.access_log.conftest import OTHERS, OURS, DoorUnderTest
from tests.support.audits import AuditUnderTest, audit_on, period
from tests.support.identity_reports import identity_answering
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.policy("131.5-d"),
]


@pytest.fixture
async def under_test(door: DoorUnderTest, tmp_path: Path) -> AsyncIterator[AuditUnderTest]:
    made = audit_on(door, tmp_path)
    yield made
    await made.stop()


class SlowIdentity(httpx.AsyncBaseTransport):
    """Identity that answers when it is let."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        await self.may_answer.wait()
        return await identity_answering().handle_async_request(request)


@asynccontextmanager
async def somebody_else_looks_through(under_test: AuditUnderTest) -> AsyncIterator[None]:
    """Hold the agency's records as the daily run does."""
    connection = await asyncpg.connect(under_test.door.stack.postgres_admin_dsn)
    lock = f"hashtextextended('access_log.audit:{OURS}', 0)"
    await connection.execute(f"SELECT pg_advisory_lock({lock})")
    try:
        yield
    finally:
        await connection.close()


async def sql(under_test: AuditUnderTest, statement: str, *values: Any) -> list[dict[str, Any]]:
    """As the superuser, from outside."""
    connection = await asyncpg.connect(under_test.door.stack.postgres_admin_dsn)
    try:
        return [dict(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def its_process_dies(under_test: AuditUnderTest, package_id: str) -> None:
    """Nothing was heard of it for as long as a claim is held."""
    await sql(
        under_test,
        "UPDATE access_log.audit_preparing SET claimed_until = now() - interval '1 second' "
        "WHERE package_id = $1",
        UUID(package_id),
    )


async def asked_for(under_test: AuditUnderTest) -> str:
    answer = await under_test.call("POST", "packages", json=period())
    assert answer.status_code == 202, answer.text
    package_id = answer.json()["package_id"]
    assert answer.headers["location"] == f"/v1/audit/packages/{package_id}"
    return str(package_id)


async def waits_for_its_turn(under_test: AuditUnderTest, package_id: str) -> None:
    async def look() -> bool:
        shown = (await under_test.call("GET", f"packages/{package_id}")).json()
        return bool(shown["step"] == "waiting")

    await eventually(look, 60)


async def records(under_test: AuditUnderTest, action: str, package_id: str) -> list[Any]:
    return await under_test.door.records(action=action, subject=f"audit:{package_id}")


async def test_asking_is_on_record_and_answered_before_anything_is_read(
    under_test: AuditUnderTest,
) -> None:
    slow = SlowIdentity()
    under_test.use(identity=Identity("http://identity", slow))
    package_id = await asked_for(under_test)
    (asked,) = await records(under_test, "audit.package.requested", package_id)
    assert asked["person_id"] == "quinn"
    await asyncio.wait_for(slow.asked.wait(), 60)

    shown = (await under_test.call("GET", f"packages/{package_id}")).json()
    assert (shown["state"], shown["step"], shown["summary"]) == ("preparing", "identity", None)
    assert shown["prepared_by"]
    listed = (await under_test.call("GET", "packages")).json()["items"]
    assert (listed[0]["package_id"], listed[0]["state"]) == (package_id, "preparing")
    early = await under_test.call("GET", f"packages/{package_id}/files/report.pdf")
    assert (early.status_code, early.json()["type"]) == (409, "urn:alpr:problem:package-not-ready")
    assert await records(under_test, "audit.package.viewed", package_id) == []
    slow.may_answer.set()
    assert (await under_test.done(package_id))["state"] == "ready"
    assert len(await records(under_test, "audit.package.viewed", package_id)) == 1


async def test_one_package_is_prepared_at_a_time_for_each_agency(
    under_test: AuditUnderTest,
) -> None:
    slow = SlowIdentity()
    under_test.use(identity=Identity("http://identity", slow))
    package_id = await asked_for(under_test)
    again = await under_test.call("POST", "packages", json=period())
    assert again.status_code == 409
    assert again.json()["type"] == "urn:alpr:problem:another-audit-runs"
    assert again.json()["package_id"] == package_id
    theirs = await under_test.call("POST", "packages", json=period(), agency=OTHERS)
    assert theirs.status_code == 202
    hidden = await under_test.call("GET", f"packages/{package_id}", agency=OTHERS)
    assert hidden.status_code == 404
    slow.may_answer.set()
    assert (await under_test.done(package_id))["state"] == "ready"
    done = await under_test.done(theirs.json()["package_id"], agency=OTHERS)
    assert done["state"] == "ready"


async def test_it_waits_for_the_daily_run_and_says_so(under_test: AuditUnderTest) -> None:
    counted = PREPARED._value.get()
    async with somebody_else_looks_through(under_test):
        package_id = await asked_for(under_test)
        await waits_for_its_turn(under_test, package_id)
    package = await under_test.done(package_id)
    assert (package["state"], package["progress"], package["step"]) == ("ready", 1, None)
    await eventually(lambda: PREPARED._value.get() == counted + 1, 30)


async def test_what_a_stopped_process_left_another_takes_up_with_what_identity_had_said(
    under_test: AuditUnderTest,
) -> None:
    async with somebody_else_looks_through(under_test):
        package_id = await asked_for(under_test)
        await waits_for_its_turn(under_test, package_id)
        await under_test.stop()
        left = (await under_test.call("GET", f"packages/{package_id}")).json()
        assert left["state"] == "preparing"
        await under_test.use().take_up()
        await waits_for_its_turn(under_test, package_id)
    package = await under_test.done(package_id)
    assert package["state"] == "ready", package
    assert package["summary"]["is_complete"], package["summary"]["missing"]
    assert package["summary"]["sessions"]["data"]["sessions"] == 2
    (record,) = await records(under_test, "audit.package.prepared", package_id)
    assert (record["person_id"], record["role"]) == ("quinn", "auditor")
    kept = await sql(
        under_test, "SELECT identity FROM access_log.audit_package WHERE package_id = $1",
        UUID(package_id),
    )  # fmt: skip
    assert kept == [{"identity": None}]


async def test_of_a_process_that_died_before_identity_was_asked_the_package_says_so(
    under_test: AuditUnderTest,
) -> None:
    who = Principal("quinn", "Quinn", OURS, Role.AUDITOR, str(uuid4()), None, None)
    now = datetime.now(UTC)
    asked = {name: datetime.fromisoformat(at) for name, at in period().items()}
    package, _ = await packages.ask(under_test.audit, who, asked["from"], asked["to"], now, 0.0)
    package_id = str(package.package_id)
    await under_test.use().take_up()
    failed = await under_test.done(package_id)
    assert failed["state"] == "failed"
    assert "Prepare it once more" in failed["failure"]
    assert (failed["summary"], failed["files"]) == (None, [])
    (record,) = await records(under_test, "audit.package.failed", package_id)
    assert (record["outcome"], record["person_id"]) == ("failed", "quinn")
    assert "identity" in json.loads(record["query"])["why"]
    gone = await under_test.call("GET", f"packages/{package_id}/files/report.pdf")
    assert gone.status_code == 404
    assert (await under_test.prepared())["state"] == "ready"


async def test_of_many_replicas_one_makes_it(under_test: AuditUnderTest) -> None:
    first = under_test.processes[0]
    replicas = [under_test.use() for _ in range(3)]
    under_test.door.app.state.preparing = first
    async with somebody_else_looks_through(under_test):
        package_id = await asked_for(under_test)
        await waits_for_its_turn(under_test, package_id)
        await its_process_dies(under_test, package_id)
        # The one that was taken for dead is alive: it finds that its claim is gone.
        await asyncio.gather(*(replica.take_up() for replica in replicas))
    assert (await under_test.done(package_id))["state"] == "ready"
    await under_test.stop()
    assert len(await records(under_test, "audit.package.prepared", package_id)) == 1


async def test_while_the_object_store_is_away_it_is_tried_again_and_then_fails_with_the_reason(
    under_test: AuditUnderTest, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "audit").write_text("a file where a folder has to be")
    process = under_test.use(objects=Pictures.at(folder.as_uri()))
    package_id = await asked_for(under_test)

    async def is_left_after(attempts: int) -> bool:
        rows = await sql(
            under_test,
            "SELECT FROM access_log.audit_preparing WHERE package_id = $1 AND attempts = $2 "
            "AND claimed_until BETWEEN now() AND now() + interval '31 seconds'",
            UUID(package_id), attempts,
        )  # fmt: skip
        return bool(rows)

    for attempts in (1, 2):
        await eventually(partial(is_left_after, attempts), 60)
        await its_process_dies(under_test, package_id)
        await process.take_up()
    failed = await under_test.done(package_id)
    assert failed["state"] == "failed"
    assert "object store" in failed["failure"]
    again = under_test.use(objects=under_test.door.pictures)
    assert again is under_test.door.app.state.preparing
    assert (await under_test.prepared())["state"] == "ready"


async def test_what_is_ready_or_failed_cannot_be_changed_by_the_service(
    under_test: AuditUnderTest,
) -> None:
    package = await under_test.prepared()
    async with under_test.door.database.transaction(OURS) as connection:
        done = await connection.execute(
            "UPDATE audit_package SET summary = '{}', state = 'preparing' WHERE package_id = $1",
            UUID(package["package_id"]),
        )
    assert done == "UPDATE 0"
    for statement in ("DELETE FROM audit_package", "UPDATE audit_package SET agency_id = 'x'"):
        with pytest.raises(Exception, match="permission denied"):
            async with under_test.door.database.transaction(OURS) as connection:
                await connection.execute(statement)


async def test_what_is_kept_of_identitys_answers_says_the_same_again() -> None:
    who = Principal("quinn", "Quinn", OURS, Role.AUDITOR, "s", None, None, token="t")
    now = datetime.now(UTC)
    for transport in (identity_answering(), httpx.MockTransport(lambda _: httpx.Response(403))):
        says = await Identity("http://identity", transport).audited(who, now, now)
        assert identity_answers.from_json(identity_answers.to_json(says)) == says
