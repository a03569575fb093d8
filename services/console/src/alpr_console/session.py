"""One person at the page: the tokens that speak for them, and the services asked in their name."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

import httpx

from alpr_common.auth import Principal
from alpr_common.errors import AlprError
from alpr_console.upstream import Refused, ServiceName, Upstream

Reason = Literal["signed-out", "expired", "locked"]

_WITHDRAWN = "token-refused"


class SignInNeeded(AlprError):
    """Nobody is signed in (any more); the page asks again and keeps its place."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"The session is {reason}.")
        self.reason: Reason = reason


class EnrolmentNeeded(AlprError):
    """The agency asks this role for a second factor, and there is none yet."""

    status = HTTPStatus.FORBIDDEN
    title = "Set up your second factor first"
    clause = "131.7-3c"

    def __init__(self) -> None:
        super().__init__("Nothing else is open until then.")


@dataclass(frozen=True)
class Tokens:
    """What identity gave for a session, and whom it names."""

    principal: Principal
    access_token: str
    refresh_token: str
    expires_at: datetime


Renew = Callable[[Tokens], Awaitable[Tokens]]


class Session:
    """A person at the page.

    A token that a service takes no more, because role, training or second factor changed, is
    renewed once and the call made again: the change then holds at once, and nobody has to sign in.
    """

    def __init__(self, tokens: Tokens, upstream: Upstream, renew: Renew) -> None:
        self.tokens = tokens
        self._upstream = upstream
        self._renew = renew

    @property
    def principal(self) -> Principal:
        return self.tokens.principal

    @property
    def role(self) -> str:
        return str(self.principal.role)

    async def call(
        self, service: ServiceName, method: str, path: str, *,
        params: Mapping[str, Any] | None = None, json: Any = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        patience_seconds: float | None = None,
    ) -> Any:  # fmt: skip
        """The answer's JSON (None when it has no content); raises `Refused`."""
        response = await self._ask(
            service, method, path, params=params, json=json, files=files,
            patience_seconds=patience_seconds,
        )  # fmt: skip
        return response.json() if response.content else None

    async def get(
        self, service: ServiceName, path: str, params: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """What is no JSON: a picture, a file, a tile; raises `Refused`."""
        return await self._ask(service, "GET", path, params=params)

    async def _ask(
        self, service: ServiceName, method: str, path: str, **content: Any
    ) -> httpx.Response:
        used = self.tokens.access_token
        try:
            return await self._upstream.ask(service, method, path, token=used, **content)
        except Refused as error:
            await self._replace(used, error)
        return await self._upstream.ask(
            service, method, path, token=self.tokens.access_token, **content
        )

    @asynccontextmanager
    async def stream(
        self, service: ServiceName, path: str, last_event_id: str | None
    ) -> AsyncIterator[httpx.Response]:
        """An open event stream; raises `Refused` when it does not open."""
        async with AsyncExitStack() as opened:
            used = self.tokens.access_token
            try:
                response = await opened.enter_async_context(
                    self._upstream.stream(service, path, used, last_event_id)
                )
            except Refused as error:
                await self._replace(used, error)
                response = await opened.enter_async_context(
                    self._upstream.stream(service, path, self.tokens.access_token, last_event_id)
                )
            yield response

    async def _replace(self, used: str, refused: Refused) -> None:
        """New tokens in place of withdrawn ones; raises the refusal when it has another cause."""
        if refused.problem.code != _WITHDRAWN:
            raise refused
        if self.tokens.access_token == used:
            self.tokens = await self._renew(self.tokens)
