"""Each refusal cites its clause, shows nothing, and stands in the access records."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alpr_common.policy import Role
from tests.integration.access_log.conftest import OURS, DoorUnderTest, make_read

pytestmark = pytest.mark.integration

YESTERDAY = date(2020, 1, 1)


@pytest.mark.parametrize(
    ("field", "value", "clause", "code"),
    [
        pytest.param(
            "purpose", None, "131.7-3a", "purpose-missing", marks=pytest.mark.policy("131.7-3a")
        ),
        pytest.param(
            "purpose", "curiosity", "131.1", "purpose-unknown", marks=pytest.mark.policy("131.1")
        ),
        pytest.param(
            "case_number", None, "131.7-3b", "case-number-missing",
            marks=pytest.mark.policy("131.7-3b"),
        ),
        pytest.param(
            "suspicion", None, "131.7-3b", "suspicion-missing",
            marks=pytest.mark.policy("131.7-3b"),
        ),
        pytest.param("suspicion", "a car", "policy file", "suspicion-too-short"),
        pytest.param(
            "attested", None, "131.6-3b", "not-attested", marks=pytest.mark.policy("131.6-3b")
        ),
        pytest.param(
            "plate", None, "policy file", "plate-missing", marks=pytest.mark.policy("131.6-3d")
        ),
        pytest.param(
            "plate", "A*", "policy file", "wildcard-too-wide", marks=pytest.mark.policy("131.6-3e")
        ),
        pytest.param("limit", 501, "policy file", "limit-too-large"),
        pytest.param("from", "2020-01-01T00:00:00Z", "policy file", "window-too-long"),
    ],
)  # fmt: skip
async def test_a_search_that_lacks_something_is_refused_and_recorded(
    door: DoorUnderTest, field: str, value: Any, clause: str, code: str
) -> None:
    await door.store(make_read("AB12345"))
    answer = await door.search(door.token(person=f"p-{code}"), **{field: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["clause"], answer.json()["type"]) == (clause, f"urn:alpr:problem:{code}")
    assert "items" not in answer.json()
    (record,) = await door.records(person_id=f"p-{code}")
    assert (record["outcome"], record["action"]) == ("refused", "search")
    assert (record["refusal_code"], record["refusal_clause"]) == (code, clause)
    assert (record["returned_count"], record["address"]) == (0, "192.0.2.7")


@pytest.mark.policy("131.7-3a")
async def test_what_was_searched_for_stands_on_record_alike_whether_done_or_refused(
    door: DoorUnderTest,
) -> None:
    area = {"latitude": 41.84, "longitude": -87.95, "radius_meters": 300}
    said = {"plate": "SAME*01", "camera_ids": ["cam-1", "cam-2"], "area": area, "hit": True}
    who = door.token(person="alike")
    assert (await door.search(who, **said)).status_code == 200
    assert (await door.search(who, **said, purpose=None)).status_code == 422
    done, refused = await door.records(person_id="alike")
    assert (done["outcome"], refused["outcome"]) == ("done", "refused")
    as_done, as_refused = json.loads(done["query"]), json.loads(refused["query"])
    for name in said:
        assert as_refused[name] == as_done[name], name


@pytest.mark.parametrize(
    ("who", "clause", "code"),
    [
        pytest.param(
            {"leads": YESTERDAY}, "131.6-1", "leads-training-lapsed",
            marks=pytest.mark.policy("131.6-1"),
        ),
        pytest.param(
            {"leads": None}, "131.6-1", "leads-training-lapsed",
            marks=pytest.mark.policy("131.6-1"),
        ),
        pytest.param(
            {"alpr": YESTERDAY}, "131.6-2", "alpr-training-lapsed",
            marks=pytest.mark.policy("131.6-2"),
        ),
        pytest.param(
            {"role": Role.AUDITOR}, "131.6-2", "role-not-allowed",
            marks=pytest.mark.policy("131.6-2"),
        ),
        pytest.param(
            {"role": Role.SERVICE}, "131.6-2", "role-not-allowed",
            marks=pytest.mark.policy("131.6-2"),
        ),
    ],
)  # fmt: skip
async def test_what_the_gate_refuses_is_recorded_with_who_and_why(
    door: DoorUnderTest, who: dict[str, Any], clause: str, code: str
) -> None:
    person = f"gate-{code}-{sorted(who.items())}"
    answer = await door.search(door.token(person=person, **who), plate="AB12345")
    assert answer.status_code == 403
    assert answer.json()["clause"] == clause
    (record,) = await door.records(person_id=person)
    assert (record["outcome"], record["refusal_code"]) == ("refused", code)
    assert (record["purpose"], record["case_number"]) == ("stolen_vehicle", "26-000123")
    assert record["person_name"] == "Ann Miller"
    assert "burglary" in record["suspicion"]


@pytest.mark.policy("131.6-1")
async def test_nobody_searches_without_signing_in(door: DoorUnderTest) -> None:
    before = len(await door.records())
    answer = await door.search({})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert len(await door.records()) == before


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b'{"plate": 5}',
        b"[]",
        b'{"plate": "AB\\u0000CD", "suspicion": "\\ud800"}',
        b'{"unheard-of": 1, "case_number": "26-1"}',
        b'{"from": "0001-01-01T00:00:00+14:00"}',
        b'{"limit": 1e400}',
    ],
)
async def test_a_malformed_request_is_recorded_too(door: DoorUnderTest, body: bytes) -> None:
    headers = door.token(person=f"malformed-{body!r}") | {"Content-Type": "application/json"}
    answer = await door.client.post("/v1/searches", content=body, headers=headers)
    assert answer.status_code == 422
    (record,) = await door.records(person_id=f"malformed-{body!r}")
    assert (record["outcome"], record["refusal_code"]) == ("refused", "request-malformed")


async def test_a_body_that_is_too_large_is_not_even_read(door: DoorUnderTest) -> None:
    headers = door.token(person="verbose") | {"Content-Type": "application/json"}
    answer = await door.client.post("/v1/searches", content=b" " * 100_000, headers=headers)
    assert answer.status_code == 413


async def test_a_body_that_grows_too_large_on_the_way_is_refused_and_recorded(
    door: DoorUnderTest,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    headers = door.token(person="endless") | {"Content-Type": "application/json"}
    answer = await door.client.post("/v1/searches", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    (record,) = await door.records(person_id="endless")
    assert record["outcome"] == "refused"


@pytest.mark.policy("131.6-3b")
async def test_the_suspicion_of_ones_last_search_cannot_be_used_again(door: DoorUnderTest) -> None:
    headers = door.token(person="copyist")
    words = "The van was seen leaving the scene of the burglary"
    assert (await door.search(headers, suspicion=words, case_number=None)).status_code == 422
    assert (await door.search(headers, suspicion=words)).status_code == 200
    answer = await door.search(headers, suspicion=words.upper() + " !")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:alpr:problem:suspicion-copied"
    outcomes = [r["outcome"] for r in await door.records(person_id="copyist")]
    assert outcomes == ["refused", "done", "refused"]
    somebody_else = await door.search(door.token(), suspicion=words)
    assert somebody_else.status_code == 200


@pytest.mark.policy("131.7-3a")
async def test_supervisors_administrators_and_auditors_see_the_records_of_their_agency(
    door: DoorUnderTest,
) -> None:
    await door.search(door.token(person="seen"), plate="ZZ999ZZ")
    for role in (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR):
        headers = door.token(role=role, leads=None, alpr=None)
        shown = await door.client.get("/v1/searches?person_id=seen", headers=headers)
        assert shown.status_code == 200
        assert shown.headers["cache-control"] == "no-store"
        (item,) = shown.json()["items"]
        assert (item["case_number"], item["outcome"]) == ("26-000123", "done")
        assert item["query"]["plate"] == "ZZ999ZZ"
    stranger = door.token(role=Role.AUDITOR, agency="IL0160000")
    shown = await door.client.get("/v1/searches?person_id=seen", headers=stranger)
    assert shown.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("role", [Role.OFFICER, Role.CSO, Role.DISPATCHER, Role.SERVICE])
async def test_others_do_not_see_the_records(door: DoorUnderTest, role: Role) -> None:
    headers = door.token(person=f"curious-{role}", role=role)
    answer = await door.client.get("/v1/searches?person_id=somebody", headers=headers)
    assert answer.status_code == 403
    (record,) = await door.records(person_id=f"curious-{role}")
    assert (record["action"], record["outcome"]) == ("access_records.listed", "refused")


async def test_the_records_are_paged_newest_first(door: DoorUnderTest) -> None:
    person = door.token(person="paged")
    for _ in range(3):
        assert (await door.search(person)).status_code == 200
    auditor = door.token(role=Role.AUDITOR)
    url, seen = "/v1/searches?person_id=paged&action=search&limit=2", []
    first = (await door.client.get(url, headers=auditor)).json()
    seen += first["items"]
    rest = await door.client.get(f"{url}&cursor={first['next_cursor']}", headers=auditor)
    seen += rest.json()["items"]
    assert rest.json()["next_cursor"] is None
    order = [item["record_sequence"] for item in seen]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == 3
    nothing = await door.client.get(
        "/v1/searches",
        params={"person_id": "paged", "to": (datetime.now(UTC) - timedelta(days=1)).isoformat()},
        headers=auditor,
    )
    assert nothing.json()["items"] == []
    assert {r["agency_id"] for r in await door.records()} == {OURS}
