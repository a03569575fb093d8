"""HTTP underneath the client: addresses, tokens, problem details to errors."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any, Self

import httpx

from alpr_client.errors import RefusedError, UnavailableError
from alpr_client.models import Session

# Answers that mean "later" rather than "no".
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True)
class Addresses:
    """Where the services answer (base URLs)."""

    ingest: str = "http://127.0.0.1:8001"
    matcher: str = "http://127.0.0.1:8003"
    alerts: str = "http://127.0.0.1:8005"
    access_log: str = "http://127.0.0.1:8006"
    identity: str = "http://127.0.0.1:8007"

    @classmethod
    def from_environment(cls) -> Self:
        """`ALPR_INGEST_URL`, `ALPR_ALERTS_URL` …, where they are set."""
        names = {f.name: f"ALPR_{f.name.upper()}_URL" for f in fields(cls)}
        return cls(**{n: os.environ[v] for n, v in names.items() if os.environ.get(v)})

    @classmethod
    def behind(cls, url: str) -> Self:
        """All services behind one gateway."""
        return cls(*[url] * len(fields(cls)))


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
        self._token = token
        self._refresh_token: str | None = None
        self._refreshing = asyncio.Lock()
        self._http = http or httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds))
        )

    async def close(self) -> None:
        await self._http.aclose()

    def use(self, session: Session | None) -> None:
        self._token = session.access_token if session else None
        self._refresh_token = session.refresh_token if session else None

    async def call(
        self, service: str, method: str, path: str, *, signed: bool = True, **options: Any
    ) -> httpx.Response:
        """The response, if it is a good one; raises `RefusedError` or `UnavailableError`.

        A token that ran out is refreshed once. `options` are those of httpx.
        """
        token = self._token
        response = await self._send(service, method, path, signed, options)
        unauthorized = response.status_code == HTTPStatus.UNAUTHORIZED
        if unauthorized and signed and await self.refresh(token):
            response = await self._send(service, method, path, signed, options)
        raise_for(response)
        return response

    async def json(self, service: str, method: str, path: str, **options: Any) -> Any:
        """As `call`; the answer's JSON. Options that are None are left out of `json`/`params`."""
        for part in ("json", "params"):
            if part in options:
                options[part] = without_none(options[part])
        response = await self.call(service, method, path, **options)
        return response.json() if response.content else None

    @asynccontextmanager
    async def stream(
        self, service: str, path: str, headers: Mapping[str, str], read_seconds: float
    ) -> AsyncIterator[httpx.Response]:
        """An open response whose body is read as it comes; raises as `call` does."""
        timeout = httpx.Timeout(10.0, read=read_seconds)
        url = getattr(self.addresses, service) + path
        for attempt in (1, 2):
            token = self._token
            signed = {**headers, **self._authorization()}
            try:
                async with self._http.stream("GET", url, headers=signed, timeout=timeout) as got:
                    unauthorized = got.status_code == HTTPStatus.UNAUTHORIZED
                    if unauthorized and attempt == 1 and await self.refresh(token):
                        continue
                    if got.is_error:
                        await got.aread()
                        raise_for(got)
                    yield got
                    return
            except httpx.TransportError as error:
                raise _unreachable(service, error) from error

    async def refresh(self, refused: str | None) -> bool:
        """Whether there is another token than the one that was refused."""
        async with self._refreshing:  # a refresh token can be used once
            return self._token != refused or await self._refresh()

    async def _refresh(self) -> bool:
        if self._refresh_token is None:
            return False
        body = {"refresh_token": self._refresh_token}
        response = await self._send(
            "identity", "POST", "/v1/sessions/refresh", False, {"json": body}
        )
        if response.is_error:
            self._refresh_token = None
            return False
        self.use(Session.model_validate({**body, **response.json()}))
        return True

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def _send(
        self, service: str, method: str, path: str, signed: bool, options: Mapping[str, Any]
    ) -> httpx.Response:
        headers = dict(options.get("headers") or {})
        if signed:
            headers |= self._authorization()
        rest = {name: value for name, value in options.items() if name != "headers"}
        url = getattr(self.addresses, service) + path
        try:
            return await self._http.request(method, url, headers=headers, **rest)
        except httpx.TransportError as error:
            raise _unreachable(service, error) from error


def raise_for(response: httpx.Response) -> None:
    """Raise what the response's problem details say, if it is no good one."""
    if response.is_success:
        return
    try:
        members = response.json()
    except ValueError:
        members = {}
    if not isinstance(members, dict):
        members = {}
    if response.is_server_error or response.status_code in _LATER:
        raise UnavailableError.of(response, members)
    raise RefusedError(response.status_code, members)


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _unreachable(service: str, error: httpx.TransportError) -> UnavailableError:
    return UnavailableError(f"{service} does not answer: {error or type(error).__name__}")
