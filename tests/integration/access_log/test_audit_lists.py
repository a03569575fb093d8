"""The lists that an agency gives for its audit: checked before they are given, and taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alpr_common.policy import Role
from tests.integration.access_log.conftest import OTHERS, DoorUnderTest
from tests.support.audits import AuditUnderTest, audit_on, period

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.5-d")]

ADMINISTRATOR: dict[str, Any] = {"role": Role.ADMINISTRATOR, "person": "admin"}
SHIFTS = (
    "person_id,begins_at,ends_at\n"
    "ann,2026-01-01T06:00Z,2026-01-01T16:00Z\n"
    "ann,2026-01-01T00:00-06:00,2026-01-01T10:00-06:00\n"
    "bea,2026-01-02T06:00Z,2026-01-02T16:00Z\n"
    "bea,2025-06-02T06:00Z,2025-06-02T16:00Z\n"
)
YEAR = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}


@pytest.fixture
async def under_test(door: DoorUnderTest, tmp_path: Path) -> AsyncIterator[AuditUnderTest]:
    made = audit_on(door, tmp_path)
    yield made
    await made.stop()


async def kinds(under_test: AuditUnderTest, **said: Any) -> dict[str, int]:
    answer = await under_test.call("GET", "lists", **said)
    assert answer.status_code == 200, answer.text
    return {one["kind"]: one["entries"] for one in answer.json()["lists"]}


async def test_a_list_is_checked_without_being_given(under_test: AuditUnderTest) -> None:
    asked = YEAR | {"csv": SHIFTS}
    answer = await under_test.call("POST", "lists/shifts/check", json=asked, **ADMINISTRATOR)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["entries"], said["people"]) == (3, 2)
    assert (said["repeated"], said["outside"]) == (1, 1)
    assert datetime.fromisoformat(said["first_at"]) == datetime(2025, 6, 2, 6, tzinfo=UTC)
    cases = {"to": YEAR["to"], "csv": "case_number\n26-1\n26 1\n26-2\n"}
    answer = await under_test.call("POST", "lists/cases/check", json=cases, **ADMINISTRATOR)
    assert (answer.json()["entries"], answer.json()["repeated"]) == (2, 1)
    assert await kinds(under_test) == {}
    checked = await under_test.door.records(action="audit.list.checked", person_id="admin")
    assert [record["subject"] for record in checked] == ["audit-list:shifts", "audit-list:cases"]


async def test_bad_lines_are_named_one_by_one_and_nothing_of_the_list_is_kept(
    under_test: AuditUnderTest,
) -> None:
    lines = ["person_id,begins_at,ends_at", *["ann,soon,2026-01-01T16:00Z"] * 30]
    asked = YEAR | {"csv": "\n".join(lines)}
    for method, path in (("POST", "lists/shifts/check"), ("PUT", "lists/shifts")):
        answer = await under_test.call(method, path, json=asked, **ADMINISTRATOR)
        assert answer.status_code == 422
        faults = answer.json()["faults"]
        assert faults[0]["where"] == "line 2"
        assert "soon" in faults[0]["what"]
        assert faults[-1] == {"where": "and", "what": "10 more"}
    backwards = {"from": YEAR["to"], "to": YEAR["from"], "csv": SHIFTS}
    answer = await under_test.call("POST", "lists/shifts/check", json=backwards, **ADMINISTRATOR)
    assert answer.status_code == 422
    assert await kinds(under_test) == {}


async def test_a_list_that_was_taken_back_is_as_if_it_had_not_been_given(
    under_test: AuditUnderTest,
) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for path, said in (
        ("lists/shifts", YEAR | {"csv": SHIFTS}),
        ("lists/cases", {"to": until, "case_numbers": ["26-000999"]}),
    ):
        assert (await under_test.call("PUT", path, json=said, **ADMINISTRATOR)).status_code == 200
    headers = under_test.door.token(person="gil")
    assert (await under_test.door.search(headers, case_number="26-000123")).status_code == 200
    assert await no_such_case(under_test)
    assert await kinds(under_test) == {"cases": 1, "shifts": 3}
    assert await kinds(under_test, agency=OTHERS) == {}

    for role in (Role.AUDITOR, Role.OFFICER):
        refused = await under_test.call("DELETE", "lists/cases", role=role)
        assert refused.status_code == 403
    for kind in ("cases", "shifts"):
        answer = await under_test.call("DELETE", f"lists/{kind}", **ADMINISTRATOR)
        assert answer.status_code == 200, answer.text
    assert await kinds(under_test) == {}
    assert not await no_such_case(under_test)
    again = await under_test.call("DELETE", "lists/cases", **ADMINISTRATOR)
    assert (again.status_code, again.json()["type"]) == (404, "urn:alpr:problem:list-not-given")
    assert len(await under_test.door.records(action="audit.cases.withdrawn")) == 1


async def no_such_case(under_test: AuditUnderTest) -> bool:
    answer = await under_test.call("POST", "analysis", json=period(), **ADMINISTRATOR)
    assert answer.status_code == 200, answer.text
    return "no_such_case" in {one["rule"] for one in answer.json()["findings"]}


@pytest.mark.policy("131.6-3c")
async def test_a_persons_own_plates_are_taken_off_by_the_administrator_alone(
    under_test: AuditUnderTest,
) -> None:
    for person in ("hal", "ivy"):
        given = await under_test.call(
            "PUT", f"lists/plates/{person}", json={"plates": ["OWN 1"]}, **ADMINISTRATOR
        )
        assert given.status_code == 200, given.text
    supervisor = await under_test.call("DELETE", "lists/plates/hal", role=Role.SUPERVISOR)
    assert supervisor.status_code == 403
    left = await under_test.call("DELETE", "lists/plates/hal", **ADMINISTRATOR)
    assert [one["person_id"] for one in left.json()["own_plates"]] == ["ivy"]
    assert [one["entries"] for one in left.json()["lists"]] == [1]
    last = await under_test.call("DELETE", "lists/plates/ivy", **ADMINISTRATOR)
    assert last.json() == {"lists": [], "own_plates": []}
    gone = await under_test.call("DELETE", "lists/plates/ivy", **ADMINISTRATOR)
    assert gone.status_code == 404
