"""What the page says where a service cannot be reached, and where it may have heard it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from alpr_console.app import build
from tests.browser.support.console import settings_for
from tests.browser.support.rest_double import PASSWORD, Double
from tests.unit.console.conftest import CONSOLE_URL, Page, client_of

NOTHING_CHANGED = "Nothing was changed. Try again in a moment"
NOT_KNOWN = "It is not known whether it was taken"
CAMERA = {
    "camera_id": "elm-street", "kind": "fixed", "name": "Elm Street", "latitude": "41.84",
    "longitude": "-87.95",
}  # fmt: skip


class Failing(httpx.ASGITransport):
    """The way to the double, on which requests get lost: before it has them, or their answers."""

    def __init__(self, double: Double) -> None:
        super().__init__(double.app)
        self.lost: tuple[str, type[httpx.TransportError]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.lost is not None and request.method == self.lost[0]:
            raise self.lost[1]("It is lost.", request=request)
        return await super().handle_async_request(request)


@pytest.fixture
def way(double: Double) -> Failing:
    return Failing(double)


@pytest.fixture
def console_page(double: Double, way: Failing, tmp_path: Path) -> Page:
    app = build(settings_for(double, "http://double", tmp_path, CONSOLE_URL), way)
    return Page(client_of(app))


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_where_nothing_was_sent_the_page_says_that_nothing_was_changed(
    console_page: Page, way: Failing, error: type[httpx.TransportError]
) -> None:
    await console_page.sign_in("reyes")
    way.lost = ("POST", error)
    answer = await console_page.post("/cameras", CAMERA)
    assert answer.status_code == 502
    assert "cannot be reached" in answer.text
    assert NOTHING_CHANGED in answer.text
    assert NOT_KNOWN not in answer.text


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.RemoteProtocolError],
)
async def test_where_it_may_have_been_heard_the_page_says_that_it_is_not_known(
    console_page: Page, way: Failing, error: type[httpx.TransportError]
) -> None:
    await console_page.sign_in("reyes")
    assert (await console_page.post("/cameras", CAMERA)).status_code == 200
    way.lost = ("PUT", error)
    form = {"name": "Elm Street, west", "was_name": "Elm Street"}
    answer = await console_page.post("/cameras/elm-street/place", form)
    assert answer.status_code == 502
    assert "did not answer" in answer.text
    assert f"{NOT_KNOWN}; look before you try again" in answer.text
    assert "Nothing was changed" not in answer.text


@pytest.mark.parametrize(
    ("path", "form", "advice"),
    [
        ("/cameras", CAMERA | {"camera_id": "oak"}, "make another credential on its page"),
        ("/cameras/elm-street/credential", {"sure": "yes"}, "Make another credential and give it"),
        ("/people", {"username": "ann", "role": "officer"}, "give them a new password"),
    ],
)
async def test_what_is_shown_once_and_got_lost_is_to_be_made_again(
    console_page: Page, way: Failing, path: str, form: dict[str, str], advice: str
) -> None:
    await console_page.sign_in("reyes")
    assert (await console_page.post("/cameras", CAMERA)).status_code == 200
    way.lost = ("POST", httpx.ReadTimeout)
    answer = await console_page.post(path, form)
    assert answer.status_code == 502
    assert f"{NOT_KNOWN}. " in answer.text
    assert advice in answer.text
    assert "Nothing was changed" not in answer.text


async def test_when_ingest_falls_silent_the_page_does_not_say_that_a_change_is_not_saved(
    console_page: Page, way: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await console_page.sign_in("reyes")
    assert (await console_page.post("/cameras", CAMERA)).status_code == 200

    async def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("It is lost.", request=request)

    monkeypatch.setattr(way, "handle_async_request", silent)
    form = {"name": "Elm Street, west", "was_name": "Elm Street"}
    answer = await console_page.post("/cameras/elm-street/place", form)
    assert answer.status_code == 502
    assert NOT_KNOWN in answer.text
    assert "not saved" not in answer.text
    assert 'value="Elm Street, west"' in answer.text


async def test_what_changes_nothing_may_be_asked_for_again(
    console_page: Page, way: Failing
) -> None:
    way.lost = ("POST", httpx.ReadTimeout)
    form = {"username": "reyes", "password": PASSWORD}
    sign_in = await console_page.post("/sign-in", form)
    way.lost = None
    await console_page.sign_in("reyes")
    way.lost = ("GET", httpx.ReadTimeout)
    for answer in (sign_in, await console_page.get("/cameras")):
        assert answer.status_code == 502
        assert "did not answer" in answer.text
        assert "Try again in a moment" in answer.text
        assert NOT_KNOWN not in answer.text
