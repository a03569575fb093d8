"""Where the token of a request comes from, and how it is renewed when it runs out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alpr_client.errors import ClientError, NotSignedInError
from alpr_client.models import Session

Refresh = Callable[[str], Awaitable[Session]]
"""A session's next tokens for its refresh token; raises `NotSignedInError` when it has ended."""
SignIn = Callable[[], Awaitable[Session]]

_PAUSE_SECONDS = 300.0
"""Three refusals in the quarter of an hour within which five lock an account."""


class Tokens(Protocol):
    """What signs requests. One object serves many requests at the same time."""

    async def current(self) -> str | None:
        """The token to send now; None: requests go unsigned."""

    async def renewed(self, refused: str | None) -> bool:
        """Whether there is another token than the one that was refused.

        Raises `NotSignedInError`, which says why, when a session has ended for good.
        """


class GivenToken:
    """A token that somebody else looks after, such as that of `ALPR_TOKEN`."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def current(self) -> str | None:
        return self._token

    async def renewed(self, refused: str | None) -> bool:
        return self._token != refused


class TokenFile:
    """A file that something else keeps fresh, such as a mounted secret: read for each request."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def current(self) -> str | None:
        return self._read()

    async def renewed(self, refused: str | None) -> bool:
        return self._read() != refused

    def _read(self) -> str:
        try:
            token = self._path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ClientError(f"the token in {self._path} cannot be read: {error}") from error
        if not token:
            raise ClientError(f"there is no token in {self._path}")
        return token


class HeldSession:
    """A session in memory, refreshed when its token is refused."""

    def __init__(self, session: Session, refresh: Refresh) -> None:
        self._session = session
        self._refresh = refresh
        self._refreshing = asyncio.Lock()

    async def current(self) -> str | None:
        return self._session.access_token

    async def renewed(self, refused: str | None) -> bool:
        async with self._refreshing:  # a refresh token works once
            if self._session.access_token != refused:
                return True
            if self._session.refresh_token is None:
                return False
            self._session = await self._refresh(self._session.refresh_token)
            return True


@dataclass(frozen=True)
class Account:
    """Who signs in again by itself when a session ends: a service account, not a person."""

    username: str
    password: str


class AccountSession:
    """Sessions of an account, one after the other: each ends after some hours (CJISSECPOL IA-11).

    A refused sign-in is raised, and tried again no sooner than `_PAUSE_SECONDS` later: wrong
    passwords lock the account.
    """

    def __init__(
        self, sign_in: SignIn, refresh: Refresh, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sign_in = sign_in
        self._refresh = refresh
        self._clock = clock
        self._session: HeldSession | None = None
        self._signing_in = asyncio.Lock()
        self._refused: tuple[float, NotSignedInError] | None = None

    async def current(self) -> str | None:
        async with self._signing_in:
            if self._session is None:
                self._session = await self._signed_in()
        return await self._session.current()

    async def renewed(self, refused: str | None) -> bool:
        async with self._signing_in:
            if self._session is None:
                return True
            try:
                return await self._session.renewed(refused)
            except NotSignedInError:
                self._session = await self._signed_in()
                return True

    async def _signed_in(self) -> HeldSession:
        if self._refused is not None and self._clock() < self._refused[0] + _PAUSE_SECONDS:
            raise self._refused[1]
        try:
            return HeldSession(await self._sign_in(), self._refresh)
        except NotSignedInError as error:
            self._refused = self._clock(), error
            raise
