"""What was tried is recorded in the shape in which it would have been recorded as done."""

import json
from typing import Any

import pytest
from fastapi import Request

from alpr_access_log import domain
from alpr_access_log.attempts import attempt_of
from alpr_access_log.forms import SearchRequest, query_of
from alpr_access_log.log.leaves import canonical
from alpr_common.policy import Policy


def request_to(path: str, body: bytes, method: str = "POST") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http", "method": method, "path": path, "headers": [], "query_string": b"",
        "path_params": {}, "server": ("access-log", 80), "scheme": "http", "root_path": "",
    }  # fmt: skip
    return Request(scope, receive)


async def tried(said: object, path: str = "/v1/searches") -> dict[str, Any]:
    return (await attempt_of(request_to(path, json.dumps(said).encode()))).query


TIMES = {"from": "2026-05-04T08:00:00+00:00", "to": "2026-05-04T10:00:00+00:00"}
CIRCLE = {"latitude": 41.8489, "longitude": -87.9284, "radius_meters": 400}
BOX = {"south": 41.8, "west": -88.0, "north": 41.85, "east": -87.95}


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize(
    "said",
    [
        {"plate": "AB*345", "lookalike": True, "camera_ids": ["a", "b"], "area": CIRCLE, **TIMES},
        {"plate": None, "lookalike": False, "camera_ids": [], "area": BOX, **TIMES},
        {
            "plate": "AB12345", "lookalike": False, "camera_ids": [], "jurisdictions": ["US-IL"],
            "hit": False, **TIMES,
        },
        {
            "plate": "AB12345", "lookalike": False, "camera_ids": [],
            "convoy": {"within_seconds": 30, "cameras": 3}, **TIMES,
        },
    ],
)  # fmt: skip
async def test_a_refused_search_stands_in_the_record_as_a_done_one_would(
    said: dict[str, Any],
) -> None:
    done = query_of(SearchRequest.model_validate(said), Policy()).to_record()
    refused = await tried(said)
    assert refused == {name: value for name, value in done.items() if value is not None}
    if said["plate"]:
        assert domain.Query.from_record(refused).to_record() == done


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ("everywhere", "everywhere"),
        ({"latitude": "north", "x": [1.5, None]}, {"latitude": "north", "x": ["1.5", None]}),
        ({"radius_meters": 10**400}, {"radius_meters": str(10**400)}),
        ({"south": 41}, {"south": "41"}),
        ({"south": {"west": {"deep": {"er": 1}}}}, {"south": {"west": '{"deep": {"er": 1}}'}}),
        ([True, 3], [True, "3"]),
        ({"a\x00b": "c\x00d"}, {"a\N{REPLACEMENT CHARACTER}b": "c\N{REPLACEMENT CHARACTER}d"}),
        ("\ud800", "?"),
        ("x" * 5000, "x" * 2000),
    ],
)
async def test_what_is_no_area_is_recorded_as_it_was_sent(sent: object, recorded: object) -> None:
    query = await tried({"area": sent})
    assert query == {"area": recorded}
    canonical(query)


async def test_lists_and_objects_without_end_are_cut() -> None:
    query = await tried({"camera_ids": ["c"] * 20_000, "area": {str(n): n for n in range(20_000)}})
    assert (len(query["camera_ids"]), len(query["area"])) == (500, 500)


async def test_what_infinity_is_meant_by_is_recorded_as_text() -> None:
    body = b'{"hit": NaN, "limit": 1e400, "lookalike": -0.0}'
    query = (await attempt_of(request_to("/v1/searches", body))).query
    assert query == {"hit": "nan", "limit": "inf", "lookalike": "-0.0"}


async def test_the_reads_that_a_refused_hold_names_are_a_list() -> None:
    query = await tried({"read_ids": ["a", "b"], "reason": "theft", "plate": None}, "/v1/holds")
    assert query == {"method": "POST", "read_ids": ["a", "b"]}
