"""Which plates were seen together with one: only as a supervisor approved it, and on record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from alpr_access_log.approvals import api as approvals_api
from alpr_access_log.convoys import api as convoys_api
from alpr_common.auth import Gate, TokenVerifier
from alpr_common.messages.read import Read
from alpr_common.policy import Policy, Role
from tests.integration.access_log.conftest import (
    OTHERS,
    OURS,
    DoorUnderTest,
    make_read,
    search_body,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def desk(door: DoorUnderTest) -> DoorUnderTest:
    """The door with the routes of approvals and convoys."""
    gate = Gate(TokenVerifier(door.issuer.private_key.public_key()), Policy())
    door.app.include_router(approvals_api.router(gate))
    door.app.include_router(convoys_api.router(gate))
    return door


def question(plate: str, **changed: Any) -> dict[str, Any]:
    return (
        search_body() | {"plate": plate, "convoy": {"within_seconds": 30, "cameras": 3}} | changed
    )


async def ask(desk: DoorUnderTest, who: dict[str, str], body: dict[str, Any]) -> httpx.Response:
    return await desk.client.post("/v1/search-approvals", json=body, headers=who)


async def approved(desk: DoorUnderTest, who: dict[str, str], body: dict[str, Any]) -> str:
    asked = await ask(desk, who, body)
    assert asked.status_code == 201, asked.text
    approval_id: str = asked.json()["approval_id"]
    supervisor = desk.token(role=Role.SUPERVISOR)
    path = f"/v1/search-approvals/{approval_id}/approve"
    assert (await desk.client.post(path, json={}, headers=supervisor)).status_code == 200
    return approval_id


async def use(desk: DoorUnderTest, who: dict[str, str], body: dict[str, Any]) -> httpx.Response:
    return await desk.client.post("/v1/searches/convoy", json=body, headers=who)


def pass_of(
    plate: str, camera: int, *, behind_seconds: float = 0, minutes_ago: float | None = None,
    agency: str = OURS,
) -> Read:  # fmt: skip
    """A read at one of the cameras along a road, ten minutes apart; plates that end in the same
    figure drive the same road."""
    ago = 60 + 10 * camera if minutes_ago is None else minutes_ago
    at = _NOW - timedelta(minutes=ago) + timedelta(seconds=behind_seconds)
    return make_read(plate, camera_id=f"road-{plate[-1]}-{camera}", captured_at=at, agency=agency)


_NOW = datetime.now(UTC)


@pytest.mark.policy("131.7-3a")
async def test_who_was_near_at_enough_cameras_is_found_and_stands_on_record(
    desk: DoorUnderTest,
) -> None:
    lead = [pass_of("LEAD001", n) for n in range(4)]
    tail = [pass_of("TAIL001", n, behind_seconds=12) for n in range(4)]
    ahead = [pass_of("AHEAD01", n, behind_seconds=-30) for n in range(3)]
    elsewhere = [pass_of("TWICE01", n, behind_seconds=5) for n in range(2)]
    late = [pass_of("LATE001", n, behind_seconds=31) for n in range(4)]
    one_camera = [pass_of("LOCAL01", 0, behind_seconds=n) for n in range(5)]
    theirs = [pass_of("THEIR01", n, behind_seconds=1, agency=OTHERS) for n in range(4)]
    await desk.store(*lead, *tail, *ahead, *elsewhere, *late, *one_camera)
    await desk.store(*theirs)
    officer = desk.token(person="follower")
    approval = await approved(desk, officer, question("LEAD001"))
    answer = await use(desk, officer, {"approval_id": approval})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert [(v["plate"], v["cameras"], v["times"]) for v in said["vehicles"]] == [
        ("TAIL001", 4, 4), ("AHEAD01", 3, 3)
    ]  # fmt: skip
    assert (said["passes"], said["is_complete"]) == (4, True)
    shown = [read["read_id"] for vehicle in said["vehicles"] for read in vehicle["reads"]]
    assert set(shown) == {str(read.read_id) for read in (*tail, *ahead)}
    (record,) = await desk.records(person_id="follower", action="search")
    assert (record["subject"], str(record["record_id"])) == ("convoy:LEAD001", said["access_id"])
    assert [str(one) for one in record["read_ids"]] == shown
    assert approval in record["details"]
    assert '"convoy": {"cameras": 3, "within_seconds": 30}' in record["query"]


@pytest.mark.policy("131.7-3a")
async def test_a_picture_opens_by_the_access_that_found_the_company(desk: DoorUnderTest) -> None:
    reads = [pass_of(plate, n) for plate in ("LEAD002", "TAIL002") for n in range(3)]
    await desk.store(*reads)
    officer = desk.token(person="looks on")
    approval = await approved(desk, officer, question("LEAD002"))
    said = (await use(desk, officer, {"approval_id": approval})).json()
    await desk.pictures.put("plate.jpg", b"\xff\xd8plate")
    read_id = said["vehicles"][0]["reads"][0]["read_id"]
    path = f"/v1/reads/{read_id}/pictures/plate?access_id={said['access_id']}"
    assert (await desk.client.get(path, headers=officer)).status_code == 200
    assert (await desk.client.get(path, headers=desk.token())).status_code == 403


@pytest.mark.policy("131.6-3e")
async def test_without_a_supervisors_approval_nothing_is_told(desk: DoorUnderTest) -> None:
    await desk.store(*(pass_of(plate, n) for plate in ("LEAD003", "TAIL003") for n in range(3)))
    officer, other = desk.token(person="hurried"), desk.token(person="other")
    bare = await use(desk, officer, question("LEAD003"))
    assert (bare.status_code, bare.json()["clause"]) == (403, "policy file")
    at_searches = await desk.client.post("/v1/searches", json=question("LEAD003"), headers=officer)
    assert at_searches.status_code == 403
    pending = (await ask(desk, officer, question("LEAD003"))).json()["approval_id"]
    assert (await use(desk, officer, {"approval_id": pending})).status_code == 409
    granted = await approved(desk, officer, question("LEAD003"))
    assert (await use(desk, other, {"approval_id": granted})).status_code == 404
    abroad = desk.token(person="hurried", agency=OTHERS)
    assert (await use(desk, abroad, {"approval_id": granted})).status_code == 404
    wider = await use(desk, officer, {"approval_id": granted} | question("LEAD003"))
    assert wider.status_code == 409
    at_searches = await desk.client.post(
        "/v1/searches", json={"approval_id": granted}, headers=officer
    )
    assert at_searches.status_code == 409
    for answer in (bare, at_searches, wider):
        assert "TAIL003" not in answer.text
    assert (await use(desk, officer, {"approval_id": granted})).status_code == 200
    assert (await use(desk, officer, {"approval_id": granted})).status_code == 409
    refused = await desk.records(person_id="hurried", outcome="refused")
    assert {r["refusal_code"] for r in refused} == {
        "convoy-needs-approval", "approval-not-usable"
    }  # fmt: skip
    assert all(r["query"] for r in refused)


async def test_an_approval_of_another_search_answers_no_convoy(desk: DoorUnderTest) -> None:
    officer = desk.token(person="mixes up")
    approval = await approved(desk, officer, search_body() | {"plate": "LEAD004"})
    assert (await use(desk, officer, {"approval_id": approval})).status_code == 409


async def test_another_agency_finds_no_company_of_ours(desk: DoorUnderTest) -> None:
    await desk.store(*(pass_of(plate, n) for plate in ("LEAD005", "TAIL005") for n in range(3)))
    abroad = desk.token(person="abroad", agency=OTHERS)
    asked = (await ask(desk, abroad, question("LEAD005"))).json()["approval_id"]
    path = f"/v1/search-approvals/{asked}/approve"
    supervisor = desk.token(role=Role.SUPERVISOR, agency=OTHERS)
    assert (await desk.client.post(path, json={}, headers=supervisor)).status_code == 200
    said = (await use(desk, abroad, {"approval_id": asked})).json()
    assert (said["passes"], said["vehicles"]) == (0, [])


async def test_a_long_way_is_looked_at_from_its_newest_passes(desk: DoorUnderTest) -> None:
    desk.with_policy(Policy(convoy_passes_max=3))
    await desk.store(*(pass_of(plate, n) for plate in ("LEAD006", "TAIL006") for n in range(5)))
    officer = desk.token(person="patient")
    approval = await approved(desk, officer, question("LEAD006"))
    said = (await use(desk, officer, {"approval_id": approval})).json()
    assert (said["passes"], said["is_complete"]) == (3, False)
    assert [(v["plate"], v["times"]) for v in said["vehicles"]] == [("TAIL006", 3)]


async def test_no_supervisor_is_asked_for_a_convoy_without_bounds(desk: DoorUnderTest) -> None:
    officer = desk.token(person="wide convoy")
    wide: list[dict[str, Any]] = [
        {"plate": "LEAD*"},
        {"plate": None, "camera_ids": ["road-1"]},
        {"lookalike": True},
        {"hit": True},
        {"convoy": {"within_seconds": 121, "cameras": 3}},
        {"convoy": {"within_seconds": 30, "cameras": 2}},
        {"convoy": {"within_seconds": 30}},
        {"camera_ids": ["road-1", "road-2"]},
        {"from": (datetime.now(UTC) - timedelta(days=8)).isoformat()},
        {"suspicion": None},
    ]
    for changed in wide:
        answer = await ask(desk, officer, question("LEAD007") | changed)
        assert answer.status_code == 422, changed
    refusals = await desk.records(person_id="wide convoy", outcome="refused")
    assert len(refusals) == len(wide)
