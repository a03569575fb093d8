"""Sessions: renewed before they end, locked when nobody is there, ended for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from alpr_console.cookies import development_key
from tests.browser.support.rest_double import Double
from tests.support.waiting import eventually
from tests.unit.console.conftest import Page, console


@pytest.fixture
async def short_lived(double: Double, tmp_path: Path) -> AsyncIterator[Page]:
    """A console over an identity whose tokens are always about to end."""
    double.issuer = replace(double.issuer, lifetime_seconds=60)
    async with console(double, tmp_path) as page:
        await page.sign_in()
        yield page


async def asked_to_sign_in(page: Page) -> str:
    """The reason that the page gives when its session's time has run out."""

    async def reason() -> str | None:
        answer = await page.client.get("/session")
        assert answer.status_code == 401
        return answer.headers["alpr-sign-in"]

    return str(await eventually(reason, 30, interval_seconds=0.2))


async def test_the_minutely_call_renews_a_token_before_its_end(
    short_lived: Page, double: Double
) -> None:
    answer = await short_lived.post("/session/active")
    assert answer.status_code == 204
    assert double.refreshes == 1
    assert any("alpr-session=" in c for c in answer.headers.get_list("set-cookie"))


async def test_other_requests_leave_a_token_that_still_holds_alone(
    short_lived: Page, double: Double
) -> None:
    assert (await short_lived.get("/board")).status_code == 200
    assert double.refreshes == 0


async def test_requests_at_the_same_moment_spend_one_refresh_token_once(
    short_lived: Page, double: Double
) -> None:
    answers = await asyncio.gather(*(short_lived.client.get("/session") for _ in range(6)))
    assert [a.status_code for a in answers] == [200] * 6
    assert double.refreshes == 1


async def test_an_ended_session_is_asked_for_again(short_lived: Page, double: Double) -> None:
    double.refresh_tokens.clear()
    # What is left of the token still holds: the answer of another replica may be on its way.
    assert (await short_lived.client.get("/session")).status_code == 200
    # A token ends at a full second: of a shorter life too little may be left to sign in with.
    double.issuer = replace(double.issuer, lifetime_seconds=3)
    await short_lived.sign_in()
    double.refresh_tokens.clear()
    assert await asked_to_sign_in(short_lived) == "expired"


@pytest.mark.policy("131.7-3c")
async def test_a_page_that_nobody_touches_is_locked_and_one_in_use_is_not(
    double: Double, tmp_path: Path
) -> None:
    async with console(double, tmp_path, lock_seconds=3) as page:
        await page.sign_in()
        assert (await page.client.get("/session")).status_code == 200
        assert await asked_to_sign_in(page) == "locked"
        assert (await page.get("/board")).headers["location"].startswith("/sign-in?why=locked")


async def test_the_activity_of_one_session_does_not_unlock_another(page: Page) -> None:
    await page.sign_in()
    first = page.client.cookies["alpr-activity"]
    await page.sign_in("okafor")
    second = page.client.cookies["alpr-session"]
    page.client.cookies.clear()
    page.client.cookies.update({"alpr-session": second, "alpr-activity": first})
    assert (await page.client.get("/session")).status_code == 401


async def test_a_token_that_was_withdrawn_is_asked_for_again_and_the_place_kept(
    page: Page, double: Double
) -> None:
    await page.sign_in()
    double.withdrawn = True
    for path in ("/board", "/hotlist"):
        answer = await page.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in?why=expired&to=%2F"), path
    fragment = await page.get("/board", fragment=True)
    assert fragment.status_code == 401
    assert fragment.headers["alpr-sign-in"] == "expired"


async def test_signing_out_leaves_nothing_and_ends_the_session(page: Page, double: Double) -> None:
    await page.sign_in()
    answer = await page.post("/sign-out")
    assert answer.headers["location"] == "/sign-in?why=signed-out"
    assert all("Max-Age=0" in c for c in answer.headers.get_list("set-cookie"))
    assert not double.refresh_tokens
    assert (await page.get("/board")).status_code == 303


async def test_a_token_that_identity_did_not_sign_is_no_session(
    double: Double, tmp_path: Path
) -> None:
    key_file = development_key(tmp_path)
    (other := tmp_path / "other").mkdir()
    async with (
        console(double, tmp_path, cookie_key_file=key_file) as here,
        console(Double(), other, cookie_key_file=key_file) as elsewhere,
    ):
        await here.sign_in()
        elsewhere.client.cookies = here.client.cookies
        assert (await elsewhere.client.get("/session")).status_code == 401
