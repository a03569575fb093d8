"""Searches narrowed by area, jurisdiction and hits; sweeps and repetitions go by a supervisor."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from alpr_access_log.approvals import api as approvals_api
from alpr_access_log.approvals import store as approvals_store
from alpr_common.auth import Gate, TokenVerifier
from alpr_common.policy import Policy, Role
from tests.integration.access_log.conftest import (
    OTHERS,
    OURS,
    DoorUnderTest,
    make_read,
    search_body,
)

pytestmark = pytest.mark.integration

HERE: dict[str, Any] = {"latitude": 41.84, "longitude": -87.95}
CORNER: dict[str, Any] = {**HERE, "radius_meters": 300}


@pytest.fixture
def desk(door: DoorUnderTest) -> DoorUnderTest:
    """The door with the routes of approvals."""
    gate = Gate(TokenVerifier(door.issuer.private_key.public_key()), Policy())
    door.app.include_router(approvals_api.router(gate))
    return door


def found(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {item["read_id"] for item in answer.json()["items"]}


def sweep(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    said = search_body() | {"from": (now - timedelta(hours=3)).isoformat(), "area": CORNER}
    said.pop("plate")
    return said | changed


async def ask(desk: DoorUnderTest, who: dict[str, str], body: dict[str, Any]) -> httpx.Response:
    return await desk.client.post("/v1/search-approvals", json=body, headers=who)


async def decide(
    desk: DoorUnderTest, who: dict[str, str], approval: dict[str, Any], step: str
) -> httpx.Response:
    path = f"/v1/search-approvals/{approval['approval_id']}/{step}"
    return await desk.client.post(path, json={"note": "as briefed"}, headers=who)


async def use(desk: DoorUnderTest, who: dict[str, str], approval: dict[str, Any]) -> httpx.Response:
    body = {"approval_id": approval["approval_id"]}
    return await desk.client.post("/v1/searches", json=body, headers=who)


async def test_an_area_narrows_a_search_for_a_plate(desk: DoorUnderTest) -> None:
    near = make_read("AREA001", **HERE)
    # 250 m and 350 m to the east of here, at this latitude.
    inside = make_read("AREA001", latitude=41.84, longitude=-87.95 + 250 / 82_840)
    outside = make_read("AREA001", latitude=41.84, longitude=-87.95 + 350 / 82_840)
    corner = make_read("AREA001", latitude=41.84 + 0.0025, longitude=-87.95 + 0.0034)
    await desk.store(near, inside, outside, corner)
    circle = await desk.search(desk.token(), plate="AREA001", area=CORNER)
    assert found(circle) == {str(near.read_id), str(inside.read_id)}
    box = {"south": 41.84, "west": -87.95, "north": 41.85, "east": -87.945}
    boxed = await desk.search(desk.token(), plate="AREA001", area=box)
    assert found(boxed) == {str(r.read_id) for r in (near, inside, outside, corner)}
    for wrong in ({"south": 1}, box | {"north": 41.0}, HERE, {**CORNER, "south": 1.0}):
        answer = await desk.search(desk.token(), plate="AREA001", area=wrong)
        assert answer.status_code == 422


async def test_jurisdiction_and_hits_narrow_a_search(desk: DoorUnderTest) -> None:
    ours, theirs = make_read("JURIS01", jurisdiction="IL"), make_read("JURIS01", jurisdiction="WI")
    await desk.store(ours, theirs)
    async with desk.database.transaction(OURS) as connection:
        await approvals_store.note_hits(
            connection, OURS, [(theirs.read_id, theirs.captured_at)] * 2
        )
    who = desk.token()
    assert found(await desk.search(who, plate="JURIS01", jurisdictions=["IL"])) == {
        str(ours.read_id)
    }
    assert found(await desk.search(who, plate="JURIS0?", hit=True)) == {str(theirs.read_id)}
    assert found(await desk.search(who, plate="JURIS01", hit=False)) == {str(ours.read_id)}


@pytest.mark.policy("131.6-3d", "131.6-3e")
async def test_a_sweep_goes_only_through_a_supervisor_who_did_not_ask_for_it(
    desk: DoorUnderTest,
) -> None:
    read = make_read("SWEPT01")
    await desk.store(read, make_read("SWEPT02", agency=OTHERS), make_read("SWEPT03", latitude=42.5))
    officer = desk.token(person="sweeper", role=Role.SUPERVISOR)
    refused = await desk.client.post("/v1/searches", json=sweep(), headers=officer)
    assert (refused.status_code, refused.json()["clause"]) == (403, "policy file")
    asked = await ask(desk, officer, sweep())
    assert asked.status_code == 201, asked.text
    approval = asked.json()
    assert approval["state"] == "pending"
    assert (await use(desk, officer, approval)).status_code == 409
    assert (await decide(desk, officer, approval, "approve")).status_code == 403
    assert (await decide(desk, desk.token(), approval, "approve")).status_code == 403
    foreign = desk.token(agency=OTHERS, role=Role.SUPERVISOR)
    assert (await decide(desk, foreign, approval, "approve")).status_code == 404
    supervisor = desk.token(person="sergeant", role=Role.SUPERVISOR)
    approved = await decide(desk, supervisor, approval, "approve")
    assert approved.json()["state"] == "approved"
    assert (await decide(desk, supervisor, approval, "deny")).status_code == 409
    assert (await use(desk, desk.token(), approval)).status_code == 404
    both = await asyncio.gather(use(desk, officer, approval), use(desk, officer, approval))
    assert sorted(a.status_code for a in both) == [200, 409]
    page = next(a for a in both if a.status_code == 200)
    assert str(read.read_id) in found(page)
    assert {item["agency_id"] for item in page.json()["items"]} == {OURS}
    steps = [
        (r["person_id"], r["action"])
        for r in await desk.records(outcome="done")
        if r["person_id"] in ("sweeper", "sergeant")
    ]
    assert steps == [
        ("sweeper", "search_approval.requested"),
        ("sergeant", "search_approval.approved"),
        ("sweeper", "search"),
    ]
    (search,) = await desk.records(person_id="sweeper", action="search", outcome="done")
    assert approval["approval_id"] in search["details"]
    assert search["subject"] == "sweep"


async def test_a_sweep_is_paged_and_its_pictures_belong_to_the_access(desk: DoorUnderTest) -> None:
    await desk.store(*(make_read(f"PAGES{n:02}", camera_id="pages") for n in range(3)))
    officer, supervisor = desk.token(person="pages"), desk.token(role=Role.SUPERVISOR)
    body = sweep(camera_ids=["pages"], area=None)
    approval = (await ask(desk, officer, body)).json()
    await decide(desk, supervisor, approval, "approve")
    asked = {"approval_id": approval["approval_id"], "limit": 2}
    first = await desk.client.post("/v1/searches", json=asked, headers=officer)
    rest = await desk.client.post(
        "/v1/searches", json={"cursor": first.json()["next_cursor"]}, headers=officer
    )
    assert len(found(first) | found(rest)) == 3


@pytest.mark.policy("131.6-3e")
async def test_one_plate_again_and_again_needs_a_supervisor(desk: DoorUnderTest) -> None:
    desk.with_policy(Policy(plate_searches_per_day_max=2))
    officer = desk.token(person="again")
    assert (await desk.search(officer, plate="AGAIN01")).status_code == 200
    assert (await desk.search(officer, plate="AGAINO?")).status_code == 200
    refused = await desk.search(officer, plate="AGAIN01")
    assert (refused.status_code, refused.json()["type"]) == (
        403,
        "urn:alpr:problem:repeat-needs-approval",
    )
    assert (await desk.search(officer, plate="OTHER01")).status_code == 200
    assert (await desk.search(desk.token(), plate="AGAIN01")).status_code == 200
    approval = (await ask(desk, officer, search_body() | {"plate": "AGAIN01"})).json()
    await decide(desk, desk.token(role=Role.SUPERVISOR), approval, "approve")
    mixed = {"approval_id": approval["approval_id"], "plate": "OTHER02"}
    answer = await desk.client.post("/v1/searches", json=mixed, headers=officer)
    assert answer.status_code == 409
    assert (await use(desk, officer, approval)).status_code == 200
    assert (await desk.search(officer, plate="AGAIN01")).status_code == 403


async def test_of_searches_at_the_same_moment_no_more_pass_than_may(desk: DoorUnderTest) -> None:
    desk.with_policy(Policy(plate_searches_per_day_max=2))
    officer = desk.token(person="hasty")
    answers = await asyncio.gather(*(desk.search(officer, plate="HASTY01") for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 200, 403, 403]


async def test_what_was_denied_or_has_expired_opens_nothing(desk: DoorUnderTest) -> None:
    officer, supervisor = desk.token(person="denied"), desk.token(role=Role.SUPERVISOR)
    denied = (await ask(desk, officer, sweep())).json()
    assert (await decide(desk, supervisor, denied, "deny")).json()["note"] == "as briefed"
    assert (await use(desk, officer, denied)).status_code == 409
    desk.with_policy(Policy(search_approval_seconds=1))
    late = (await ask(desk, officer, sweep())).json()
    await asyncio.sleep(1.1)  # what is waited for is time itself
    assert (await decide(desk, supervisor, late, "approve")).status_code == 409
    listed = await desk.client.get("/v1/search-approvals", headers=officer)
    assert [one["state"] for one in listed.json()["items"]] == ["expired", "denied"]
    pending = await desk.client.get("/v1/search-approvals?pending=true", headers=supervisor)
    assert late["approval_id"] not in {one["approval_id"] for one in pending.json()["items"]}
    own = await desk.client.get(f"/v1/search-approvals/{late['approval_id']}", headers=desk.token())
    assert own.status_code == 404


async def test_no_supervisor_is_asked_for_what_has_no_bounds(desk: DoorUnderTest) -> None:
    officer = desk.token(person="wide")
    wide: list[dict[str, Any]] = [
        {"area": {**HERE, "radius_meters": 6000}},
        {"area": {"south": 41.0, "west": -88.0, "north": 42.0, "east": -87.0}},
        {"from": (datetime.now(UTC) - timedelta(days=3)).isoformat()},
        {"area": None, "camera_ids": [f"cam-{n}" for n in range(11)]},
        {"area": None},
        {"suspicion": None},
    ]
    for changed in wide:
        answer = await ask(desk, officer, sweep(**changed))
        assert answer.status_code == 422, changed
    refusals = await desk.records(person_id="wide", outcome="refused")
    assert [r["action"] for r in refusals] == ["search_approval.request"] * len(wide)
