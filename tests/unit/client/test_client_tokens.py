"""Whom requests are signed as: tokens in files, sessions, accounts that sign in again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alpr_client.errors import ClientError, NotSignedInError, UnavailableError
from alpr_client.models import Session
from alpr_client.tokens import AccountSession, GivenToken, HeldSession, TokenFile


def session(number: int) -> Session:
    return Session(
        access_token=f"access-{number}", refresh_token=f"refresh-{number}",
        expires_at=datetime(2026, 5, 4, tzinfo=UTC),
    )  # fmt: skip


class Server:
    """Hands out sessions one after the other, unless it has an error to raise."""

    def __init__(self) -> None:
        self.opened = 0
        self.asked = 0
        self.sign_in_error: Exception | None = None
        self.refresh_error: Exception | None = None

    async def sign_in(self) -> Session:
        self.asked += 1
        if self.sign_in_error:
            raise self.sign_in_error
        self.opened += 1
        return session(self.opened)

    async def refresh(self, _refresh_token: str) -> Session:
        if self.refresh_error:
            raise self.refresh_error
        return await self.sign_in()


async def test_a_given_token_is_never_renewed() -> None:
    given = GivenToken("a")
    assert await given.current() == "a"
    assert not await given.renewed("a")


async def test_a_token_in_a_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    tokens = TokenFile(path)
    assert await tokens.current() == "one"
    assert not await tokens.renewed("one")
    path.write_text("two\n")
    assert await tokens.renewed("one")
    assert await tokens.current() == "two"


@pytest.mark.parametrize("content", [None, "", " \n"])
async def test_a_file_without_a_token_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ClientError, match="token"):
        await TokenFile(path).current()


async def test_a_session_says_why_it_has_ended() -> None:
    server = Server()
    server.refresh_error = NotSignedInError(401, {"title": "The session has ended"})
    held = HeldSession(session(0), server.refresh)
    with pytest.raises(NotSignedInError, match="has ended"):
        await held.renewed("access-0")


async def test_an_outage_at_the_refresh_leaves_the_session_as_it_is() -> None:
    server = Server()
    server.refresh_error = UnavailableError("away")
    held = HeldSession(session(0), server.refresh)
    with pytest.raises(UnavailableError):
        await held.renewed("access-0")
    server.refresh_error = None
    assert await held.renewed("access-0")


async def test_an_account_signs_in_at_the_first_request_and_again_when_its_session_has_ended() -> (
    None
):
    server = Server()
    account = AccountSession(server.sign_in, server.refresh)
    assert await account.current() == "access-1"
    assert await account.renewed("access-1")
    assert await account.current() == "access-2"
    server.refresh_error = NotSignedInError(401, {})
    assert await account.renewed("access-2")
    assert await account.current() == "access-3"


async def test_an_account_that_is_refused_does_not_lock_itself() -> None:
    server, time = Server(), [0.0]
    server.sign_in_error = NotSignedInError(401, {"title": "You could not be signed in"})
    account = AccountSession(server.sign_in, server.refresh, lambda: time[0])
    for _ in range(10):
        with pytest.raises(NotSignedInError, match="could not"):
            await account.current()
    assert server.asked == 1
    server.sign_in_error, time[0] = None, 301.0
    assert await account.current() == "access-1"
