"""Refusals, outages and strange answers, as exceptions that carry what was said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from alpr_client import (
    Addresses,
    AlprClient,
    ClientError,
    NotSignedInError,
    RefusedError,
    SecondFactorNeededError,
    UnavailableError,
    UnexpectedAnswerError,
)
from alpr_client.errors import error_of

PROBLEM = {
    "type": "urn:alpr:problem:leads-training-lapsed", "title": "LEADS training", "status": 403,
    "detail": "Renew it.", "clause": "131.6-1",
}  # fmt: skip


def client(answer: Callable[[httpx.Request], httpx.Response]) -> AlprClient:
    return AlprClient(
        Addresses.behind("http://alpr"),
        http=httpx.AsyncClient(transport=httpx.MockTransport(answer)),
    )


def test_a_refusal_carries_the_problem_details() -> None:
    error = error_of(httpx.Response(403, json=PROBLEM | {"more": 1}))
    assert type(error) is RefusedError
    assert (error.status, error.title, error.detail) == (403, "LEADS training", "Renew it.")
    assert (error.clause, error.code) == ("131.6-1", "leads-training-lapsed")
    assert error.members["more"] == 1
    assert error.retry_after_seconds is None


def test_an_outage_carries_them_too_and_when_to_come_again() -> None:
    said = PROBLEM | {"title": "Too busy", "clause": None}
    error = error_of(httpx.Response(503, json=said, headers={"Retry-After": "7"}))
    assert isinstance(error, UnavailableError)
    assert (error.status, error.title, error.detail, error.clause) == (
        503, "Too busy", "Renew it.", None,
    )  # fmt: skip
    assert error.retry_after_seconds == 7
    assert str(error) == "Too busy: Renew it."


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("12", 12.0), ("", None), ("soon", None), ("-1", None), ("²", None)],
)
def test_what_retry_after_may_say(said: str, seconds: float | None) -> None:
    headers = {b"Retry-After": said.encode()}
    error = error_of(httpx.Response(429, headers=headers))
    assert isinstance(error, UnavailableError)
    assert error.retry_after_seconds == seconds


def test_retry_after_may_be_a_moment() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    error = error_of(httpx.Response(503, headers={"Retry-After": at}))
    assert isinstance(error, UnavailableError)
    assert error.retry_after_seconds == pytest.approx(60, abs=20)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("session-ended", NotSignedInError), ("second-factor-needed", SecondFactorNeededError)],
)
def test_who_is_not_signed_in_gets_an_error_of_its_own(code: str, kind: type[Exception]) -> None:
    said = {"type": f"urn:alpr:problem:{code}", "ways": ["passkey"]}
    error = error_of(httpx.Response(401, json=said))
    assert type(error) is kind
    if isinstance(error, SecondFactorNeededError):
        assert error.ways == ("passkey",)


@pytest.mark.parametrize("body", ["", "<html>", "[1]", "null", '{"title": null}'])
def test_a_refusal_in_other_words_is_one_all_the_same(body: str) -> None:
    error = error_of(httpx.Response(404, text=body))
    assert isinstance(error, RefusedError)
    assert (error.title, error.code, error.clause) == ("HTTP status 404", "status-404", None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, text="<html>Welcome"), "right address"),
        (httpx.Response(200, json={"items": [{"alert_id": 7}]}), "alert_id"),
        (httpx.Response(200, json=[1]), "otherwise than expected"),
        (httpx.Response(204), "otherwise than expected"),
    ],
)
async def test_what_is_not_this_system_is_said_to_be_something_else(
    answer: httpx.Response, words: str
) -> None:
    async with client(lambda _: answer) as alpr:
        with pytest.raises(UnexpectedAnswerError, match=words):
            await alpr.alerts.list()


async def test_an_address_that_is_none_is_named() -> None:
    async with AlprClient(Addresses.behind("http://a:b")) as alpr:
        with pytest.raises(ClientError, match="http://a:b"):
            await alpr.me()


async def test_an_answer_that_breaks_off_is_an_outage() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("peer closed", request=request)

    async with client(broken) as alpr:
        with pytest.raises(UnavailableError, match="peer closed") as error:
            await alpr.me()
    assert error.value.status is None


async def test_a_list_is_followed_to_its_last_page() -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor")
        asked.append(cursor)
        number = int(cursor or 0)
        item = {"camera_id": f"cam-{number}"}
        following = str(number + 1) if number < 2 else None
        return httpx.Response(200, json={"items": [item], "next_cursor": following})

    async with client(answer) as alpr:
        found = [camera.camera_id async for camera in alpr.cameras.every()]
    assert found == ["cam-0", "cam-1", "cam-2"]
    assert asked == [None, "1", "2"]
