"""Stored reads, through access-log's door: as a service account of the agency, logged there."""

import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from alpr_common.errors import Outage
from alpr_common.messages.read import Read

PURPOSE = "retro_match"
_TIMEOUT_SECONDS = 30.0
_RENEWED_BEFORE = timedelta(seconds=60)


class Account(BaseModel):
    """A service account of one agency, as identity knows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str
    password: str


class _Page(BaseModel):
    items: list[Read]
    next_cursor: str | None


class _Session(BaseModel):
    access_token: str
    expires_at: AwareDatetime


@contextmanager
def _understood(who: str) -> Iterator[None]:
    """An answer that says something else, another program's perhaps, is an outage like none."""
    try:
        yield
    except ValidationError as error:
        # Not its words: they may be those of a session.
        where = {".".join(str(part) for part in one["loc"]) for one in error.errors()}
        raise Outage(f"{who}'s answer says something else: {sorted(where)[:5]}") from None


_ACCOUNTS = TypeAdapter(dict[str, Account])


@dataclass(frozen=True)
class Accounts:
    """By agency. An agency without one has no retro-match."""

    accounts: Mapping[str, Account] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Raises `pydantic.ValidationError`, `OSError` or `tomllib.TOMLDecodeError`."""
        if file is None:
            return cls()
        return cls(_ACCOUNTS.validate_python(tomllib.loads(file.read_text("utf-8"))))

    @property
    def agency_ids(self) -> frozenset[str]:
        return frozenset(self.accounts)


class StoredReads:
    """Asks access-log; keeps one token per agency."""

    def __init__(self, accounts: Accounts, access_log_url: str, identity_url: str) -> None:
        self.agency_ids = accounts.agency_ids
        self._accounts = accounts.accounts
        self._access_log_url = access_log_url.rstrip("/")
        self._identity_url = identity_url.rstrip("/")
        self._http = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS)
        self._tokens: dict[str, tuple[str, datetime]] = {}

    async def close(self) -> None:
        await self._http.aclose()

    async def of(
        self, agency_id: str, keys: Sequence[str], patterns: Sequence[str], since: datetime,
        until: datetime,
    ) -> AsyncIterator[Read]:  # fmt: skip
        """The agency's reads with one of these match keys, or that fit one of these patterns.

        Raises `Outage` when either service does not answer as it should: ask again later.
        """
        asked: dict[str, Any] = {
            "purpose": PURPOSE,
            "match_keys": list(keys),
            "patterns": list(patterns),
            "from": since.isoformat(),
            "to": until.isoformat(),
        }
        cursor = None
        while True:
            answer = await self._ask(agency_id, asked | {"cursor": cursor})
            with _understood("access-log"):
                page = _Page.model_validate_json(answer)
            for read in page.items:
                yield read
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _ask(self, agency_id: str, body: dict[str, Any]) -> bytes:
        headers = {"Authorization": f"Bearer {await self._token(agency_id)}"}
        url = f"{self._access_log_url}/v1/searches/retro"
        answer = await self._post(url, body, headers)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._tokens.pop(agency_id, None)
        if answer.status_code != HTTPStatus.OK:
            raise Outage(f"access-log answered {answer.status_code}: {answer.text[:300]}")
        return answer.content

    async def _token(self, agency_id: str) -> str:
        known = self._tokens.get(agency_id)
        if known is not None and datetime.now(UTC) < known[1] - _RENEWED_BEFORE:
            return known[0]
        account = self._accounts[agency_id]
        url = f"{self._identity_url}/v1/sessions"
        answer = await self._post(url, account.model_dump(), {})
        if answer.is_error:
            raise Outage(f"The service account of {agency_id} was refused: {answer.text[:300]}")
        with _understood("identity"):
            session = _Session.model_validate_json(answer.content)
        self._tokens[agency_id] = (session.access_token, session.expires_at)
        return session.access_token

    async def _post(
        self, url: str, body: dict[str, Any], headers: dict[str, str]
    ) -> httpx.Response:
        try:
            return await self._http.post(url, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Outage(f"{url} does not answer: {error!r}") from error
