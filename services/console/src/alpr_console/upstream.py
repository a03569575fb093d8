"""Calls to the services' REST APIs, in the name of the person at the page.

A refusal comes back as the service's own problem detail, clause and all, and is shown as it is:
the console decides nothing about who may do what.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Literal

import httpx
from opentelemetry import propagate
from pydantic import BaseModel, ConfigDict, ValidationError

from alpr_common.errors import AlprError
from alpr_common.settings import CommonSettings

ServiceName = Literal["alerts", "matcher", "access-log", "identity", "ingest"]

_NAMES: dict[ServiceName, str] = {
    "alerts": "The alert service",
    "matcher": "The hot-list service",
    "access-log": "The service that keeps the reads",
    "identity": "The sign-in service",
    "ingest": "The service that takes the cameras' frames",
}


_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""No connection: the service cannot have heard of the request. After any other failure it may."""
UNANSWERED = "unanswered"
"""Code of the problem of a change of which nobody knows whether it was taken."""


class Fault(BaseModel):
    """One field that a service could not take."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    where: str = ""
    what: str = ""


class Problem(BaseModel):
    """A refusal as RFC 9457 problem details, with the clause that it rests on."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str = ""
    title: str = "The request was refused"
    status: int = 400
    detail: str = ""
    clause: str | None = None
    clause_text: str = ""
    faults: tuple[Fault, ...] = ()
    ways: tuple[str, ...] = ()
    """Where a second factor is missing: which ones the person has."""

    @property
    def code(self) -> str:
        """The stable word for programs."""
        return self.type.rpartition(":")[2]


class Refused(AlprError):
    """A service refused, or could not be reached."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem

    def advise(self, what_to_do: str) -> None:
        """Say what to do where it is not known whether the change was taken, as whoever asked for
        it knows best; of another refusal nothing is said."""
        if self.problem.code == UNANSWERED:
            detail = f"It is not known whether it was taken. {what_to_do}"
            self.problem = self.problem.model_copy(update={"detail": detail})

    def here(self) -> Problem:
        """The problem, to be shown beside what was asked; raises it when it is about the session,
        which is asked for again over the whole page."""
        if self.problem.status == HTTPStatus.UNAUTHORIZED:
            raise self
        return self.problem


class Upstream:
    """The services, through one pool of connections."""

    def __init__(self, client: httpx.AsyncClient, common: CommonSettings) -> None:
        self._client = client
        self._urls: dict[ServiceName, str] = {
            "alerts": common.alerts_url,
            "matcher": common.matcher_url,
            "access-log": common.access_log_url,
            "identity": common.identity_url,
            "ingest": common.ingest_url,
        }

    async def call(
        self, service: ServiceName, method: str, path: str, *, token: str | None = None,
        params: Mapping[str, Any] | None = None, json: Any = None,
    ) -> Any:  # fmt: skip
        """The answer's JSON (None when it has no content); raises `Refused`."""
        response = await self.ask(service, method, path, token=token, params=params, json=json)
        return response.json() if response.content else None

    async def ask(
        self, service: ServiceName, method: str, path: str, *, token: str | None = None,
        params: Mapping[str, Any] | None = None, json: Any = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        patience_seconds: float | None = None,
    ) -> httpx.Response:  # fmt: skip
        """The answer as it came; raises `Refused`.

        `patience_seconds`: how long it may take where that is longer than usual.
        """
        timeout = httpx.USE_CLIENT_DEFAULT if patience_seconds is None else patience_seconds
        url = self._urls[service] + path
        try:
            response = await self._client.request(
                method, url, headers=_headers(token), params=_given(params), json=json, files=files,
                timeout=timeout,
            )  # fmt: skip
        except _NOTHING_SENT as error:
            raise Refused(_away(service)) from error
        except httpx.TransportError as error:
            raise Refused(_unanswered(service, method, path)) from error
        if response.is_error:
            raise Refused(_problem(response))
        return response

    def address(self, service: ServiceName) -> str:
        return self._urls[service]

    @asynccontextmanager
    async def stream(
        self, service: ServiceName, path: str, token: str, last_event_id: str | None
    ) -> AsyncIterator[httpx.Response]:
        """An open event stream; raises `Refused` when it does not open."""
        headers = _headers(token) | {"Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        # No read timeout: the stream is quiet for as long as nothing happens, and its heartbeats
        # are watched by whoever reads it.
        timeout = httpx.Timeout(10.0, read=None)
        try:
            async with self._client.stream(
                "GET", self._urls[service] + path, headers=headers, timeout=timeout
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise Refused(_problem(response))
                yield response
        except _NOTHING_SENT as error:
            raise Refused(_away(service)) from error
        except httpx.TransportError as error:
            raise Refused(_unanswered(service, "GET", path)) from error


caller_address: ContextVar[str | None] = ContextVar("caller_address", default=None)
"""Where the person at the page is: the services record that, not where this console is."""


def _headers(token: str | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    propagate.inject(headers)
    if address := caller_address.get():
        headers["X-Forwarded-For"] = address
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _given(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Without the empty ones: an empty field of a form means "not stated"."""
    return {k: v for k, v in (params or {}).items() if v not in (None, "")} or None


def _away(service: ServiceName) -> Problem:
    return Problem(
        type="urn:alpr:problem:away",
        title=f"{_NAMES[service]} cannot be reached",
        status=HTTPStatus.BAD_GATEWAY,
        detail="Nothing was changed. Try again in a moment; if this goes on, tell the operators.",
    )


def _unanswered(service: ServiceName, method: str, path: str) -> Problem:
    """The service may have heard the request; what it made of it is not known."""
    if method == "GET" or (method == "POST" and _CHANGES_NOTHING.fullmatch(path)):
        code, detail = "no-answer", "Try again in a moment"
    else:
        code = UNANSWERED
        detail = "It is not known whether it was taken; look before you try again"
    return Problem(
        type=f"urn:alpr:problem:{code}",
        title=f"{_NAMES[service]} did not answer",
        status=HTTPStatus.BAD_GATEWAY,
        detail=f"{detail}; if this goes on, tell the operators.",
    )


_CHANGES_NOTHING = re.compile(r"/v1/sessions(/refresh|(/passkey|/provider)?(/begin)?)"
                              r"|/v1/audit/lists/\w+/check")  # fmt: skip
"""What is posted there may be posted again: a sign-in, a list that is only looked at."""


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return Problem(
            type="urn:alpr:problem:unexplained",
            title=HTTPStatus(response.status_code).phrase,
            status=response.status_code,
            detail="The service gave no reason. Try again; if this goes on, tell the operators.",
        )
