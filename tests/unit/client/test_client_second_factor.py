"""Signing in with the one-time code of a second factor."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from alpr_client import AlprClient, RefusedError, SecondFactorNeededError

TOKENS = {
    "access_token": "a", "refresh_token": "r", "expires_at": "2026-05-04T12:15:00+00:00",
    "must_enrol": False,
}  # fmt: skip


class Identity:
    """Takes the password alone from nobody."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        said = json.loads(request.content)
        self.said.append(said)
        if said["password"] != "right":
            return self._refuse("sign-in-refused", "You could not be signed in")
        if "code" not in said:
            return self._refuse("second-factor-needed", "Type the code of your second factor")
        if said["code"] != "123456":
            return self._refuse("sign-in-refused", "You could not be signed in")
        return httpx.Response(200, json=TOKENS)

    def _refuse(self, code: str, title: str) -> httpx.Response:
        body = {"type": f"urn:alpr:problem:{code}", "title": title, "clause": "131.7-3c"}
        return httpx.Response(401, json=body)


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest.fixture
def client(identity: Identity) -> AlprClient:
    return AlprClient(http=httpx.AsyncClient(transport=httpx.MockTransport(identity)))


async def test_a_missing_code_is_an_error_of_its_own(client: AlprClient) -> None:
    async with client:
        with pytest.raises(SecondFactorNeededError) as refused:
            await client.sign_in("ann", "right")
    assert refused.value.clause == "131.7-3c"


async def test_with_the_code_one_is_signed_in(client: AlprClient, identity: Identity) -> None:
    async with client:
        session = await client.sign_in("ann", "right", "123456")
    assert session.access_token == "a"
    assert not session.must_enrol
    assert identity.said[-1]["code"] == "123456"


@pytest.mark.parametrize(("password", "code"), [("wrong", None), ("right", "000000")])
async def test_what_is_wrong_is_refused_without_saying_that_a_code_is_missing(
    client: AlprClient, password: str, code: str | None
) -> None:
    async with client:
        with pytest.raises(RefusedError) as refused:
            await client.sign_in("ann", password, code)
    assert not isinstance(refused.value, SecondFactorNeededError)


async def test_without_a_code_none_is_sent(client: AlprClient, identity: Identity) -> None:
    async with client:
        with pytest.raises(SecondFactorNeededError):
            await client.sign_in("ann", "right")
    assert "code" not in identity.said[0]
