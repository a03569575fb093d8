"""What people do with alerts over HTTP, what they are refused, and what is kept of both."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.hit import JurisdictionAgreement
from alpr_common.policy import Role
from alpr_common.topics import ALERTS, AUDIT
from tests.integration.alerts.service_under_test import CONFIRMED, SEEN, AlertsLine, ids
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import OTHER_AGENCY, hit, principal

pytestmark = pytest.mark.integration


async def raised(line: AlertsLine, plate: str, **fields: Any) -> str:
    """The id of a new alert for that plate."""
    await line.publish(hit(0, plate=plate, **fields))
    await line.handled()
    (alert_id,) = ids(a for a in await line.person().alerts() if a["plate"] == plate)
    return alert_id


async def audited(
    line: AlertsLine, subject: str, count: int, by: str | None = None
) -> list[AuditRecord]:
    """The audit records about a subject (and by somebody), once there are that many, in order."""

    async def found() -> list[AuditRecord]:
        received = await everything(line.stack.kafka_bootstrap_servers, AUDIT)
        records = {
            r.audit_id: r for r in (AuditRecord.from_bytes(m.value or b"") for m in received)
        }
        about = [
            r for r in records.values() if r.subject == subject and by in (None, r.person_name)
        ]
        return about if len(about) >= count else []

    return await eventually(found, 60, interval_seconds=0.3, what=f"{count} records of {subject}")


async def told(line: AlertsLine, alert_id: str, count: int) -> list[AlertChanged]:
    """What the topic tells of an alert, once there are that many changes, in order."""

    async def found() -> list[AlertChanged]:
        received = await everything(line.stack.kafka_bootstrap_servers, ALERTS)
        changes = (
            AlertChanged.from_bytes(m.value or b"") for m in received if m.key == alert_id.encode()
        )
        each = {change.change_id: change for change in changes}
        return list(each.values()) if len(each) >= count else []

    return await eventually(found, 60, interval_seconds=0.3, what=f"{count} changes of {alert_id}")


@pytest.mark.policy("131.6-4a", "131.6-4b", "131.6-6")
async def test_an_alert_is_walked_to_enforced_and_every_step_is_kept_and_told(
    line: AlertsLine,
) -> None:
    officer = line.person()
    dispatcher = line.person(role=Role.DISPATCHER, name="Dispatcher Weber")
    alert_id = await raised(line, "WA1K01")

    accepted = await officer.step(alert_id, "accept", **SEEN, expected_sequence=1)
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["assigned_person_name"] == "Officer Lopez"
    assert accepted.json()["allowed_steps"] == ["status", "close", "hand-off"]
    waiting = await dispatcher.step(alert_id, "status", answer="unavailable", source="leads")
    assert waiting.json()["state"] == "accepted"
    confirmed = await dispatcher.step(alert_id, "status", **CONFIRMED)
    assert confirmed.json()["state"] == "actionable"
    enforced = await officer.step(alert_id, "enforce", incident_number="26-004711")
    assert enforced.json()["state"] == "enforced"
    assert enforced.json()["incident_number"] == "26-004711"

    shown = (await officer.get(f"/{alert_id}")).json()
    assert [(s["sequence"], s["step"], s["person_name"]) for s in shown["history"]] == [
        (1, "raised", "The system"),
        (2, "accepted", "Officer Lopez"),
        (3, "status_unavailable", "Dispatcher Weber"),
        (4, "status_confirmed", "Dispatcher Weber"),
        (5, "enforced", "Officer Lopez"),
    ]
    assert shown["history"][3]["details"] == {"source": "leads", "reference": "L-100"}
    assert alert_id not in ids(await officer.alerts(open=True))
    assert alert_id in ids(await officer.alerts(state="enforced"))

    records = await audited(line, f"alert:{alert_id}", 5)
    done = [(r.action, r.person_name, r.outcome) for r in records if r.action != "alert.viewed"]
    assert done == [
        ("alert.accept", "Officer Lopez", "done"),
        ("alert.status", "Dispatcher Weber", "done"),
        ("alert.status", "Dispatcher Weber", "done"),
        ("alert.enforce", "Officer Lopez", "done"),
    ]
    changes = await told(line, alert_id, 5)
    assert [(c.sequence, c.state.value) for c in changes] == [
        (1, "new"), (2, "accepted"), (3, "accepted"), (4, "actionable"), (5, "enforced"),
    ]  # fmt: skip


@pytest.mark.policy("131.6-4a", "131.6-4b", "131.6-5", "131.6-6")
async def test_a_refused_step_cites_its_clause_says_what_to_do_and_is_recorded(
    line: AlertsLine,
) -> None:
    officer = line.person()
    alert_id = await raised(line, "REFU5E", agreement=JurisdictionAgreement.UNKNOWN)
    tries: list[tuple[str, dict[str, Any], int, str]] = [
        ("enforce", {"incident_number": "26-1"}, 409, "131.6-4a"),
        ("status", CONFIRMED, 409, "131.6-4a"),
        ("close", {"reason": "gone"}, 409, "131.6-5"),
        ("accept", {}, 422, "131.6-4a"),
        ("accept", {"characters_match": True}, 422, "131.6-4a"),
        ("accept", SEEN, 422, "131.6-4a"),
        ("accept", {**SEEN, "confirmed_jurisdiction": "WI"}, 422, "131.6-4a"),
        ("reject", {}, 422, "131.6-5"),
        ("accept", {**SEEN, "confirmed_jurisdiction": "IL"}, 200, ""),
        ("enforce", {"incident_number": "26-1"}, 409, "131.6-4b"),
        ("status", CONFIRMED, 200, ""),
        ("enforce", {}, 422, "131.6-6"),
        ("close", {"outcome": "the vehicle was gone"}, 200, ""),
        ("hand-off", {}, 409, "131.6-5"),
    ]
    for step, body, status, clause in tries:
        answer = await officer.step(alert_id, step, **body)
        assert answer.status_code == status, (step, body, answer.text)
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["clause"] == clause
            assert answer.json()["clause_text"]
            assert answer.json()["detail"].endswith(".")
    records = await audited(line, f"alert:{alert_id}", len(tries))
    refused = [r for r in records if r.outcome == "refused"]
    assert [r.details["clause"] for r in refused] == [c for _, _, s, c in tries if s != 200]


@pytest.mark.policy("131.6-4a")
async def test_a_lookalike_is_accepted_with_its_differing_positions_alone(line: AlertsLine) -> None:
    officer = line.person()
    alert_id = await raised(line, "L00KA8", entry_plate="L00KAB")
    (shown,) = [a for a in await officer.alerts() if a["alert_id"] == alert_id]
    positions = [p["position"] for p in shown["differing_positions"]]
    refused = await officer.step(alert_id, "accept", **SEEN)
    assert refused.json()["type"] == "urn:alpr:problem:differing-positions-not-checked"
    assert refused.json()["positions"] == positions == [5]
    accepted = await officer.step(alert_id, "accept", **SEEN, checked_positions=positions)
    assert accepted.json()["state"] == "accepted"


@pytest.mark.policy("131.6-5")
async def test_of_people_who_accept_at_once_one_is_first_and_the_others_are_told_who(
    line: AlertsLine,
) -> None:
    alert_id = await raised(line, "RACE01")
    names = [f"Officer N{n}" for n in range(6)]
    people = [line.person(name=name) for name in names]
    answers = await asyncio.gather(
        *(p.step(alert_id, "accept", **SEEN, expected_sequence=1) for p in people[:3]),
        *(p.step(alert_id, "accept", **SEEN) for p in people[3:]),
    )
    won = [name for name, a in zip(names, answers, strict=True) if a.status_code == 200]
    assert len(won) == 1
    for answer in answers:
        if answer.status_code != 200:
            assert answer.status_code == 409
            assert answer.json()["person_name"] == won[0]
            assert won[0] in answer.json()["detail"]
    history = (await people[0].get(f"/{alert_id}")).json()["history"]
    assert [s["step"] for s in history] == ["raised", "accepted"]


async def test_who_decided_on_an_older_picture_is_refused(line: AlertsLine) -> None:
    officer = line.person()
    alert_id = await raised(line, "M0VED1")
    await line.person(name="Officer Chen").step(alert_id, "hand-off", note="on a domestic")
    answer = await officer.step(alert_id, "reject", reason="misread", expected_sequence=1)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:alpr:problem:alert-moved-on"
    assert answer.json()["person_name"] == "Officer Chen"
    assert answer.json()["sequence"] == 2
    again = await officer.step(alert_id, "reject", reason="misread", expected_sequence=2)
    assert again.json()["state"] == "rejected"
    assert again.json()["handed_off"] is True


@pytest.mark.policy("131.1", "131.4")
async def test_another_agency_sees_and_changes_nothing(line: AlertsLine) -> None:
    alert_id = await raised(line, "0URS01")
    stranger = line.person(agency_id=OTHER_AGENCY, name="Officer Elsewhere")
    assert alert_id not in ids(await stranger.alerts())
    answers = [
        await stranger.get(f"/{alert_id}"),
        await stranger.get(f"/{alert_id}/pictures/frame"),
        await stranger.step(alert_id, "accept", **SEEN),
        await stranger.step(alert_id, "hand-off"),
    ]
    unknown = await stranger.get(f"/{uuid4()}")
    for answer in answers:
        assert answer.status_code == unknown.status_code == 404
        assert answer.json()["title"] == unknown.json()["title"]
        assert "WA1K01" not in answer.text
    own = (await line.person().get(f"/{alert_id}")).json()
    assert own["sequence"] == 1


@pytest.mark.policy("131.6-1", "131.6-2")
async def test_without_role_or_current_training_there_is_no_alert(line: AlertsLine) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    alert_id = await raised(line, "GATE01")
    nobody = line.person()
    nobody.headers = {}
    cases = [
        (nobody, 401, None),
        (line.person(role=Role.AUDITOR), 403, "131.6-2"),
        (line.person(trained_until=yesterday), 403, "131.6-1"),
    ]
    for person, status, clause in cases:
        for path in ("", f"/{alert_id}", f"/{alert_id}/pictures/plate", "/stream"):
            answer = await person.get(path)
            assert answer.status_code == status, path
            assert answer.json().get("clause") == clause
        assert (await person.step(alert_id, "accept", **SEEN)).status_code == status
    turned_away = await audited(line, f"GET /v1/alerts/{alert_id}", 2)
    assert [(r.outcome, r.role, r.details["clause"]) for r in turned_away] == [
        ("refused", "auditor", "131.6-2"),
        ("refused", "officer", "131.6-1"),
    ]


@pytest.mark.policy("131.7-3a")
async def test_looking_at_alerts_is_recorded(line: AlertsLine) -> None:
    alert_id = await raised(line, "SEEN01")
    curious = line.person(principal(name="Officer Curious"))
    await curious.get(f"/{alert_id}")
    await curious.get(open="true")
    (look,) = await audited(line, f"alert:{alert_id}", 1, "Officer Curious")
    assert (look.action, look.outcome, look.service) == ("alert.viewed", "done", "alerts")
    (listed,) = await audited(line, "alerts", 1, "Officer Curious")
    assert listed.action == "alerts.listed"
    assert listed.details["states"] == "accepted,actionable,new"


async def test_the_list_is_paged_newest_first_without_gap_or_double(line: AlertsLine) -> None:
    await line.publish(*(hit(0, plate=f"PAGE{n:02d}") for n in range(12)))
    await line.handled()
    officer = line.person()
    whole = ids(await officer.alerts())
    paged: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await officer.get(limit=5, **cursor)).json()
        paged += ids(page["items"])
        if not page["next_cursor"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    assert len(set(whole)) == len(whole)
    times = [a["created_at"] for a in await officer.alerts()]
    assert times == sorted(times, reverse=True)
    too_early = base64.urlsafe_b64encode(f"0001-01-01T00:00:00+14:00 {uuid4()}".encode()).decode()
    for bad in ("nonsense", "", "MjAyNg==", too_early):
        answer = await officer.get(cursor=bad or "%")
        assert answer.status_code == 400, bad


@pytest.mark.policy("131.5-c", "131.6-5")
async def test_the_database_itself_refuses_to_change_the_history_or_to_skip_a_check(
    line: AlertsLine,
) -> None:
    alert_id = await raised(line, "DBASE1")
    connection = await asyncpg.connect(line.stack.postgres_dsn("alpr_alerts"))
    try:
        hidden = await connection.fetch("SELECT 1 FROM alert")
        assert hidden == [], "without an agency no row is seen"
        await connection.execute("SELECT set_config('alpr.agency_id', 'IL0222900', false)")
        for statement in (
            "UPDATE alert_step SET person_name = 'nobody'",
            "DELETE FROM alert_step",
            "DELETE FROM alert_hit",
            "UPDATE alert_hit SET alert_id = alert_id",
            "UPDATE alert_hit_live SET seen_live_at = now()",
            "DELETE FROM alert_hit_live",
            "DELETE FROM alert",
            "TRUNCATE alert_step",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        for skipped in ("accepted", "actionable", "enforced"):
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(
                    "UPDATE alert SET state = $1 WHERE alert_id = $2", skipped, alert_id
                )
    finally:
        await connection.close()
