"""`AlprClient` against the real services: what a CAD or records system does with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr_client import (
    Account,
    AlertUpdate,
    AlprClient,
    Box,
    Circle,
    Convoy,
    NotSignedInError,
    Query,
    Reason,
    RefusedError,
)
from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_evidence.verify import verify_package
from alpr_translog.note import VerifierKey
from tests.integration.client.conftest import AGENCY, HERE, JPEG, PASSWORD, Sightings, System
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Office(Sightings):
    """The services, and the people who use them."""

    system: System
    officer: AlprClient
    supervisor: AlprClient
    administrator: AlprClient


def query(plate: str | None, **narrowed: Any) -> Query:
    now = datetime.now(UTC)
    return Query(now - timedelta(hours=2), now, plate, **narrowed)


def reason() -> Reason:
    return Reason(
        purpose="stolen_vehicle", case_number="26-000123", attested=True,
        suspicion=f"The van left the scene of the burglary, note {uuid4()}",
    )  # fmt: skip


async def person(system: System, role: str) -> AlprClient:
    await asyncio.to_thread(system.add_person, role, role)
    client = AlprClient(system.addresses, timeout_seconds=60)
    await client.sign_in(role, PASSWORD)
    return client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(system: System) -> AsyncIterator[Office]:
    services = system.services
    services.start_all("access-log", "alerts", deadline_seconds=180)
    people = [await person(system, role) for role in ("officer", "supervisor", "administrator")]
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    pictures = Pictures.at(services.stack.objects_folder.as_uri())
    yield Office(publisher, pictures, system, *people)
    for client in people:
        await client.close()
    await publisher.stop()


async def test_a_search_is_narrowed_as_the_caller_says(office: Office) -> None:
    near = await office.capture("NARROW1", camera_id="cam-near")
    far = await office.capture(
        "NARROW1", camera_id="cam-far", latitude=41.9, longitude=-87.8, jurisdiction="US-WI"
    )
    await office.system.stored(near, far)

    async def found(**narrowed: Any) -> set[str]:
        answer = await office.officer.searches.search(query("NARROW1", **narrowed), reason())
        return {one.camera_id for one in answer.items}

    assert await found() == {"cam-near", "cam-far"}
    assert await found(area=Circle(*HERE, 500)) == {"cam-near"}
    assert await found(area=Box(41.85, -87.85, 41.95, -87.75)) == {"cam-far"}
    assert await found(jurisdictions=["US-WI"]) == {"cam-far"}
    assert await found(camera_ids=["cam-near"]) == {"cam-near"}
    assert await found(hit=True) == set()
    pattern = await office.officer.searches.search(query("NARR*W?"), reason())
    assert len(pattern.items) == 2
    # I looks like 1.
    alike = await office.officer.searches.search(query("NARROWI", lookalike=True), reason())
    assert len(alike.items) == 2


async def test_a_search_is_followed_page_by_page_and_its_pictures_are_shown(
    office: Office,
) -> None:
    reads = [await office.capture("PAGED11", camera_id=f"cam-{n}") for n in range(3)]
    await office.system.stored(*reads)
    searches = office.officer.searches
    first = await searches.search(query("PAGED11"), reason(), limit=1)
    pages = [page async for page in searches.pages(first)]
    assert [len(page.items) for page in pages] == [1, 1, 1]
    assert {page.access_id for page in pages} == {first.access_id}
    assert {one.read_id async for one in searches.reads(first)} == {r.read_id for r in reads}
    picture = await searches.picture(first.items[0].read_id, "plate", access_id=first.access_id)
    assert picture == JPEG
    with pytest.raises(RefusedError) as refused:
        await office.supervisor.searches.picture(
            first.items[0].read_id, "frame", access_id=first.access_id
        )
    assert refused.value.clause is not None
    done = office.administrator.searches.every_record(action="search", outcome="done")
    assert first.access_id in {record.access_id async for record in done}


@pytest.mark.policy("131.7-3a")
async def test_a_search_without_a_purpose_is_refused_with_its_clause(office: Office) -> None:
    said = Reason(purpose="", case_number="26-1", suspicion="x" * 40, attested=True)
    with pytest.raises(RefusedError) as refused:
        await office.officer.searches.search(query("ABC1234"), said)
    error = refused.value
    assert (error.status, error.clause) == (422, "131.7-3a"), str(error)
    assert error.title
    assert error.detail


async def test_a_sweep_is_asked_for_approved_and_used_once(office: Office) -> None:
    read = await office.capture("SWEPT01", camera_id="cam-sweep")
    await office.system.stored(read)
    sweep = query(None, camera_ids=["cam-sweep"])
    with pytest.raises(RefusedError) as refused:
        await office.officer.searches.search(sweep, reason())
    assert refused.value.code == "sweep-needs-approval"
    asked = await office.officer.approvals.request(sweep, reason())
    assert asked.state == "pending"
    waiting = [one.approval_id async for one in office.supervisor.approvals.every(pending=True)]
    assert asked.approval_id in waiting
    with pytest.raises(RefusedError):
        await office.officer.approvals.approve(asked.approval_id)
    decided = await office.supervisor.approvals.approve(asked.approval_id, "as briefed")
    assert (decided.state, decided.note) == ("approved", "as briefed")
    answer = await office.officer.searches.search_approved(asked.approval_id)
    assert [one.read_id for one in answer.items] == [read.read_id]
    used = await office.officer.approvals.get(asked.approval_id)
    assert (used.state, used.access_id) == ("used", answer.access_id)
    with pytest.raises(RefusedError) as refused:
        await office.officer.searches.search_approved(asked.approval_id)
    assert refused.value.code == "approval-not-usable"
    denied = await office.officer.approvals.request(sweep, reason())
    assert (await office.supervisor.approvals.deny(denied.approval_id)).state == "denied"


async def test_who_went_along_with_a_plate_is_answered_once_approved(office: Office) -> None:
    now = datetime.now(UTC)
    reads = []
    for n in range(3):
        at = now - timedelta(minutes=30 - n)
        for plate, seconds in (("LEADER1", 0), ("FOLLOW1", 5)):
            passed_at = at + timedelta(seconds=seconds)
            reads.append(await office.capture(plate, camera_id=f"cam-c{n}", captured_at=passed_at))
    await office.system.stored(*reads)
    asked = await office.officer.approvals.request(
        query("LEADER1", convoy=Convoy(within_seconds=30, cameras=3)), reason()
    )
    await office.supervisor.approvals.approve(asked.approval_id)
    answer = await office.officer.searches.convoy(asked.approval_id)
    assert (answer.passes, answer.is_complete) == (3, True)
    assert [(one.plate, one.cameras) for one in answer.vehicles] == [("FOLLOW1", 3)]
    assert len(answer.vehicles[0].reads) == 3


async def test_reads_are_held_packed_handed_over_and_released(
    office: Office, tmp_path: Path
) -> None:
    read = await office.capture("HELD001", camera_id="cam-held")
    await office.system.stored(read)
    holds, evidence = office.supervisor.holds, office.supervisor.evidence
    placed = await holds.place(
        reason="Evidence in the burglary", case_number="26-000123", read_ids=[read.read_id]
    )
    assert placed.released_at is None

    async def kept() -> bool:
        return (await holds.get(placed.hold_id)).held_count == 1

    await eventually(kept, 60, interval_seconds=0.5, what="the read is held")
    shown = await holds.get(placed.hold_id)
    assert [one.read_id for one in shown.reads or ()] == [read.read_id]
    assert placed.hold_id in {hold.hold_id async for hold in holds.every(in_force=True)}
    package = await evidence.prepare(
        purpose="stolen_vehicle", case_number="26-000123", read_ids=[read.read_id]
    )
    content = await evidence.download(package.evidence_id)
    (tmp_path / "package.zip").write_bytes(content)
    key = VerifierKey.parse(await evidence.verifier_key(AGENCY))
    public = await office.officer.transport.call(
        "access_log", "GET", f"/v1/log/{AGENCY}/key", signed=False
    )
    log_key = VerifierKey.parse(public.text)
    report = await asyncio.to_thread(verify_package, tmp_path / "package.zip", key, log_key)
    assert report.is_good, report.faults
    assert report.inventory_number == package.inventory_number
    receipt = await evidence.add_receipt(
        package.evidence_id, received_by="Det. Okafor", medium="USB stick", serial="S-77"
    )
    assert [one.receipt_id for one in await evidence.receipts(package.evidence_id)] == [
        receipt.receipt_id
    ]
    found = [one.evidence_id async for one in evidence.every(case_number="26-000123")]
    assert found == [package.evidence_id]
    with pytest.raises(RefusedError, match="second person"):
        await holds.release(placed.hold_id, "The case is closed")
    released = await office.administrator.holds.release(placed.hold_id, "The case is closed")
    assert released.released_by is not None
    with pytest.raises(RefusedError) as refused:
        await office.officer.holds.place(reason="x", case_number="1", read_ids=[read.read_id])
    assert refused.value.status == 403


async def test_an_alert_comes_down_the_stream_and_is_answered_step_by_step(
    office: Office,
) -> None:
    alerts = office.officer.alerts
    position = (await alerts.list(open_only=True, limit=1)).stream_position
    read = await office.capture("ALERT01", camera_id="cam-alert")
    await office.hit(read)
    update = await following(office.officer, position)
    alert = update.alert
    assert (alert.plate, alert.state, alert.entry and alert.entry.category) == (
        "ALERT01", "new", "stolen_vehicle",
    )  # fmt: skip
    assert "131.6-4" in alert.notice
    assert await alerts.picture(alert.alert_id, "frame") == JPEG
    accepted = await alerts.accept(
        alert.alert_id, characters_match=True, state_matches=True,
        expected_sequence=alert.sequence,
    )  # fmt: skip
    with pytest.raises(RefusedError) as refused:
        await alerts.close(alert.alert_id, "late", expected_sequence=alert.sequence)
    assert refused.value.status == 409
    await alerts.hand_off(alert.alert_id, note="on another call")
    confirmed = await alerts.status(alert.alert_id, "confirmed", "leads", reference="L-100")
    assert (accepted.state, confirmed.state) == ("accepted", "actionable")
    await alerts.enforce(alert.alert_id, "26-004711")
    detail = await alerts.get(alert.alert_id)
    assert (detail.state, detail.incident_number) == ("enforced", "26-004711")
    assert [hit.read.read_id for hit in detail.hits] == [read.read_id]
    assert [step.person_name for step in detail.history if step.person_id] == [
        "Officer Miller"
    ] * len([step for step in detail.history if step.person_id])
    # What was missed while nobody listened comes when the stream is resumed.
    missed = await following(office.officer, update.stream_id)
    assert missed.alert.alert_id == alert.alert_id
    assert missed.alert.sequence > alert.sequence
    assert alert.alert_id in {one.alert_id async for one in alerts.every(state="enforced")}
    record = await alerts.record(alert.alert_id)
    assert record.state == "enforced"


async def following(client: AlprClient, after: str | int | None) -> AlertUpdate:
    async with asyncio.timeout(60):
        async for update in client.alerts.stream(after=after):
            return update
    raise AssertionError("the stream ended")


async def test_a_stream_goes_on_over_a_restart_of_the_service(office: Office) -> None:
    alerts = office.officer.alerts
    position = (await alerts.list(limit=1)).stream_position
    seen: list[AlertUpdate] = []
    two = asyncio.Event()

    def plates() -> set[str]:
        return {update.alert.plate for update in seen}

    async def listen() -> None:
        async for update in alerts.stream(after=position):
            seen.append(update)
            if plates() >= {"BEFORE1", "AFTER01"}:
                two.set()

    listening = asyncio.create_task(listen())
    try:
        await office.hit(await office.capture("BEFORE1", camera_id="cam-x"))
        await eventually(lambda: "BEFORE1" in plates(), 60, what="the first alert")
        await asyncio.to_thread(office.system.services.get("alerts").kill)
        await office.hit(await office.capture("AFTER01", camera_id="cam-x"))
        again = office.system.services.get("alerts")
        await asyncio.to_thread(again.start, deadline_seconds=180)
        await asyncio.wait_for(two.wait(), 90)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    # An alert that nobody answers comes again when it escalates: with a sequence of its own.
    updates = [(update.alert.alert_id, update.alert.sequence) for update in seen]
    assert len(updates) == len(set(updates)), "nothing comes twice"


async def test_people_and_their_training_are_kept_in_step(office: Office) -> None:
    people = office.administrator.people
    added = await people.add("okafor", name="Dana Okafor", role="officer", rank="Det.")
    assert added.password
    assert added.person_id is not None
    until = (datetime.now(UTC) + timedelta(days=365)).date()
    trained = await people.record_training(
        added.person_id, leads_until=until, leads_certificate="L-9"
    )
    assert (trained.leads_until, trained.alpr_until) == (until, None)
    gone = await people.record_training(added.person_id, leads_until=None)
    assert gone.leads_until is None
    roster = {line.username: line for line in await office.supervisor.people.training_roster()}
    assert roster["okafor"].leads.standing == "missing"
    assert roster["officer"].alpr.standing == "current"
    changed = await people.change(added.person_id, active=False)
    assert not changed.active
    assert "okafor" in {one.username async for one in people.every()}
    with pytest.raises(RefusedError) as refused:
        await office.officer.people.list()
    assert refused.value.clause == "131.6-2"


async def test_a_service_account_signs_in_by_itself_and_again_when_its_session_was_ended(
    office: Office,
) -> None:
    await asyncio.to_thread(office.system.add_person, "cad", "dispatcher")
    account = Account("cad", PASSWORD)
    async with AlprClient(office.system.addresses, account=account) as cad:
        assert (await cad.me()).username == "cad"
        async with AlprClient(office.system.addresses) as other:
            await other.sign_in("cad", PASSWORD)
            sessions = await other.transport.json("identity", "GET", "/v1/sessions")
            for one in sessions["items"]:
                if not one["current"]:
                    path = f"/v1/sessions/{one['session_id']}"
                    await other.transport.call("identity", "DELETE", path)
        assert (await cad.alerts.list()).items is not None
        assert (await cad.me()).may_access
    wrong = Account("cad", "not the password")
    async with AlprClient(office.system.addresses, account=wrong) as cad:
        with pytest.raises(NotSignedInError, match="locked"):
            await cad.alerts.list()
