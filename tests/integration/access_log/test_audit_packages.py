"""The yearly audit on a real PostgreSQL: one call prepares it, everything of it is recorded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from alpr_access_log import store
from alpr_access_log.audit.daily import NOTED, analyse_agency
from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.records import Record
from alpr_access_log.domain import AccessRecord, Refusal, Who
from alpr_common.policy import Role
from tests.integration.access_log.conftest import OTHERS, OURS, DoorUnderTest
from tests.support.audited_year import honest, plant
from tests.support.audits import AuditUnderTest, audit_on, period
from tests.support.identity_reports import (
    identity_away,
    identity_refusing,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
async def under_test(door: DoorUnderTest, tmp_path: Path) -> AsyncIterator[AuditUnderTest]:
    made = audit_on(door, tmp_path)
    yield made
    await made.stop()


@pytest.mark.policy("131.5-d")
async def test_one_call_prepares_usage_passwords_training_log_and_findings(
    under_test: AuditUnderTest,
) -> None:
    door = under_test.door
    ann = door.token(person="ann")
    for _ in range(3):
        assert (await door.search(ann)).status_code == 200
    assert (await door.search(ann, purpose=None)).status_code == 422
    await under_test.cover()

    package = await under_test.prepared()
    summary = package["summary"]
    (usage,) = [p for p in summary["usage"]["people"] if p["person_id"] == "ann"]
    assert (usage["searches"], usage["refused"]) == (3, 1)
    assert {r["code"] for r in summary["usage"]["refusals"]} >= {"purpose-missing"}
    assert summary["password_security"]["data"]["policy"]["password_min_characters"] == 12
    assert summary["training"]["data"]["lapses"][0]["kind"] == "leads"
    assert summary["sessions"]["data"]["sessions"] == 2
    assert summary["log"]["is_good"] is True
    assert summary["log"]["witness_copies_checked"] >= 1
    assert summary["is_complete"], summary["missing"]
    assert {rule["name"] for rule in summary["misuse"]["rules"]} >= {"own_plate", "off_shift"}


async def searched(under_test: AuditUnderTest, person: str, times: int, **said: Any) -> None:
    headers = under_test.door.token(person=person)
    for _ in range(times):
        answer = await under_test.door.search(headers, **said)
        assert answer.status_code == 200, answer.text


@pytest.mark.policy("131.5-d")
async def test_files_are_page_pdf_and_tables_each_with_the_hash_that_the_log_has(
    under_test: AuditUnderTest,
) -> None:
    await searched(under_test, "bea", 2)
    await under_test.cover()
    package = await under_test.prepared()
    contents = {f["name"]: await under_test.file(package, f["name"]) for f in package["files"]}
    assert set(contents) == {"report.html", "report.pdf", "tables.zip"}
    for file in package["files"]:
        assert hashlib.sha256(contents[file["name"]]).hexdigest() == file["sha256"]
    page = contents["report.html"].decode()
    assert "bea" in page or "Ann Miller" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert contents["report.pdf"].startswith(b"%PDF-")
    with zipfile.ZipFile(io.BytesIO(contents["tables.zip"])) as tables:
        manifest = tables.read("manifest-sha256.txt").decode().splitlines()
        assert {line[66:] for line in manifest} == set(tables.namelist()) - {"manifest-sha256.txt"}
        for line in manifest:
            assert hashlib.sha256(tables.read(line[66:])).hexdigest() == line[:64]
        rows = list(csv.DictReader(io.StringIO(tables.read("usage-people.csv").decode())))
        assert "bea" in {row["person_id"] for row in rows}
    (record,) = await under_test.door.records(
        action="audit.package.prepared", subject=f"audit:{package['package_id']}"
    )
    assert (
        json.loads(record["query"])["files"]["report.pdf"]
        == hashlib.sha256(contents["report.pdf"]).hexdigest()
    )
    downloads = await under_test.door.records(action="audit.package.downloaded")
    assert len(downloads) >= 3


@pytest.mark.policy("131.5-d")
async def test_while_identity_is_away_the_package_says_so_and_has_the_rest(
    under_test: AuditUnderTest,
) -> None:
    for transport, words in (
        (identity_away(), "does not answer"), (identity_refusing(), "does not show"),
    ):  # fmt: skip
        under_test.use(identity=Identity("http://identity", transport))
        summary = (await under_test.prepared())["summary"]
        assert not summary["is_complete"]
        assert summary["training"] == {
            "answered": False, "why_not": summary["training"]["why_not"], "data": None
        }  # fmt: skip
        assert words in summary["training"]["why_not"]
        assert any("Password security" in missing for missing in summary["missing"])
        rules = {rule["name"]: rule["why_not"] for rule in summary["misuse"]["rules"]}
        assert "identity" in rules["after_lapse"]


@pytest.mark.policy("131.5-d", "131.7-3a")
async def test_only_those_who_may_audit_do_and_refusals_are_recorded(
    under_test: AuditUnderTest,
) -> None:
    for role in (Role.OFFICER, Role.CSO, Role.DISPATCHER, Role.SERVICE):
        answer = await under_test.call("POST", "packages", json=period(), role=role)
        assert answer.status_code == 403, answer.text
    refused = await under_test.door.records(action="audit.request", outcome="refused")
    assert {r["role"] for r in refused} >= {"officer", "cso", "dispatcher", "service"}
    for role in (Role.AUDITOR, Role.ADMINISTRATOR, Role.SUPERVISOR):
        assert (await under_test.call("GET", "packages", role=role)).status_code == 200
    assert (
        await under_test.call("PUT", "lists/plates/ann", role=Role.AUDITOR, json={"plates": []})
    ).status_code == 403


@pytest.mark.policy("131.5-d")
async def test_a_package_of_one_agency_holds_nothing_of_another(under_test: AuditUnderTest) -> None:
    theirs = under_test.door.token(person="their-person", agency=OTHERS)
    for _ in range(4):
        answer = await under_test.door.search(theirs, plate="THEIRS1", case_number="MARK-77")
        assert answer.status_code == 200
    await under_test.cover()
    package = await under_test.prepared()
    contents = [await under_test.file(package, f["name"]) for f in package["files"]]
    with zipfile.ZipFile(io.BytesIO(contents[2])) as tables:
        contents += [tables.read(name) for name in tables.namelist()]
    for content in [json.dumps(package).encode(), *contents]:
        for mark in (b"THEIRS1", b"MARK-77", b"their-person"):
            assert mark not in content
    path = f"packages/{package['package_id']}"
    assert (await under_test.call("GET", path, agency=OTHERS)).status_code == 404
    assert (
        await under_test.call("GET", f"{path}/files/report.pdf", agency=OTHERS)
    ).status_code == 404
    listed = (await under_test.call("GET", "packages", agency=OTHERS)).json()["items"]
    assert package["package_id"] not in {one["package_id"] for one in listed}


@pytest.mark.policy("131.6-3c")
async def test_own_plates_are_kept_as_keyed_hashes_and_searches_for_them_are_pointed_out(
    under_test: AuditUnderTest,
) -> None:
    administrator: dict[str, Any] = {"role": Role.ADMINISTRATOR, "person": "admin"}
    given = await under_test.call(
        "PUT", "lists/plates/cora", json={"plates": ["OWN 5120", "KIN-77"]}, **administrator
    )
    assert given.status_code == 200, given.text
    await searched(under_test, "cora", 1, plate="OWN512?")
    await searched(under_test, "dora", 1, plate="OWN5120")

    answer = await under_test.call("POST", "analysis", json=period(), **administrator)
    assert answer.status_code == 200, answer.text
    own = [f for f in answer.json()["findings"] if f["rule"] == "own_plate"]
    assert [p["person_id"] for f in own for p in f["people"]] == ["cora"]

    rows = await _all_rows(under_test, "audit_plate")
    assert len(rows) == 2
    for row in rows:
        assert not any(mark in repr(row) for mark in ("OWN", "KIN", "0WN", "512"))
    (record,) = await under_test.door.records(action="audit.own_plates.given")
    assert "OWN" not in repr(dict(record))
    refused = await under_test.call(
        "PUT", "lists/plates/cora", json={"plates": ["OWNPLATETOOLONG"]}, **administrator
    )
    assert refused.status_code == 422
    for record in await under_test.door.records(action="audit.request"):
        assert "OWNPLATETOOLONG" not in repr(dict(record))


async def _all_rows(under_test: AuditUnderTest, table: str) -> list[dict[str, Any]]:
    async with under_test.door.database.transaction(OURS) as connection:
        return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]


@pytest.mark.policy("131.6-3b", "131.7-3b")
async def test_a_finding_is_reviewed_once_more_by_anybody_but_whom_it_is_about(
    under_test: AuditUnderTest,
) -> None:
    given = await under_test.call(
        "PUT", "lists/cases", role=Role.SUPERVISOR,
        json={"to": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
              "case_numbers": ["26-000123"]},
    )  # fmt: skip
    assert given.status_code == 200, given.text
    await searched(under_test, "eve", 1, case_number="26 000123")
    await searched(under_test, "fay", 1, case_number="99-1")
    answer = await under_test.call("POST", "analysis", json=period())
    found = [f for f in answer.json()["findings"] if f["rule"] == "no_such_case"]
    people = {p["person_id"]: f for f in found for p in f["people"]}
    assert "fay" in people
    assert "eve" not in people
    finding = people["fay"]
    assert finding["records"][0]["case_number"] == "99-1"

    path = f"findings/{finding['finding_id']}/review"
    said = {"outcome": "explained", "note": "A number of the county's"}
    own = await under_test.call("POST", path, json=said, person="fay", role=Role.SUPERVISOR)
    assert own.status_code == 403
    blank = await under_test.call("POST", path, json=said | {"note": "  "})
    assert blank.status_code == 422
    done = await under_test.call("POST", path, json=said)
    assert done.status_code == 200, done.text
    assert done.json()["reviews"][0]["outcome"] == "explained"
    other = await under_test.call("POST", path, json=said, agency=OTHERS)
    assert other.status_code == 404

    open_ones = await under_test.call("GET", "findings?reviewed=false")
    assert finding["finding_id"] not in {f["finding_id"] for f in open_ones.json()["items"]}
    reviewed = await under_test.call("GET", "findings?reviewed=true&person_id=fay")
    assert [f["finding_id"] for f in reviewed.json()["items"]] == [finding["finding_id"]]
    (record,) = await under_test.door.records(action="audit.finding.reviewed", outcome="done")
    assert json.loads(record["query"])["review"] == "explained"
    again = await under_test.call("POST", "analysis", json=period())
    assert finding["finding_id"] in {f["finding_id"] for f in again.json()["findings"]}
    package = await under_test.prepared()
    shown = {f["finding_id"]: f for f in package["summary"]["misuse"]["findings"]}
    assert shown[finding["finding_id"]]["reviews"][0]["note"] == "A number of the county's"


@pytest.mark.policy("131.4")
async def test_the_daily_run_notes_new_findings_once_and_for_one_replica(
    under_test: AuditUnderTest,
) -> None:
    under_test.with_limits(case_number_formats=(r"2\d-\d{6}",))
    now = datetime.now(UTC)
    headers = under_test.door.token(person="gus", agency=OTHERS)
    assert (await under_test.door.search(headers, case_number="whatever")).status_code == 200
    first = await analyse_agency(under_test.audit, OTHERS, datetime.now(UTC))
    assert first is not None
    assert first >= 1
    assert await analyse_agency(under_test.audit, OTHERS, now) is None
    (note,) = await under_test.door.records(OTHERS, action=NOTED)
    assert note["person_id"] == "system:audit"
    assert json.loads(note["query"])["rules"]["no_such_case"] >= 1


async def test_what_cannot_be_audited_is_refused_with_a_reason(under_test: AuditUnderTest) -> None:
    now = datetime.now(UTC)
    for from_at, to_at in (
        (now, now - timedelta(days=1)), (now - timedelta(days=500), now),
        (now + timedelta(days=1), now + timedelta(days=2)),
    ):  # fmt: skip
        said = {"from": from_at.isoformat(), "to": to_at.isoformat()}
        answer = await under_test.call("POST", "packages", json=said)
        assert answer.status_code == 422, answer.text
        assert answer.json()["type"].endswith("period-impossible")
    csv_text = "person_id,begins_at,ends_at\nann,2026-01-01T06:00,2026-01-01T16:00:00Z\n"
    said = period() | {"csv": csv_text}
    answer = await under_test.call("PUT", "lists/shifts", json=said, role=Role.SUPERVISOR)
    assert answer.status_code == 422
    assert "line 2" in answer.json()["detail"]
    assert (await under_test.call("GET", f"packages/{uuid4()}")).status_code == 404
    assert (await under_test.call("GET", "packages?cursor=nonsense")).status_code == 422


async def append_all(under_test: AuditUnderTest, agency: str, records: list[Record]) -> None:
    """Simulated records as access records of the agency, in one transaction."""
    async with store.recording(under_test.door.database, agency) as connection:
        for r in records:
            refusal = Refusal(r.refusal_code, None, "") if r.refusal_code else None
            who = Who(
                r.person_id, r.person_id.replace("person", "Officer"), agency, r.role,
                r.session_id, r.address,
            )  # fmt: skip
            record = AccessRecord(
                record_id=r.record_id, who=who, occurred_at=r.occurred_at, action=r.action,
                subject=f"plate:{r.plate}", outcome=r.outcome, service=r.service,  # type: ignore[arg-type]
                purpose=r.purpose, case_number=r.case_number, suspicion=r.suspicion,
                query={"plate": r.plate, "lookalike": False} if r.plate else None,
                refusal=refusal,
            )  # fmt: skip
            await store.append(connection, record)


@pytest.mark.slow
@pytest.mark.policy("131.5-d", "131.4")
async def test_a_month_of_a_department_with_planted_misuse_all_of_it_in_the_package(
    under_test: AuditUnderTest,
) -> None:
    agency = "IL0330000"
    # Months are looked at one by one: planted towards the end of one, as the days before today
    # may be, misuse would be two halves of which neither need be pointed out.
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last_month = (month - timedelta(days=1)).replace(day=1)
    begin = last_month - timedelta(days=31)
    made = honest(begin, (month - begin).days, seed=5, size=24)
    plant(made, times=1, since_days=31)
    await append_all(under_test, agency, made.records)
    await under_test.cover()
    shifts = [
        {"person_id": person, "begins_at": begin.isoformat(), "ends_at": end.isoformat()}
        for person, listed in (made.lists.shifts or {}).items()
        for begin, end in listed
    ]
    covered = {"from": made.begin.isoformat(), "to": made.end.isoformat()}
    cases = {"to": made.end.isoformat(), "case_numbers": sorted(made.cases)}
    role: dict[str, Any] = {"role": Role.ADMINISTRATOR, "agency": agency}
    for path, said in (
        ("lists/shifts", covered | {"shifts": shifts}), ("lists/cases", cases),
    ):  # fmt: skip
        answer = await under_test.call("PUT", path, json=said, **role)
        assert answer.status_code == 200, answer.text
    for person, plate in made.own:
        answer = await under_test.call(
            "PUT", f"lists/plates/{person}", json={"plates": [plate]}, **role
        )
        assert answer.status_code == 200, answer.text

    asked = covered | {"to": datetime.now(UTC).isoformat()}
    package = await under_test.prepared(asked, **role)
    found = package["summary"]["misuse"]["findings"]
    log = package["summary"]["log"]
    assert log["is_good"] is True
    assert log["entries"] >= len(made.records)
    pointed_out = {(f["rule"], p["person_id"]) for f in found for p in f["people"]}
    # What rests on identity's answers or on the habits of a longer time is tested without a
    # database.
    elsewhere = {
        "overlapping_sessions",
        "after_lapse",
        "before_lapse",
        "unusual_hour",
        "volume_of_role",
    }
    missed = [
        (rule, who) for rule, who, _ in made.planted
        if rule not in elsewhere and (rule, who) not in pointed_out
    ]  # fmt: skip
    await _kept_where_asked(under_test, package, role)
    assert not missed


async def _kept_where_asked(
    under_test: AuditUnderTest, package: dict[str, Any], role: dict[str, Any]
) -> None:
    """The files, for somebody who wants to look at them (ALPR_KEEP_AUDIT=folder)."""
    folder = os.environ.get("ALPR_KEEP_AUDIT")
    if folder is None:
        return
    for file in package["files"]:
        path = f"packages/{package['package_id']}/files/{file['name']}"
        content = (await under_test.call("GET", path, **role)).content
        (Path(folder) / file["name"]).write_bytes(content)
