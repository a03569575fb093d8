"""Audits in the making, and the lists that people give for them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest

from alpr_access_log.audit.bodies import CasesGiven, ListsShown, PlatesGiven, ShiftsGiven
from alpr_access_log.audit.given import ListMalformed, rows_of, shifts_of
from alpr_access_log.audit.refusals import AnotherAuditRuns
from alpr_access_log.audit.summary import PackageShown
from alpr_common.errors import AlprError, Outage
from alpr_console.domain.audit_lists import (
    ListEmpty,
    ListUnread,
    NobodyKnown,
    has_usernames,
    plates_of,
    text_of,
    with_person_ids,
)
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import CONSOLE_URL, Page

NOW = "2026-11-24T12:00:00+00:00"
ID = "5a06ce26-6935-4ca7-83b0-d0e69349e69e"
PATH = f"/v1/audit/packages/{ID}"
MAKING: dict[str, Any] = {
    "package_id": ID, "from": NOW, "to": NOW, "state": "preparing", "step": "records",
    "progress": 0.42, "failure": None, "asked_at": NOW, "prepared_at": None,
    "prepared_by": "Kwame Osei", "files": [], "summary": None,
}  # fmt: skip
GIVEN: dict[str, Any] = {
    "kind": "shifts", "entries": 9417, "from_at": NOW, "to_at": NOW, "given_at": NOW,
    "given_by": "D/C Alma Reyes", "of_another_key": 0,
}  # fmt: skip
LISTS: dict[str, Any] = {
    "lists": [GIVEN, GIVEN | {"kind": "plates", "entries": 3, "of_another_key": 1}],
    "own_plates": [{"person_id": "p-1", "plates": 3, "of_another_key": 1}],
}
PERSON = {"person_id": "p-1", "username": "miller", "name": "Ofc. Ann Miller"}
PEOPLE = {"items": [PERSON], "next_cursor": None}
CHECKED = {
    "entries": 2, "repeated": 1, "people": 1, "first_at": NOW, "last_at": NOW, "outside": 1,
}  # fmt: skip
BY_NAME = b"\xef\xbb\xbfUsername,begins_at,ends_at\nMiller,2026-01-01T06:00Z,2026-01-01T16:00Z\n"
BY_ID = "person_id,begins_at,ends_at\np-1,2026-01-01T06:00Z,2026-01-01T16:00Z\n"
DAYS = {"first_day": "2026-01-01", "last_day": "2026-12-31"}
YEAR = {"from": "2026-01-01T00:00:00-06:00", "to": "2027-01-01T00:00:00-06:00"}


class NotAllowed(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "Your role does not include this"
    clause = "131.6-2"


def test_what_is_canned_here_is_what_the_service_answers() -> None:
    PackageShown.model_validate(MAKING)
    ListsShown.model_validate(LISTS)


@pytest.fixture
def answered(double: Double) -> Double:
    answer = double.canned.answer
    answer("GET", "/v1/audit/lists", LISTS)
    answer("GET", "/v1/people", PEOPLE)
    answer("GET", "/v1/training/roster", PEOPLE)
    answer("GET", "/v1/audit/packages", {"items": [MAKING], "next_cursor": None})
    answer("GET", PATH, MAKING)
    return double


# --- Audits in the making --------------------------------------------------------------------


@pytest.mark.policy("131.5-d")
async def test_asking_for_an_audit_goes_to_its_page_which_says_how_far_it_is(
    page: Page, answered: Double
) -> None:
    await page.sign_in("osei")
    answered.canned.answer("POST", "/v1/audit/packages", MAKING)
    asked = await page.post("/audit", DAYS)
    assert asked.headers["location"] == f"/audit/{ID}"
    assert answered.canned.sent("POST", "/v1/audit/packages") == [YEAR]
    shown = (await page.get(f"/audit/{ID}")).text
    assert "Reading the records" in shown
    assert 'value="42"' in shown
    assert f'hx-get="/audit/{ID}/progress"' in shown
    assert f'<noscript><p class="actions"><a class="button" href="/audit/{ID}">' in shown
    assert "42 %" in (await page.get("/audit")).text


async def test_the_page_stops_asking_when_the_audit_is_done_or_failed(
    page: Page, answered: Double
) -> None:
    await page.sign_in("osei")
    failed = MAKING | {"state": "failed", "step": None, "failure": "Its object store was away."}
    answered.canned.answer("GET", PATH, failed)
    answered.canned.answer("GET", "/v1/audit/packages", {"items": [failed], "next_cursor": None})
    for answer in (
        await page.get(f"/audit/{ID}/progress", fragment=True), await page.get(f"/audit/{ID}"),
    ):  # fmt: skip
        assert "Its object store was away." in answer.text
        assert "131.5-d" in answer.text
        assert "hx-get" not in answer.text
    assert ">failed</span>" in (await page.get("/audit")).text


async def test_a_service_that_is_started_again_does_not_stop_the_asking(
    page: Page, answered: Double
) -> None:
    await page.sign_in("osei")
    answered.canned.answer("GET", PATH, Outage("It is away."))
    answer = await page.get(f"/audit/{ID}/progress", fragment=True)
    assert answer.status_code == 200
    assert "does not answer just now" in answer.text
    assert "hx-get" in answer.text
    answered.canned.answer("GET", PATH, NotAllowed("No."))
    assert (await page.get(f"/audit/{ID}/progress", fragment=True)).status_code == 403


async def test_a_second_audit_at_the_same_time_is_refused_beside_the_form(
    page: Page, answered: Double
) -> None:
    await page.sign_in("osei")
    refusal = AnotherAuditRuns("One is prepared at a time.", package_id=ID)
    answered.canned.answer("POST", "/v1/audit/packages", refusal)
    refused = await page.post("/audit", DAYS)
    assert refused.status_code == 409
    assert "Another audit of this agency is being prepared" in refused.text
    assert f'href="/audit/{ID}"' in refused.text
    assert (await page.post("/audit", {"first_day": "soon"})).status_code == 422


# --- Lists -----------------------------------------------------------------------------------


@pytest.mark.policy("131.7-1b")
async def test_the_lists_say_what_they_are_for_how_long_they_are_and_who_gave_them(
    page: Page, answered: Double
) -> None:
    await page.sign_in("reyes")
    answer = await page.get("/audit/lists")
    for text in ("9417 shifts", "D/C Alma Reyes", "not given", "Ofc. Ann Miller", "131.6-3c",
                 "give again", "searches outside of a person&#39;s shifts"):  # fmt: skip
        assert text.replace("&#39;", "'") in answer.text.replace("&#39;", "'"), text
    assert answer.headers["cache-control"] == "no-store"
    for foreign in ("<style", " style=", " onclick=", "https://"):
        assert foreign not in answer.text


@pytest.mark.policy("131.6-2")
async def test_a_role_sees_the_forms_of_what_it_may_give(page: Page, answered: Double) -> None:
    without = LISTS | {"own_plates": []}
    answered.canned.answer("GET", "/v1/audit/lists", without)
    await page.sign_in("osei")
    auditor = (await page.get("/audit/lists")).text
    assert "<form" not in auditor.split("<main")[1].split("</main>")[0]
    await page.sign_in("hale")
    supervisor = (await page.get("/audit/lists")).text
    assert 'action="/audit/lists/cases/check"' in supervisor
    assert 'name="plates"' not in supervisor
    refusal = NotAllowed("This is open to: administrator.")
    answered.canned.answer("PUT", "/v1/audit/lists/plates/p-1", refusal)
    refused = await page.post("/audit/lists/plates", {"person_id": "p-1", "plates": "AB 1"})
    assert refused.status_code == 403
    assert "131.6-2" in refused.text


async def upload(page: Page, kind: str, content: bytes, **form: str) -> Any:
    headers = {"Origin": "http://127.0.0.1:8008", "Sec-Fetch-Site": "same-origin"}
    return await page.client.post(
        f"/audit/lists/{kind}/check", data=form, headers=headers,
        files={"file": ("list.csv", content, "text/csv")},
    )  # fmt: skip


async def test_a_file_of_shifts_is_shown_before_it_replaces_the_list(
    page: Page, answered: Double
) -> None:
    for username in ("reyes", "hale"):
        await page.sign_in(username)
        answered.canned.answer("POST", "/v1/audit/lists/shifts/check", CHECKED)
        shown = await upload(page, "shifts", BY_NAME, **DAYS)
        assert shown.status_code == 200, shown.text
        sent = answered.canned.sent("POST", "/v1/audit/lists/shifts/check")[-1]
        assert sent == YEAR | {"csv": BY_ID}
        for text in ("9417 shifts that D/C Alma Reyes gave", "Repeated lines", "look again"):
            assert text in shown.text
        assert answered.canned.sent("PUT", "/v1/audit/lists/shifts") == []
    answered.canned.answer("PUT", "/v1/audit/lists/shifts", LISTS)
    given = await page.post("/audit/lists/shifts", DAYS | {"csv": BY_ID.replace("\n", "\r\n")})
    assert given.headers["location"] == "/audit/lists?done=shifts-given#shifts"
    (sent,) = answered.canned.sent("PUT", "/v1/audit/lists/shifts")
    asked = ShiftsGiven.model_validate(sent)
    assert shifts_of(rows_of(asked.csv or ""))[0].person_id == "p-1"
    assert "The list of shifts is replaced." in (await page.get(given.headers["location"])).text


async def test_bad_lines_are_named_beside_the_form_and_its_days_stay(
    page: Page, answered: Double
) -> None:
    await page.sign_in("reyes")
    stranger = BY_NAME + b"Nobody,2026-01-01T06:00Z,2026-01-01T16:00Z\n"
    unknown = await upload(page, "shifts", stranger, **DAYS)
    assert unknown.status_code == 422
    assert "<b>line 3</b>: nobody of the agency signs in as “Nobody”" in unknown.text
    assert 'value="2026-12-31"' in unknown.text
    malformed = ListMalformed("line 7", faults=[{"where": "line 7", "what": "it ends too early"}])
    answered.canned.answer("POST", "/v1/audit/lists/shifts/check", malformed)
    refused = await upload(page, "shifts", BY_NAME, **DAYS)
    assert refused.status_code == 422
    assert "<b>line 7</b>: it ends too early" in refused.text
    for content, form, text in (
        (b"\xff\xfe", DAYS, "CSV UTF-8"), (b"", DAYS, "nothing in the file"),
        (BY_NAME, {"first_day": "", "last_day": "x"}, "A day could not be read"),
    ):  # fmt: skip
        answer = await upload(page, "shifts", content, **form)
        assert answer.status_code == 422
        assert text in answer.text
        assert "131.5-d" in answer.text
    nothing = await page.post("/audit/lists/cases/check", {"last_day": "2026-12-31"})
    assert nothing.status_code == 422
    assert answered.canned.sent("PUT", "/v1/audit/lists/shifts") == []


async def test_case_numbers_are_given_and_taken_back(page: Page, answered: Double) -> None:
    await page.sign_in("hale")
    checked = {"entries": 2, "repeated": 0, "people": None, "first_at": None, "last_at": None,
               "outside": 0}  # fmt: skip
    answered.canned.answer("POST", "/v1/audit/lists/cases/check", checked)
    csv = "case_number\n26-1\n26-2\n"
    shown = await upload(page, "cases", csv.encode(), last_day="2026-12-31")
    assert "nothing: none was given yet" in shown.text
    answered.canned.answer("PUT", "/v1/audit/lists/cases", LISTS)
    answered.canned.answer("DELETE", "/v1/audit/lists/cases", LISTS)
    await page.post("/audit/lists/cases", {"last_day": "2026-12-31", "csv": csv})
    (sent,) = answered.canned.sent("PUT", "/v1/audit/lists/cases")
    assert CasesGiven.model_validate(sent).csv == csv
    back = await page.post("/audit/lists/cases/withdraw")
    assert back.headers["location"] == "/audit/lists?done=cases-withdrawn#cases"
    assert (await page.post("/audit/lists/other/withdraw")).status_code == 422


async def test_a_list_of_many_lines_is_checked_and_given_like_a_short_one(
    page: Page, answered: Double
) -> None:
    await page.sign_in("hale")
    answered.canned.answer("POST", "/v1/audit/lists/cases/check", CHECKED | {"people": None})
    answered.canned.answer("PUT", "/v1/audit/lists/cases", LISTS)
    csv = "case_number\n" + "".join(f"26-{number:06}\n" for number in range(150_000))
    assert len(csv) > 1024**2
    shown = await upload(page, "cases", csv.encode(), last_day="2026-12-31")
    assert "26-149999" in shown.text
    given = await page.post("/audit/lists/cases", {"last_day": "2026-12-31", "csv": csv})
    assert given.headers.get("location") == "/audit/lists?done=cases-given#cases", given.text
    (sent,) = answered.canned.sent("PUT", "/v1/audit/lists/cases")
    assert sent["csv"] == csv


@pytest.mark.policy("131.6-3c")
async def test_own_plates_are_sent_and_never_shown_again(page: Page, answered: Double) -> None:
    await page.sign_in("reyes")
    answered.canned.answer("PUT", "/v1/audit/lists/plates/p-1", LISTS)
    answered.canned.answer("DELETE", "/v1/audit/lists/plates/p-1", LISTS)
    form = {"person_id": "p-1", "plates": " AB 123 \r\n\r\nKIN 77\r\n"}
    given = await page.post("/audit/lists/plates", form)
    assert given.headers["location"] == "/audit/lists?done=plates-given#plates"
    (sent,) = answered.canned.sent("PUT", "/v1/audit/lists/plates/p-1")
    assert PlatesGiven.model_validate(sent).plates == ["AB 123", "KIN 77"]
    shown = (await page.get(given.headers["location"])).text
    assert "KIN" not in shown
    assert "Nobody can read them" in shown
    for empty in ({"person_id": "p-1", "plates": " \n"}, {"plates": "AB 1"}):
        refused = await page.post("/audit/lists/plates", empty)
        assert refused.status_code == 422
        assert "131.6-3c" in refused.text
    gone = await page.post("/audit/lists/plates/withdraw", {"person_id": "p-1"})
    assert gone.headers["location"] == "/audit/lists?done=plates-withdrawn#plates"


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (BY_NAME.replace(b"\n", b"\r"), 1, "its end is not that of a line of CSV"),
        (BY_NAME + b"a\rb,,\n", 3, "its end is not that of a line of CSV"),
        (BY_NAME + b'\n"' + b"miller,\n" * 20_000, 4, "is a quote left open?"),
    ],
)
async def test_a_file_that_is_no_csv_is_refused_with_its_line(
    page: Page, answered: Double, content: bytes, line: int, what: str
) -> None:
    await page.sign_in("reyes")
    refused = await upload(page, "shifts", content, **DAYS)
    assert refused.status_code == 422
    assert "The file could not be read" in refused.text
    assert f"<b>line {line}</b>: " in refused.text
    assert what in refused.text
    assert 'value="2026-12-31"' in refused.text


@pytest.mark.parametrize("away", ["/v1/audit/lists", "/v1/people"])
async def test_when_a_service_is_away_what_was_typed_for_a_list_is_kept_to_be_sent_again(
    page: Page, answered: Double, away: str
) -> None:
    await page.sign_in("reyes")
    answered.canned.answer("GET", away, Outage("PostgreSQL is away."))
    for path in ("cases", "shifts", "cases/check", "shifts/check", "plates/p-1"):
        method = "POST" if path.endswith("check") else "PUT"
        answered.canned.answer(method, f"/v1/audit/lists/{path}", Outage("PostgreSQL is away."))
    files = {"file": ("list.csv", BY_ID.encode(), "text/csv")}
    headers = {"Origin": CONSOLE_URL, "Sec-Fetch-Site": "same-origin"}
    plates = {"person_id": "p-1", "plates": "AB 123\r\nKIN 77"}
    for path, form in (
        ("cases", {"last_day": "2026-12-31", "csv": "case_number\r\n26-1"}),
        ("shifts", DAYS | {"csv": BY_ID}), ("cases/check", {"last_day": "2026-12-31"}),
        ("shifts/check", DAYS), ("plates", plates),
    ):  # fmt: skip
        answer = await page.client.post(
            f"/audit/lists/{path}", data=form, headers=headers,
            files=files if path.endswith("check") else None,
        )  # fmt: skip
        assert answer.status_code == 503, path
        assert "A server that this needs is away" in answer.text
        assert f'action="/audit/lists/{path}"' in answer.text
        for name, value in form.items():
            assert f'name="{name}"' in answer.text, path
            assert value in answer.text, path
    shown = await page.get("/audit/lists")
    assert shown.status_code == 503
    assert "Send it again" not in shown.text


def test_a_stranger_is_named_with_the_line_that_the_file_has_it_on() -> None:
    text = 'username,begins_at,ends_at\n\n"miller",,\nnobody,,\n'
    with pytest.raises(NobodyKnown) as refused:
        with_person_ids(text, [PERSON])
    assert [where for where, _ in refused.value.extra["faults"]] == ["line 4"]


def test_files_are_read_as_spreadsheets_write_them() -> None:
    text = text_of(BY_NAME)
    assert has_usernames(text)
    assert not has_usernames(BY_ID)
    assert with_person_ids(text, [PERSON]) == BY_ID
    assert plates_of("A 1\n\n B2 \n") == ["A 1", "B2"]
    with pytest.raises(NobodyKnown) as refused:
        with_person_ids(text + "x,,\n" * 30, [PERSON])
    assert refused.value.extra["faults"][-1] == ("and", "10 more")
    with pytest.raises(ListEmpty):
        text_of(b"case_number\n")
    with pytest.raises(ListUnread, match="UTF-8"):
        text_of(b"case_number\n26\x001\n")
