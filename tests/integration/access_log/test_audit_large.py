"""An audit that holds one person's records at a time says the same as one that holds all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from alpr_access_log.audit import analysis
from alpr_access_log.audit.analysis import Beside, analysed, months
from alpr_access_log.audit.finding import run
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.records import Looked
from alpr_access_log.audit.rules import RULES
from alpr_common.misuse import MisuseLimits
from alpr_common.policy import Role
from alpr_local.stack import Stack
from tests.integration.access_log.conftest import DoorUnderTest
from tests.support.audited_year import Department, honest, plant
from tests.support.audits import AuditUnderTest, audit_on, period

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.5-d")]

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LIMITS = MisuseLimits(volume_month_searches=20, volume_robust_z=3)


@pytest.fixture
async def under_test(door: DoorUnderTest, tmp_path: Path) -> AsyncIterator[AuditUnderTest]:
    made = audit_on(door, tmp_path)
    yield made
    await made.stop()


async def put(stack: Stack, agency: str, made: Department) -> None:
    """The department's records, without their log."""
    connection = await asyncpg.connect(stack.postgres_admin_dsn)
    try:
        await connection.execute("SET search_path = access_log")
        await connection.execute("SET session_replication_role = replica")
        await connection.copy_records_to_table(
            "access_record",
            columns=(
                "record_id", "agency_id", "occurred_at", "service", "action", "subject", "outcome",
                "person_id", "person_name", "role", "session_id", "address", "purpose",
                "case_number", "suspicion", "query", "refusal_code",
            ),
            records=[
                (
                    r.record_id, agency, r.occurred_at, r.service, r.action, "test", r.outcome,
                    r.person_id, r.person_id, r.role, r.session_id, r.address, r.purpose,
                    r.case_number, r.suspicion,
                    f'{{"plate": "{r.plate}"}}' if r.plate else None, r.refusal_code,
                )
                for r in made.records
            ],
        )  # fmt: skip
    finally:
        await connection.close()


def all_at_once(made: Department, agency: str) -> list[dict[str, Any]]:
    """What the rules say to all records of each month together."""
    found: list[dict[str, Any]] = []
    for begin, end in months(made.begin, made.end):
        earliest = begin - timedelta(days=LIMITS.baseline_days)
        records = [r for r in made.records if earliest <= r.occurred_at < end]
        looked = Looked(records, begin, end, LIMITS, lapses=made.lapses, sessions=made.sessions)
        found += [one.to_json(agency, begin) for one in run(RULES, looked)]
    return found


@pytest.mark.parametrize("at_once", [20_000, 10])
async def test_person_by_person_the_same_is_found_as_all_at_once(
    door: DoorUnderTest, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody has too many records to be read for more than a month."""
    monkeypatch.setattr(analysis, "_AT_ONCE", at_once)
    agency = f"IL0440{at_once:03d}"[:9]
    made = honest(BEGIN, 92, seed=at_once, size=14)
    plant(made, times=1, since_days=31)
    await put(door.stack, agency, made)
    found = await analysed(
        door.database, agency, made.begin, made.end, LIMITS, PlateKey(b"k" * 32),
        Beside(made.lapses, made.sessions),
    )  # fmt: skip
    expected = all_at_once(made, agency)
    rules = {one["rule"] for one in expected}
    assert {"copied_words", "copied_among_people", "volume_of_role", "repeated_plate"} <= rules
    assert by_id(found.findings) == by_id(expected)
    assert len(found.findings) == len(expected)
    assert set(found.words) <= {one["finding_id"] for one in expected}


def by_id(findings: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["finding_id"]: one for one in findings}


async def test_an_analysis_of_too_much_is_refused_with_what_to_do_and_a_package_is_not(
    under_test: AuditUnderTest,
) -> None:
    for _ in range(4):
        await under_test.door.search(under_test.door.token(person="ann"))
    under_test.use(analysed_at_once_max=3)
    answer = await under_test.call("POST", "analysis", json=period())
    assert answer.status_code == 422, answer.text
    said = answer.json()
    assert said["type"].endswith("period-too-large")
    assert said["records_max"] == 3
    assert "more than 3 records" in said["detail"]
    assert "/v1/audit/packages" in said["detail"]
    await under_test.cover()
    assert (await under_test.prepared())["state"] == "ready"
    under_test.use(analysed_at_once_max=50_000)
    assert (await under_test.call("POST", "analysis", json=period())).status_code == 200


@pytest.mark.parametrize(
    ("bad", "what"),
    [("26-\x001", "U+0000"), ("9" * 140_000, "more than 131072"), ('"26-1', "quote left open")],
)
async def test_a_list_that_no_reader_takes_is_refused_with_its_line_and_recorded(
    under_test: AuditUnderTest, bad: str, what: str
) -> None:
    asked = {"to": "2027-01-01T00:00:00Z", "csv": f"case_number\n26-1\n{bad}"}
    who: dict[str, Any] = {"role": Role.ADMINISTRATOR, "person": f"admin-{what}"}
    for method, path in (("POST", "lists/cases/check"), ("PUT", "lists/cases")):
        answer = await under_test.call(method, path, json=asked, **who)
        assert answer.status_code == 422, answer.text
        assert answer.json()["type"].endswith("list-malformed")
        assert "line 3" in answer.json()["detail"]
        assert what in answer.json()["detail"]
    refused = await under_test.door.records(person_id=who["person"], outcome="refused")
    assert len(refused) == 2
