"""The console between a browser and identity: providers, passkeys, and where the person is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from alpr_common.auth import TokenIssuer
from alpr_console.app import build
from tests.browser.support.console import settings_for
from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import CONSOLE_URL

pytestmark = pytest.mark.policy("131.7-3c")

OURS = {"Origin": CONSOLE_URL, "Sec-Fetch-Site": "same-origin"}


class IdentityAnswers:
    """What identity would say, and what it was asked."""

    def __init__(self, double: Double) -> None:
        self.asked: list[httpx.Request] = []
        person = double.people["rivera"]
        now = datetime.now(UTC)
        token = TokenIssuer(double.signing_key).issue(person.principal("s-1"), now)
        self.tokens = {
            "access_token": token, "refresh_token": "r",
            "expires_at": (now + timedelta(minutes=15)).isoformat(),
        }  # fmt: skip
        self.refusal: dict[str, Any] | None = None

    def body(self, path: str) -> dict[str, Any]:
        """What was sent there last."""
        (*_, last) = [one for one in self.asked if one.url.path == path]
        said: dict[str, Any] = json.loads(last.content or b"{}")
        return said

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        if self.refusal is not None and not path.endswith("/begin"):
            return httpx.Response(self.refusal["status"], json=self.refusal)
        if path == "/v1/sessions/provider/begin":
            return httpx.Response(
                200, json={"authorization_url": "https://login.example/a?x=1", "state": "st"}
            )
        if path == "/v1/sessions/passkey/begin":
            return httpx.Response(200, json={"publicKey": {"challenge": "AA"}})
        return httpx.Response(200, json=self.tokens)


@pytest.fixture
def identity(double: Double) -> IdentityAnswers:
    return IdentityAnswers(double)


@pytest.fixture
async def browser(
    double: Double, identity: IdentityAnswers, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    settings = settings_for(double, "http://identity", tmp_path, CONSOLE_URL)
    app = build(settings, httpx.MockTransport(identity))
    transport = httpx.ASGITransport(app, client=("198.51.100.9", 40000))
    async with httpx.AsyncClient(transport=transport, base_url=CONSOLE_URL) as client:
        yield client


async def test_a_browser_goes_to_the_provider_with_a_cookie_that_only_this_console_reads(
    browser: httpx.AsyncClient,
) -> None:
    there = await browser.get("/sign-in/provider/county?to=/search")
    assert (there.status_code, there.headers["location"]) == (303, "https://login.example/a?x=1")
    cookie = there.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "no-store" in there.headers["cache-control"]


async def test_back_from_the_provider_one_is_where_one_wanted_to_go(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    await browser.get("/sign-in/provider/county?to=/search%3Fplate%3DA")
    back = await browser.get("/sign-in/provider/back?code=c&state=st&iss=https://login.example")
    assert back.status_code == 200
    assert 'url=/search?plate=A"' in back.text
    assert "alpr-session" in browser.cookies
    assert identity.body("/v1/sessions/provider") == {
        "state": "st", "code": "c", "iss": "https://login.example",
    }  # fmt: skip
    # The cookie of the attempt is used up.
    assert "alpr-provider" not in browser.cookies


@pytest.mark.parametrize("state", ["another", ""])
async def test_an_answer_to_another_browsers_attempt_is_not_even_passed_on(
    browser: httpx.AsyncClient, identity: IdentityAnswers, state: str
) -> None:
    await browser.get("/sign-in/provider/county")
    back = await browser.get(f"/sign-in/provider/back?code=c&state={state}")
    assert back.status_code == 401
    assert "was not begun here" in back.text
    assert "/v1/sessions/provider" not in [one.url.path for one in identity.asked]
    assert "alpr-session" not in browser.cookies


async def test_without_the_cookie_or_with_one_of_ones_own_making_nobody_is_signed_in(
    browser: httpx.AsyncClient,
) -> None:
    for cookies in ({}, {"alpr-provider": "AAAA"}):
        browser.cookies.update(cookies)
        assert (await browser.get("/sign-in/provider/back?code=c&state=st")).status_code == 401


async def test_one_never_ends_up_on_another_site(browser: httpx.AsyncClient) -> None:
    for to in ("https://evil.example", "//evil.example", '/x"><script>', "/sign-out"):
        await browser.get("/sign-in/provider/county", params={"to": to})
        back = await browser.get("/sign-in/provider/back?code=c&state=st")
        assert "evil" not in back.text
        assert "<script" not in back.text


async def test_what_identity_refuses_stands_on_the_sign_in_page(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    await browser.get("/sign-in/provider/county")
    identity.refusal = {
        "type": "urn:alpr:problem:provider-away", "title": "Away", "status": 503, "detail": "Later",
    }  # fmt: skip
    back = await browser.get("/sign-in/provider/back?code=c&state=st")
    assert back.status_code == 503
    assert "Away" in back.text
    assert 'name="password"' in back.text


async def test_a_passkey_signs_in_and_its_refusal_is_not_taken_for_an_ended_session(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    begun = await browser.post("/sign-in/passkey/begin", headers=OURS, json={})
    assert begun.json() == {"publicKey": {"challenge": "AA"}}
    said = {"credential": {"id": "x"}, "to": "//evil.example"}
    identity.refusal = {
        "type": "urn:alpr:problem:sign-in-refused", "title": "No", "status": 401, "detail": "Not",
    }  # fmt: skip
    refused = await browser.post("/sign-in/passkey", headers=OURS, json=said)
    assert (refused.status_code, refused.json()) == (422, {"title": "No", "detail": "Not"})
    identity.refusal = None
    done = await browser.post("/sign-in/passkey", headers=OURS, json=said)
    assert done.json() == {"to": "/board"}
    assert "alpr-session" in browser.cookies


async def test_another_site_cannot_sign_anybody_in_by_a_passkey(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = await browser.post("/sign-in/passkey", headers=headers, json={"credential": {}})
    assert answer.status_code == 403
    assert identity.asked == []


async def test_who_has_a_passkey_alone_is_not_asked_for_a_code(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    form = {"username": "rivera", "password": "a right one"}
    identity.refusal = {
        "type": "urn:alpr:problem:second-factor-needed", "title": "Show it", "status": 401,
        "detail": "Sign in with your passkey", "ways": ["passkey"],
    }  # fmt: skip
    asked = await browser.post("/sign-in", headers=OURS, data=form)
    assert "Sign in with your passkey" in asked.text
    assert 'name="code"' not in asked.text
    identity.refusal |= {"ways": ["code", "passkey"]}
    asked = await browser.post("/sign-in", headers=OURS, data=form)
    assert 'name="code"' in asked.text


async def test_who_has_a_passkey_and_recovery_codes_may_type_one_and_is_told_of_the_passkey(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    identity.refusal = {
        "status": 401, "title": "Show your second factor",
        "type": "urn:alpr:problem:second-factor-needed", "ways": ["code", "passkey"],
    }  # fmt: skip
    form = {"username": "rivera", "password": "the password"}
    asked = await browser.post("/sign-in", data=form, headers=OURS)
    assert "a recovery code" in asked.text
    assert "You have a passkey" in asked.text
    step = asked.text.partition('name="code_step" value="')[2].partition('"')[0]
    identity.refusal = None
    said = {"code_step": step, "code": "abcd-efgh-abcd-efgh"}
    done = await browser.post("/sign-in/code", data=said, headers=OURS)
    assert done.status_code == 303
    assert identity.body("/v1/sessions") == form | {"code": "abcd-efgh-abcd-efgh"}


async def test_identity_is_told_where_the_person_is(
    browser: httpx.AsyncClient, identity: IdentityAnswers
) -> None:
    await browser.post("/sign-in", headers=OURS, data={"username": "rivera", "password": "x"})
    assert identity.asked[-1].headers["x-forwarded-for"] == "198.51.100.9"
