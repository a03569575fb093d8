"""Legal holds as people and alerts place them: what they name outlives the purge (131.5-c)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.holds import api as holds_api
from alpr_access_log.holds import handlers as holds
from alpr_access_log.holds import store as holds_store
from alpr_access_log.holds.handlers import Holds
from alpr_common.messages.alert import AlertChanged, AlertState
from alpr_common.messages.read import Read
from alpr_common.objects import picture_key
from alpr_common.policy import Policy, Role
from tests.integration.access_log.conftest import OTHERS, OURS, DoorUnderTest, make_read

pytestmark = pytest.mark.integration


@pytest.fixture
async def keeping(door: DoorUnderTest) -> Holds:
    made = Holds(door.database, door.pictures, Policy(), Alerts("http://127.0.0.1:1"))
    door.app.state.holds = made
    door.app.include_router(holds_api.router(door.app.state.gate))
    return made


async def stored_read(door: DoorUnderTest, plate: str, agency: str = OURS) -> Read:
    """A stored read with its pictures."""
    bare = make_read(plate, agency=agency)
    read = bare.model_copy(
        update={
            "frame_object": picture_key(agency, "cam-1", bare.captured_at, bare.frame_id),
            "plate_object": picture_key(
                agency, "cam-1", bare.captured_at, bare.frame_id, f"-plate-{bare.read_id}"
            ),
        }
    )
    await door.pictures.put(read.frame_object, b"\xff\xd8frame")
    await door.pictures.put(read.plate_object, b"\xff\xd8plate")
    await door.store(read)
    return read


def body(**changed: Any) -> dict[str, Any]:
    return {"reason": "Evidence of the burglary", "case_number": "26-000123"} | changed


def supervisor(door: DoorUnderTest, **named: Any) -> dict[str, str]:
    return door.token(role=Role.SUPERVISOR, **named)


@pytest.mark.policy("131.5-c")
async def test_a_hold_by_id_copies_the_read_and_its_pictures(
    door: DoorUnderTest, keeping: Holds
) -> None:
    read = await stored_read(door, "HOLD001")
    answer = await door.client.post(
        "/v1/holds", json=body(read_ids=[str(read.read_id)]), headers=supervisor(door)
    )
    assert answer.status_code == 201, answer.text
    placed = answer.json()
    assert (placed["named_count"], placed["held_count"]) == (1, 1)
    await door.pictures.delete([read.frame_object, read.plate_object])
    assert await door.pictures.get(read.plate_object) == b"\xff\xd8plate"
    shown = await door.client.get(f"/v1/holds/{placed['hold_id']}", headers=supervisor(door))
    assert shown.json()["reads"][0]["pictures"] == "kept"
    records = await door.records(action="hold.placed", subject=f"hold:{placed['hold_id']}")
    assert [r["case_number"] for r in records] == ["26-000123"]


@pytest.mark.policy("131.5-c")
async def test_a_held_read_is_found_once_while_it_lies_in_both_places(
    door: DoorUnderTest, keeping: Holds
) -> None:
    read = await stored_read(door, "TWICE01")
    now = datetime.now(UTC)
    await door.client.post(
        "/v1/holds",
        json=body(
            plate="TWICE01", **{"from": (now - timedelta(hours=5)).isoformat(),
                                "to": (now + timedelta(days=1)).isoformat()},
        ),
        headers=supervisor(door),
    )  # fmt: skip
    later = await stored_read(door, "TWICE01")
    await holds.catch_up(keeping, OURS, now)
    answer = await door.search(door.token(), plate="TWICE01")
    ids = [item["read_id"] for item in answer.json()["items"]]
    assert sorted(ids) == sorted([str(read.read_id), str(later.read_id)])
    async with door.database.transaction(OURS) as connection:
        held = await connection.fetch("SELECT read_id FROM held_read WHERE plate = 'TWICE01'")
    assert {row["read_id"] for row in held} == {read.read_id, later.read_id}


@pytest.mark.policy("131.5-c")
async def test_a_hold_is_released_by_a_second_person_with_a_reason(
    door: DoorUnderTest, keeping: Holds
) -> None:
    read = await stored_read(door, "SECOND1")
    kim, lee = supervisor(door, person="kim"), supervisor(door, person="lee")
    placed = await door.client.post(
        "/v1/holds", json=body(read_ids=[str(read.read_id)]), headers=kim
    )
    url = f"/v1/holds/{placed.json()['hold_id']}/release"
    alone = await door.client.post(url, json={"reason": "not needed"}, headers=kim)
    assert alone.status_code == 403
    wordless = await door.client.post(url, json={}, headers=lee)
    assert wordless.status_code == 422
    released = await door.client.post(url, json={"reason": "case closed"}, headers=lee)
    assert released.status_code == 200, released.text
    assert released.json()["released_by"]["person_id"] == "lee"
    again = await door.client.post(url, json={"reason": "case closed"}, headers=lee)
    assert again.status_code == 409
    outcomes = [r["outcome"] for r in await door.records(action="hold.request")]
    assert outcomes.count("refused") >= 3
    assert len(await door.records(action="hold.released")) == 1


async def test_what_a_hold_lacks_is_said_and_the_refusal_recorded(
    door: DoorUnderTest, keeping: Holds
) -> None:
    headers = supervisor(door)
    for changed, code in (
        ({"reason": " ", "read_ids": [str(uuid4())]}, "hold-reason-missing"),
        ({"case_number": None, "read_ids": [str(uuid4())]}, "hold-reason-missing"),
        ({}, "hold-subject-missing"),
        ({"plate": "AB*"}, "hold-subject-missing"),
        ({"read_ids": [str(uuid4())]}, "hold-names-nothing"),
    ):
        answer = await door.client.post("/v1/holds", json=body(**changed), headers=headers)
        assert answer.json()["type"].endswith(code), answer.text
    officer = await door.client.post("/v1/holds", json=body(plate="AB1"), headers=door.token())
    assert officer.status_code == 403
    codes = {r["refusal_code"] for r in await door.records(action="hold.request")}
    assert {"hold-names-nothing", "hold-reason-missing", "role-not-allowed"} <= codes


async def test_holds_of_another_agency_do_not_exist(door: DoorUnderTest, keeping: Holds) -> None:
    read = await stored_read(door, "THEIRS1", OTHERS)
    mine = await door.client.post(
        "/v1/holds", json=body(read_ids=[str(read.read_id)]), headers=supervisor(door)
    )
    assert mine.status_code == 404
    theirs = await door.client.post(
        "/v1/holds",
        json=body(read_ids=[str(read.read_id)]),
        headers=supervisor(door, agency=OTHERS),
    )
    hold_id = theirs.json()["hold_id"]
    seen = await door.client.get(f"/v1/holds/{hold_id}", headers=supervisor(door))
    assert seen.status_code == 404
    listed = await door.client.get("/v1/holds", headers=supervisor(door))
    assert hold_id not in {one["hold_id"] for one in listed.json()["items"]}


async def test_holds_are_listed_page_by_page(door: DoorUnderTest, keeping: Holds) -> None:
    agency = f"IL{uuid4().hex[:7]}"
    headers = supervisor(door, agency=agency)
    read = await stored_read(door, "PAGED01", agency)
    for _ in range(5):
        await door.client.post(
            "/v1/holds", json=body(read_ids=[str(read.read_id)]), headers=headers
        )
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        params = {"limit": "2", **cursor}
        page = await door.client.get("/v1/holds", params=params, headers=headers)
        ids += [one["hold_id"] for one in page.json()["items"]]
        if not page.json()["next_cursor"]:
            break
        cursor = {"cursor": page.json()["next_cursor"]}
    assert len(ids) == len(set(ids)) == 5
    spoilt = await door.client.get("/v1/holds", params={"cursor": "x"}, headers=headers)
    assert spoilt.status_code == 422


def change(alert_id: UUID, read_ids: list[UUID], **changed: Any) -> AlertChanged:
    said: dict[str, Any] = {
        "change_id": uuid4(), "alert_id": alert_id, "agency_id": OURS, "sequence": 2,
        "step": "accepted", "state": AlertState.ACCEPTED, "plate": "X",
        "category": "stolen_vehicle", "priority": 2, "camera_id": "cam-1", "person_id": "ann",
        "occurred_at": datetime.now(UTC), "read_ids": tuple(read_ids), "case_number": "26-9",
    }  # fmt: skip
    return AlertChanged(**said | changed)


@pytest.mark.policy("131.5-c")
async def test_an_alert_that_is_acted_on_places_one_hold_that_grows(
    door: DoorUnderTest, keeping: Holds
) -> None:
    first, second = await stored_read(door, "ALERT01"), await stored_read(door, "ALERT01")
    alert_id, now = uuid4(), datetime.now(UTC)
    rejected = change(alert_id, [first.read_id], state=AlertState.REJECTED)
    await holds.hold_alert(keeping, rejected, now)
    accepted = change(alert_id, [first.read_id])
    enforced = change(
        alert_id, [first.read_id, second.read_id], sequence=4, state=AlertState.ENFORCED,
        incident_number="26-004711",
    )  # fmt: skip
    for step in (accepted, accepted, enforced, accepted, enforced):
        await holds.hold_alert(keeping, step, now)
    async with door.database.transaction(OURS) as connection:
        rows = await connection.fetch("SELECT hold_id FROM hold WHERE alert_id = $1", alert_id)
        assert len(rows) == 1
        hold = await holds_store.find(connection, OURS, rows[0]["hold_id"])
    assert hold is not None
    assert (hold.named_count, hold.held_count, hold.kind) == (2, 2, "alert")
    subject = f"hold:{hold.hold_id}"
    actions = [r["action"] for r in await door.records(subject=subject)]
    assert actions == ["hold.placed", "hold.extended"]


@pytest.mark.policy("131.5-c")
async def test_a_released_hold_of_an_alert_comes_back_with_what_happens_later_alone(
    door: DoorUnderTest, keeping: Holds
) -> None:
    read = await stored_read(door, "AGAIN01")
    alert_id, now = uuid4(), datetime.now(UTC)
    accepted = change(alert_id, [read.read_id], occurred_at=now - timedelta(minutes=5))
    await holds.hold_alert(keeping, accepted, now)
    async with door.database.transaction(OURS) as connection:
        hold = await holds_store.newest_of_alert(connection, OURS, alert_id)
    assert hold is not None
    url = f"/v1/holds/{hold.hold_id}/release"
    who_acted = await door.client.post(
        url, json={"reason": "x"}, headers=supervisor(door, person="ann")
    )
    assert who_acted.status_code == 403
    done = await door.client.post(url, json={"reason": "x"}, headers=supervisor(door))
    assert done.status_code == 200
    await holds.hold_alert(keeping, accepted, now)  # a redelivery
    later = change(  # a further hit: it repeats the sequence
        alert_id, [read.read_id], sequence=accepted.sequence, step="hit_attached",
        occurred_at=datetime.now(UTC) + timedelta(seconds=1),
    )  # fmt: skip
    await holds.hold_alert(keeping, later, now)
    async with door.database.transaction(OURS) as connection:
        rows = await connection.fetch(
            "SELECT released_at IS NULL AS in_force FROM hold WHERE alert_id = $1", alert_id
        )
    assert sorted(row["in_force"] for row in rows) == [False, True]


@pytest.mark.policy("131.5-c")
async def test_a_hold_that_comes_before_its_read_is_completed(
    door: DoorUnderTest, keeping: Holds
) -> None:
    early = make_read("EARLY01")
    alert_id, now = uuid4(), datetime.now(UTC)
    await holds.hold_alert(keeping, change(alert_id, [early.read_id]), now)
    await door.store(early)
    await holds.catch_up(keeping, OURS, now)
    async with door.database.transaction(OURS) as connection:
        hold = await holds_store.newest_of_alert(connection, OURS, alert_id)
    assert hold is not None
    assert (hold.named_count, hold.held_count) == (1, 1)
