"""People, holds, evidence, records, lists and audits: what is sent, shown, refused, and kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alpr_access_log.holds.domain import HoldReasonMissing, SecondPersonNeeded
from alpr_common.errors import AlprError
from alpr_common.policy import Policy
from alpr_console.domain.forms import Typed, ids_of, with_times
from alpr_console.domain.periods import DayUnread, period
from alpr_console.domain.records import action_text
from alpr_console.pages import Pages
from alpr_console.people_pages import by_end, new_person, training_body
from alpr_identity.bodies import PersonAdded, PersonChanged, TrainingRecorded
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page, console

NOW = "2026-11-24T12:00:00+00:00"
ID = "5a06ce26-6935-4ca7-83b0-d0e69349e69e"
WHO = {"person_id": "person-hale", "name": "Sgt. Morgan Hale"}
HOLD: dict[str, Any] = {
    "hold_id": ID, "agency_id": "IL0222900", "kind": "manual", "reason": "Theft case",
    "case_number": "26-018834", "alert_id": None, "plate": "KLN482", "lookalike": False,
    "from": NOW, "to": NOW, "placed_at": NOW, "placed_by": WHO, "released_at": None,
    "released_by": None, "release_reason": None, "named_count": 1, "held_count": 1,
}  # fmt: skip
RECORD: dict[str, Any] = {
    "record_id": ID, "record_sequence": 7, "access_id": ID, "occurred_at": NOW,
    "recorded_at": NOW, "service": "access-log", "person_id": "person-rivera",
    "person_name": "Ofc. Dana Rivera", "role": "officer", "session_id": None,
    "address": "192.0.2.7", "action": "search", "subject": "plate:KLN482",
    "purpose": "stolen_vehicle", "case_number": "26-018834", "suspicion": "Seen on York Road",
    "query": {"plate": "KLN482", "lookalike": False, "from": NOW, "to": NOW, "camera_ids": []},
    "returned_count": 1, "read_ids": [ID], "outcome": "refused",
    "refusal_code": "window-too-long", "refusal_clause": "policy file",
    "refusal_detail": "Ask for at most 30 days at once.", "details": {"note": "x"},
}  # fmt: skip
TRAINING = {"valid_until": "2026-12-01", "days_left": 7, "standing": "due", "certificate": None}
LINE: dict[str, Any] = {
    "person_id": ID, "username": "rivera", "name": "Ofc. Dana Rivera", "rank": "",
    "role": "officer", "leads": TRAINING, "alpr": TRAINING, "reminders": [],
}  # fmt: skip
PERSON: dict[str, Any] = {
    "person_id": ID, "agency_id": "IL0222900", "username": "hale", "name": "Morgan Hale",
    "rank": "Sgt., Traffic Unit", "role": "supervisor", "active": True, "locked_at": None,
    "signed_in_at": NOW, "created_at": NOW, "updated_at": NOW, "leads_until": None,
    "leads_certificate": None, "alpr_until": None, "alpr_certificate": None,
    "second_factor_at": None, "has_passkey": False, "supervisor_rank": "sergeant", "training": [],
}  # fmt: skip
LISTS: dict[str, Any] = {"items": [], "next_cursor": None}
PACKAGE: dict[str, Any] = {
    "evidence_id": ID, "inventory_number": "EV-2026-1", "case_number": "26-018834",
    "purpose": "stolen_vehicle", "prepared_at": NOW, "prepared_by": WHO, "digest": "ab" * 32,
    "size_bytes": 4711, "read_ids": [ID], "alert_ids": [], "contents": {}, "receipts": [],
}  # fmt: skip


class NotAllowed(AlprError):
    status = 403
    title = "Your role does not include this"
    clause = "131.6-2"


def listed(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": "next"}


def answer_all(double: Double) -> None:
    """Something on every page."""
    answer = double.canned.answer
    answer("GET", "/v1/holds", listed(HOLD))
    read = {"read_id": ID, "captured_at": NOW, "pictures": "copied"}
    answer("GET", f"/v1/holds/{ID}", HOLD | {"reads": [read]})
    answer("GET", "/v1/evidence", listed(PACKAGE))
    answer("GET", f"/v1/evidence/{ID}", PACKAGE)
    answer("GET", "/v1/searches", listed(RECORD))
    answer("GET", "/v1/training/roster", listed(LINE))
    answer("GET", "/v1/audit/packages", LISTS)
    answer("GET", "/v1/audit/findings", LISTS)
    answer("GET", "/v1/hotlist/lists", LISTS)
    answer("GET", "/v1/hotlist/unchecked", LISTS)


@pytest.mark.policy("131.7-1b")
async def test_nothing_of_these_pages_is_kept_and_nothing_foreign_is_on_them(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    answer_all(double)
    for path in (
        "/holds", f"/holds/{ID}", "/evidence", f"/evidence?hold={ID}", f"/evidence/{ID}",
        "/records", "/training", "/training?show=due", "/audit", "/audit/findings",
        "/hotlist/lists", "/people/new",
    ):  # fmt: skip
        answer = await page.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "no-store", path
        for foreign in ("<script>", "<style", " style=", " onclick=", "https://"):
            assert foreign not in answer.text, f"{path} holds {foreign}"


async def test_what_a_role_may_not_do_is_refused_by_its_service_with_the_clause(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    double.canned.answer("GET", "/v1/people", NotAllowed("This is open to: administrator."))
    answer = await page.get("/people")
    assert answer.status_code == 403
    assert "131.6-2" in answer.text
    assert "This is open to: administrator." in answer.text


@pytest.mark.policy("131.5-c")
async def test_a_hold_names_what_was_chosen_and_a_refusal_keeps_the_form(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    answer_all(double)
    double.canned.answer("POST", "/v1/holds", HoldReasonMissing("Say in `reason` why."))
    form = {"by": "reads", "read_ids": f"{ID}, {ID}", "plate": "KLN482", "case_number": "26-1"}
    refused = await page.post("/holds", form)
    assert refused.status_code == 422
    assert "131.5-c" in refused.text
    assert 'value="26-1"' in refused.text
    assert double.canned.sent("POST", "/v1/holds") == [
        {"case_number": "26-1", "read_ids": [ID, ID]}
    ]
    assert (await page.post("/holds", {"from": "soon"})).status_code == 422


async def test_a_release_by_the_same_person_is_refused_on_the_holds_own_page(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    answer_all(double)
    refusal = SecondPersonNeeded("Sgt. Morgan Hale placed it.")
    double.canned.answer("POST", f"/v1/holds/{ID}/release", refusal)
    refused = await page.post(f"/holds/{ID}/release", {"reason": "Case closed"})
    assert refused.status_code == 403
    assert "A hold is released by a second person" in refused.text
    assert 'value="Case closed"' in refused.text


@pytest.mark.policy("131.7-2")
async def test_evidence_is_prepared_from_a_hold_and_taken_as_the_service_gives_it(
    page: Page, double: Double
) -> None:
    await page.sign_in("hale")
    answer_all(double)
    shown = (await page.get(f"/evidence?hold={ID}")).text
    assert ID in shown
    assert 'value="26-018834"' in shown
    double.canned.answer("POST", "/v1/evidence", PACKAGE)
    form = {"purpose": "stolen_vehicle", "case_number": "26-018834", "read_ids": ID}
    assert (await page.post("/evidence", form)).headers["location"].startswith(f"/evidence/{ID}")
    double.canned.answer("GET", f"/v1/evidence/{ID}/file", b"PK-sealed")
    taken = await page.get(f"/evidence/{ID}/file")
    assert taken.content == b"PK-sealed"
    assert "attachment" in taken.headers["content-disposition"]


@pytest.mark.policy("131.7-3a")
async def test_records_are_filtered_and_say_why_something_was_refused(
    page: Page, double: Double
) -> None:
    await page.sign_in("osei")
    answer_all(double)
    query = "outcome=refused&action=search&person_id=person-rivera&from=2026-11-23T08:00"
    shown = (await page.get(f"/records?{query}")).text
    for text in ("Seen on York Road", "26-018834", "Ask for at most 30 days", "policy file"):
        assert text in shown
    asked = double.canned.params("/v1/searches")[-1]
    assert asked["from"] == "2026-11-23T08:00:00-06:00"
    assert "to" not in asked
    assert "cursor=next" in shown
    assert "KLN482" not in shown.split("cursor=next")[0].rsplit("href=", 1)[1]
    assert (await page.get("/records?from=yesterday")).status_code == 422


async def test_a_new_persons_password_is_shown_on_the_answer_itself(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    person = {"person_id": ID, "name": "Ann", "username": "ann", "role": "officer"}
    double.canned.answer("POST", "/v1/people", person | {"password": "made-up-4711"})
    form = {"name": "Ann", "username": "ann", "role": "officer", "leads_until": "", "rank": ""}
    answer = await page.post("/people", form)
    assert answer.status_code == 200
    assert "made-up-4711" in answer.text
    (sent,) = double.canned.sent("POST", "/v1/people")
    assert PersonAdded.model_validate(sent).leads_until is None


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ({"role": "supervisor", "supervisor_rank": "sergeant"}, "sergeant"),
        ({"role": "supervisor", "supervisor_rank": ""}, ""),
        ({"role": "officer", "supervisor_rank": "sergeant"}, None),
        ({"role": "supervisor"}, None),
    ],
)
async def test_the_rank_of_a_supervisor_is_chosen_and_of_others_left_alone(
    page: Page, double: Double, typed: dict[str, str], sent: str | None
) -> None:
    await page.sign_in("reyes")
    double.canned.answer("PATCH", f"/v1/people/{ID}", {})
    answer = await page.post(f"/people/{ID}", {"name": "Ann", "active": "yes"} | typed)
    assert answer.headers["location"] == f"/people/{ID}?done=person#person"
    (body,) = double.canned.sent("PATCH", f"/v1/people/{ID}")
    assert PersonChanged.model_validate(body).supervisor_rank == sent


async def test_the_persons_page_offers_the_policys_ranks_and_keeps_one_that_is_gone(
    page: Page, double: Double
) -> None:
    await page.sign_in("reyes")
    double.canned.answer("GET", f"/v1/people/{ID}/sessions", listed())
    double.canned.answer("GET", f"/v1/people/{ID}/passkeys", listed())
    for rank, chosen in (
        ("sergeant", '<option value="sergeant" selected>sergeant</option>'),
        ("captain", '<option value="captain" selected>captain (not in the policy)</option>'),
    ):
        double.canned.answer("GET", f"/v1/people/{ID}", PERSON | {"supervisor_rank": rank})
        shown = (await page.get(f"/people/{ID}")).text
        assert chosen in shown
        assert '<option value="command">command staff</option>' in shown


async def test_an_agency_with_a_policy_of_its_own_is_offered_its_own_ranks(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "policies"
    own.mkdir()
    (own / "IL0222900.toml").write_text(
        'supervisor_ranks = { lieutenant = "Lt.", chief = "Chief" }'
    )
    monkeypatch.setenv("ALPR_POLICIES_FOLDER", str(own))
    for path in ("sessions", "passkeys"):
        double.canned.answer("GET", f"/v1/people/{ID}/{path}", listed())
    person = PERSON | {"supervisor_rank": "lieutenant"}
    double.canned.answer("GET", f"/v1/people/{ID}", person)
    double.canned.answer("GET", "/v1/people", listed(person))
    async with console(double, tmp_path) as page:
        await page.sign_in("reyes")
        shown = (await page.get(f"/people/{ID}")).text
        new = (await page.get("/people/new")).text
        assert "supervisor, Lt." in (await page.get("/people")).text
    assert '<option value="lieutenant" selected>Lt.</option>' in shown
    for html in (shown, new):
        assert '<option value="chief">Chief</option>' in html
        assert 'value="sergeant"' not in html


async def test_an_administrator_takes_away_a_lost_passkey(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    key = {"passkey_id": ID, "name": "Blue key", "created_at": NOW, "used_at": None}
    double.canned.answer("GET", f"/v1/people/{ID}/sessions", listed())
    double.canned.answer("GET", f"/v1/people/{ID}/passkeys", listed(key))
    double.canned.answer("GET", f"/v1/people/{ID}", PERSON | {"has_passkey": True})
    shown = (await page.get(f"/people/{ID}")).text
    assert "Passkey Blue key" in shown
    assert "No second factor" not in shown
    double.canned.answer("DELETE", f"/v1/people/{ID}/passkeys/{ID}")
    done = await page.post(f"/people/{ID}/passkeys/{ID}/remove", {})
    assert done.headers["location"] == f"/people/{ID}?done=access#access"


def test_new_supervisors_alone_are_given_a_rank() -> None:
    form = {"username": "hale", "name": "Hale", "supervisor_rank": "asc"}
    made = PersonAdded.model_validate(new_person(Typed(form | {"role": "supervisor"})))
    assert made.supervisor_rank == "asc"
    assert "supervisor_rank" not in new_person(Typed(form | {"role": "cso"}))


def test_trainings_left_empty_stay_and_those_ticked_are_taken_away() -> None:
    typed = Typed({"leads_until": "2027-05-04", "leads_certificate": " L-1 ", "alpr_away": "yes"})
    body = training_body(typed)
    assert body == {
        "leads_until": "2027-05-04", "leads_certificate": "L-1", "alpr_until": None
    }  # fmt: skip
    assert [r.kind for r in TrainingRecorded.model_validate(body).records()] == ["leads", "alpr"]
    assert training_body(Typed()) == {}


def test_the_roster_has_on_top_who_lapses_first() -> None:
    def line(name: str, leads: str | None, alpr: str | None) -> dict[str, Any]:
        ends = {"leads": {"valid_until": leads}, "alpr": {"valid_until": alpr}}
        return {"name": name, **ends}

    late = line("Late", "2027-01-01", "2027-02-01")
    soon = line("Soon", "2027-03-01", "2026-12-01")
    never = line("Never", None, "2027-03-01")
    assert [one["name"] for one in by_end([late, soon, never])] == ["Never", "Soon", "Late"]


@pytest.mark.policy("131.5-d")
def test_an_audits_period_is_whole_days_of_the_agencys_zone() -> None:
    pages = Pages(Policy(), "America/Chicago")
    asked = period(Typed({"first_day": "2026-01-01", "last_day": "2026-06-30"}), pages.zone)
    assert asked == {"from": "2026-01-01T00:00:00-06:00", "to": "2026-07-01T00:00:00-05:00"}
    with pytest.raises(DayUnread, match="first and the last day"):
        period(Typed({"first_day": "soon"}), pages.zone)


def test_times_become_times_and_the_rest_stays() -> None:
    item = with_times({"placed_at": NOW, "released_at": None, "to": NOW, "at": "x", "name": NOW})
    assert item["placed_at"] == item["to"] == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert (item["released_at"], item["at"], item["name"]) == (None, "x", NOW)


def test_pasted_ids_may_be_parted_by_anything() -> None:
    assert ids_of("a, b\n c\t d") == ["a", "b", "c", "d"]


def test_actions_that_no_page_knows_are_still_said_in_words() -> None:
    assert action_text("search") == "Searched stored reads"
    assert action_text("camera.mask_changed") == "Camera mask changed"
