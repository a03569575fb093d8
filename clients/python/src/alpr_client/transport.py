"""HTTP underneath the client: addresses, signed requests, answers to models, problems to errors."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from alpr_client.errors import (
    ClientError,
    UnavailableError,
    UnexpectedAnswerError,
    error_of,
)
from alpr_client.models import Page, Session
from alpr_client.tokens import GivenToken, HeldSession, Tokens

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Addresses:
    """Where the services answer (base URLs)."""

    ingest: str = "http://127.0.0.1:8001"
    matcher: str = "http://127.0.0.1:8003"
    alerts: str = "http://127.0.0.1:8005"
    access_log: str = "http://127.0.0.1:8006"
    identity: str = "http://127.0.0.1:8007"

    @classmethod
    def from_environment(cls) -> "Addresses":
        """`ALPR_INGEST_URL`, `ALPR_ALERTS_URL` …, where they are set."""
        said = {name: os.environ.get(f"ALPR_{name.upper()}_URL") for name in SERVICES}
        return Addresses(**{name: address for name, address in said.items() if address})

    @classmethod
    def behind(cls, url: str) -> "Addresses":
        """All services behind one gateway."""
        return Addresses(*[url.rstrip("/")] * len(SERVICES))

    def of(self, service: str) -> str:
        """Where the next request to that service goes."""
        return str(getattr(self, service))


SERVICES = tuple(f.name for f in fields(Addresses))


class Transport:
    """One HTTP client for all services, signing requests with the person's token."""

    def __init__(
        self,
        addresses: Addresses,
        token: str | None,
        timeout_seconds: float,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.addresses = addresses
        self._tokens: Tokens = GivenToken(token)
        self._http = http or httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds))
        )

    async def close(self) -> None:
        await self._http.aclose()

    def use(self, session: Session | None) -> None:
        """Sign requests as this session from here on, and keep it fresh; None: sign nothing."""
        self.sign_with(HeldSession(session, self.refreshed) if session else GivenToken(None))

    def sign_with(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str | None:
        """What the next request would be signed with."""
        return await self._tokens.current()

    async def call(
        self, service: str, method: str, path: str, *, signed: bool = True, **options: Any
    ) -> httpx.Response:
        """The response, if it is a good one; raises `RefusedError` or `UnavailableError`.

        A token that ran out is renewed once. `options` are those of httpx.
        """
        token = await self._tokens.current() if signed else None
        response = await self._send(service, method, path, token, options)
        unauthorized = response.status_code == HTTPStatus.UNAUTHORIZED
        if unauthorized and signed and await self._tokens.renewed(token):
            _rewind(options)
            token = await self._tokens.current()
            response = await self._send(service, method, path, token, options)
        raise_for(response)
        return response

    async def json(self, service: str, method: str, path: str, **options: Any) -> Any:
        """As `call`; the answer's JSON. Options that are None are left out of `json`/`params`."""
        for part in ("json", "params"):
            if part in options:
                options[part] = without_none(options[part])
        response = await self.call(service, method, path, **options)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise UnexpectedAnswerError(
                f"{service} at {self.addresses.of(service)} did not answer JSON: is that "
                "the right address?"
            ) from error

    async def model(
        self, kind: type[Model], service: str, method: str, path: str, **options: Any
    ) -> Model:
        """As `json`; the answer as that model. Raises `UnexpectedAnswerError` for another."""
        answer = await self.json(service, method, path, **options)
        return answer_as(kind, answer, f"{service} answered {method} {path}")

    @asynccontextmanager
    async def stream(
        self, service: str, path: str, headers: Mapping[str, str], read_seconds: float
    ) -> AsyncIterator[httpx.Response]:
        """An open response whose body is read as it comes; raises as `call` does."""
        timeout = httpx.Timeout(10.0, read=read_seconds)
        url = self.addresses.of(service) + path
        for attempt in (1, 2):
            token = await self._tokens.current()
            signed = {**headers, **_bearer(token)}
            try:
                async with self._http.stream("GET", url, headers=signed, timeout=timeout) as got:
                    unauthorized = got.status_code == HTTPStatus.UNAUTHORIZED
                    if unauthorized and attempt == 1 and await self._tokens.renewed(token):
                        continue
                    if not got.is_success:
                        await got.aread()
                        raise_for(got)
                    yield got
                    return
            except httpx.HTTPError as error:
                raise _unreachable(service, error) from error

    async def signed_in(self, username: str, password: str, code: str | None) -> Session:
        """A new session; requests are not signed as it yet (`use`)."""
        said = {"username": username, "password": password, "code": code}
        return await self.model(
            Session, "identity", "POST", "/v1/sessions", signed=False, json=said
        )

    async def refreshed(self, refresh_token: str) -> Session:
        """The next tokens of a session; its refresh token works no more after this."""
        body = {"refresh_token": refresh_token}
        return await self.model(
            Session, "identity", "POST", "/v1/sessions/refresh", signed=False, json=body
        )

    async def _send(
        self,
        service: str,
        method: str,
        path: str,
        token: str | None,
        options: Mapping[str, Any],
    ) -> httpx.Response:
        headers = dict(options.get("headers") or {}) | _bearer(token)
        rest = {name: value for name, value in options.items() if name != "headers"}
        url = self.addresses.of(service) + path
        try:
            return await self._http.request(method, url, headers=headers, **rest)
        except httpx.HTTPError as error:
            raise _unreachable(service, error) from error
        except httpx.InvalidURL as error:
            raise ClientError(f"{service}'s address {url} is none: {error}") from error


async def every(
    page: Callable[[str | None], Awaitable[Page[Model]]],
) -> AsyncIterator[Model]:
    """The items of a list, page by page: `page` fetches the one after a cursor."""
    cursor: str | None = None
    while True:
        found = await page(cursor)
        for item in found.items:
            yield item
        cursor = found.next_cursor
        if cursor is None:
            return


def answer_as(kind: type[Model], answer: Any, said: str) -> Model:
    """The answer as that model; `said` begins the reason of an `UnexpectedAnswerError`."""
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise UnexpectedAnswerError(
            f"{said} otherwise than expected: {where}: {fault['msg']}"
        ) from error


def raise_for(response: httpx.Response) -> None:
    """Raise what the response's problem details say, if it is no good one."""
    error = error_of(response)
    if error is not None:
        raise error


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _rewind(options: Mapping[str, Any]) -> None:
    """Files were read to their end by the attempt that was refused."""
    for _, file in dict(options.get("files") or {}).values():
        if hasattr(file, "seek"):
            file.seek(0)


def _unreachable(service: str, error: httpx.HTTPError) -> UnavailableError:
    return UnavailableError(f"{service} does not answer: {error or type(error).__name__}")
