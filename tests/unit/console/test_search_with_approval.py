"""The search form with all of its filters, and searches that a supervisor approves first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alpr_access_log.domain import Circle, Query
from alpr_access_log.forms import SearchForm
from alpr_access_log.refusals import OwnRequest, SweepNeedsApproval
from alpr_console.domain.forms import Typed
from alpr_console.domain.search import NotANumber, in_words, search_form
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page

CHICAGO = ZoneInfo("America/Chicago")
FULL = Typed(
    {
        "plate": " kln* ", "lookalike": "true", "from": "2026-11-23T08:00",
        "to": "2026-11-24T08:00", "camera_ids": "elm-street, york", "jurisdictions": "us-il us-in",
        "hit": "no", "area": "circle", "latitude": "41.8489", "longitude": "-87.9284",
        "radius_meters": "500", "south": "1", "purpose": "stolen_vehicle",
        "case_number": "26-018834", "suspicion": "Victim saw it on York Road", "attested": "true",
    }
)  # fmt: skip
APPROVALS = "/v1/search-approvals"
APPROVAL_ID = "5a06ce26-6935-4ca7-83b0-d0e69349e69e"


def test_every_filter_reaches_the_door_in_its_own_form() -> None:
    body = search_form(FULL, CHICAGO)
    asked = SearchForm.model_validate(body)
    assert asked.camera_ids == ["elm-street", "york"]
    assert asked.jurisdictions == ["US-IL", "US-IN"]
    assert asked.hit is False
    assert asked.area is not None
    assert asked.area.area() == Circle(41.8489, -87.9284, 500)
    assert body["from"] == "2026-11-23T08:00:00-06:00"


def test_what_is_left_empty_is_left_out_for_the_door_to_refuse() -> None:
    body = search_form(Typed(), CHICAGO)
    assert body == {"lookalike": False, "attested": False}


def test_a_box_names_its_four_sides_and_nothing_of_a_circle() -> None:
    sides = {"south": "41.8", "north": "41.9", "west": "-88", "east": "-87.9"}
    body = search_form(Typed(FULL | {"area": "box"} | sides), CHICAGO)
    assert body["area"] == {"south": 41.8, "west": -88.0, "north": 41.9, "east": -87.9}


def test_an_area_that_is_no_number_names_its_field() -> None:
    with pytest.raises(NotANumber, match="radius meters"):
        search_form(Typed(FULL | {"radius_meters": "half a mile"}), CHICAGO)


def test_a_recorded_query_is_said_line_by_line() -> None:
    start = datetime(2026, 11, 24, 8, tzinfo=UTC)
    query = Query(
        None, False, start, start + timedelta(hours=2), (), Circle(41.8, -87.9, 500), ("US-IL",),
        True,
    )  # fmt: skip
    lines = dict(in_words(query.to_record()))
    assert lines["Plate"].startswith("any")
    assert lines["Area"] == "500 m around 41.8, -87.9"
    assert lines["From"] == start
    assert lines["States"] == "US-IL"
    assert lines["Hits"] == "only reads that were hits"


@pytest.mark.parametrize(
    "query",
    [
        {"plate": 7, "from": "soon", "to": 9, "camera_ids": "x", "area": "everywhere", "hit": "y"},
        {"area": {"south": "1"}, "from": "2026-11-24T08:00", "jurisdictions": {"a": 1}},
        {},
    ],
)
def test_a_refused_query_is_shown_whatever_it_was(query: dict[str, Any]) -> None:
    assert all(isinstance(label, str) for label, _ in in_words(query))


def approval(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    query = Query(None, False, now - timedelta(hours=2), now, ("elm-street",)).to_record()
    return {
        "approval_id": APPROVAL_ID, "state": "pending", "requested_by_id": "person-rivera",
        "requested_by_name": "Ofc. Dana Rivera", "requested_at": now.isoformat(),
        "expires_at": (now + timedelta(days=1)).isoformat(), "purpose": "stolen_vehicle",
        "case_number": "26-018834", "suspicion": "Witness saw it there", "query": query,
        "decided_by_id": None, "decided_by_name": None, "decided_by_rank": None, "decided_at": None,
        "note": None, "access_id": None, "used_at": None, "kind": "sweep", "may_decide": True,
        "deciders": ["ASC", "sergeant", "command staff"],
    } | changed  # fmt: skip


def decided(state: str) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return approval(
        state=state, decided_by_id="person-hale", decided_by_name="Sgt. Morgan Hale",
        decided_by_rank="sergeant", decided_at=at, note="It fits",
    )  # fmt: skip


def listed(double: Double, *items: dict[str, Any]) -> None:
    double.canned.answer("GET", APPROVALS, {"items": list(items), "next_cursor": None})


@pytest.mark.policy("131.7-3b")
async def test_a_sweep_that_is_refused_offers_to_ask_a_supervisor_with_the_same_form(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    double.searches_refused = SweepNeedsApproval("Ask (POST /v1/search-approvals) first.")
    refused = await page.post("/search", dict(FULL), fragment=True)
    assert refused.status_code == 403
    assert "Ask a supervisor for this search" in refused.text
    assert "POST" not in refused.text
    double.canned.answer("POST", APPROVALS, approval())
    asked = await page.post("/search/requests", dict(FULL), fragment=True)
    assert asked.headers["hx-redirect"] == "/search/requests?asked=1"
    assert double.canned.sent("POST", APPROVALS) == [search_form(FULL, CHICAGO)]


async def test_an_approved_request_is_searched_for_with_its_approval_alone(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    listed(double, decided("approved"), approval(requested_by_id="person-okafor"))
    shown = (await page.get("/search/requests")).text
    assert shown.count("data-request") == 1, "one's own alone"
    assert "Sgt. Morgan Hale, sergeant, approved it" in shown
    assert "Search with the approval" in shown
    await page.post("/search/approved", {"approval_id": APPROVAL_ID}, fragment=True)
    assert double.searches == [{"approval_id": APPROVAL_ID, "limit": 50}]


@pytest.mark.parametrize("state", ["pending", "denied", "used", "expired"])
async def test_any_other_standing_offers_no_search(page: Page, double: Double, state: str) -> None:
    await page.sign_in()
    listed(double, decided(state) if state == "denied" else approval(state=state))
    assert "Search with the approval" not in (await page.get("/search/requests")).text


async def test_a_supervisor_is_not_offered_to_decide_their_own(page: Page, double: Double) -> None:
    await page.sign_in("hale")
    listed(double, approval(requested_by_id="person-hale"))
    shown = (await page.get("/approvals")).text
    assert "another supervisor decides" in shown
    assert "/approve" not in shown.replace('"/approvals', "")
    assert double.canned.params(APPROVALS)[-1]["pending"] == "true"


async def test_the_rank_of_who_decided_is_shown_and_other_ranks_are_not_offered_to_decide(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    denied = decided("denied") | {"decided_by_rank": "colonel"}
    waits = approval(may_decide=False, deciders=["command staff"])
    listed(double, decided("approved"), denied, waits)
    shown = (await page.get("/approvals?show=all")).text
    assert "Sgt. Morgan Hale, sergeant, approved it" in shown
    assert "Sgt. Morgan Hale, colonel, denied it" in shown  # a rank that the policy had once
    assert "supervisors of the rank command staff" in shown
    assert "/approve" not in shown.replace('"/approvals', "")


async def test_a_refused_decision_keeps_the_reason_and_shows_the_clause(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    listed(double, approval())
    path = f"{APPROVALS}/{APPROVAL_ID}/approve"
    double.canned.answer("POST", path, OwnRequest("Ask another supervisor."))
    refused = await page.post(f"/approvals/{APPROVAL_ID}/approve", {"note": "It fits well"})
    assert refused.status_code == 403
    assert "Somebody else decides what you asked for" in refused.text
    assert 'value="It fits well"' in refused.text
    double.canned.answer("POST", path, decided("approved"))
    done = await page.post(f"/approvals/{APPROVAL_ID}/approve", {"note": "It fits well"})
    assert done.headers["location"] == "/approvals?decided=approve"
    assert double.canned.sent("POST", path)[-1] == {"note": "It fits well"}
