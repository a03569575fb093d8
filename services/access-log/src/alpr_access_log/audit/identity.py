"""Passwords, training and sessions, as identity shows them to the person who asks.

The person's own token is sent along: identity decides what they may see, and records that they
did. An audit does not fail because identity is away or shows less to a role: it says so.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx

from alpr_access_log.audit.records import Lapse, Session
from alpr_access_log.audit.summary import FromIdentity
from alpr_common.auth import Principal

_TIMEOUT_SECONDS = 20.0
_PAGE = 5000
_MOST_SESSIONS = 100_000


@dataclass(frozen=True)
class IdentitySays:
    """What the package shows of it, and what the rules look at (None: not known)."""

    password_security: FromIdentity
    training: FromIdentity
    sessions: FromIdentity
    lapses: list[Lapse] | None = None
    open_sessions: list[Session] | None = field(default=None, repr=False)


class Identity:
    """Identity's REST."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url.rstrip("/")
        self._transport = transport

    async def audited(
        self, principal: Principal, from_at: datetime, to_at: datetime
    ) -> IdentitySays:
        """All three reports; what is not answered says why."""
        period = {"from": from_at.isoformat(), "to": to_at.isoformat()}
        headers = {"Authorization": f"Bearer {principal.token}"}
        async with httpx.AsyncClient(
            base_url=self._url, headers=headers, timeout=_TIMEOUT_SECONDS,
            transport=self._transport,
        ) as http:  # fmt: skip
            passwords = await _asked(http, "password-security", period)
            training = await _asked(http, "training", period)
            sessions = await _all_sessions(http, period)
        return IdentitySays(
            passwords,
            training,
            FromIdentity(
                answered=sessions.answered,
                why_not=sessions.why_not,
                data=_figures(sessions.data["items"]) if sessions.data else None,
            ),
            _read(_lapses, training),
            _read(_sessions, sessions),
        )


def to_json(says: IdentitySays) -> str:
    """As it is kept while a package is prepared: sessions with what the rules look at alone."""
    parts = (says.password_security, says.training, says.sessions)
    sessions = says.open_sessions
    return json.dumps(
        {
            "parts": [part.model_dump(mode="json") for part in parts],
            "sessions": None if sessions is None else [_kept(one) for one in sessions],
        }
    )


def from_json(text: str) -> IdentitySays:
    """What `to_json` kept."""
    kept = json.loads(text)
    passwords, training, sessions = (FromIdentity(**part) for part in kept["parts"])
    opened = None
    if kept["sessions"] is not None:
        opened = [
            Session(session_id, person_id, address, last_address, _at(created), _at(refreshed))
            for session_id, person_id, address, last_address, created, refreshed in kept["sessions"]
        ]
    return IdentitySays(passwords, training, sessions, _read(_lapses, training), opened)


def _kept(one: Session) -> list[str | None]:
    return [
        one.session_id, one.person_id, one.address, one.last_address,
        one.created_at.isoformat(), one.refreshed_at.isoformat(),
    ]  # fmt: skip


async def _asked(http: httpx.AsyncClient, what: str, period: dict[str, Any]) -> FromIdentity:
    try:
        answer = await http.get(f"/v1/audit/{what}", params=period)
    except httpx.HTTPError as error:
        return _not(f"identity does not answer ({type(error).__name__})")
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return _not("identity does not show this to the role of whoever prepared the package")
    if answer.status_code != HTTPStatus.OK:
        return _not(f"identity answered with HTTP status {answer.status_code}")
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return _not("identity's answer is not understood")
    return FromIdentity(answered=True, data=said)


async def _all_sessions(http: httpx.AsyncClient, period: dict[str, Any]) -> FromIdentity:
    items: list[Any] = []
    asked: dict[str, Any] = period | {"limit": _PAGE}
    while True:
        page = await _asked(http, "sessions", asked)
        if page.data is None:
            return page
        if not isinstance(page.data.get("items"), list):
            return _not("identity's answer is not understood")
        items += page.data["items"]
        cursor = page.data.get("next_cursor")
        if not cursor or len(items) >= _MOST_SESSIONS:
            return FromIdentity(answered=True, data={"items": items})
        asked = asked | {"cursor": cursor}


def _not(why: str) -> FromIdentity:
    return FromIdentity(answered=False, why_not=why)


def _read(parse: Any, said: FromIdentity) -> Any:
    """What the rules look at; None where the answer is not as this version knows it."""
    if said.data is None:
        return None
    try:
        return parse(said.data)
    except (KeyError, TypeError, ValueError):
        return None


def _lapses(data: dict[str, Any]) -> list[Lapse]:
    return [
        Lapse(
            str(one["person_id"]), str(one["kind"]), _at(one["lapsed_at"]),
            _at(one["restored_at"]) if one.get("restored_at") else None,
        )
        for one in data["lapses"]
    ]  # fmt: skip


def _sessions(data: dict[str, Any]) -> list[Session]:
    return [
        Session(
            str(one["session_id"]), str(one["person_id"]), one.get("address"),
            one.get("last_address"), _at(one["created_at"]), _at(one["refreshed_at"]),
        )
        for one in data["items"]
    ]  # fmt: skip


def _at(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _figures(items: list[Any]) -> dict[str, Any]:
    """Sessions in figures: the list itself would be long, and is identity's to show."""
    known = [one for one in items if isinstance(one, dict)]
    methods: dict[str, int] = {}
    endings: dict[str, int] = {}
    for one in known:
        method, ended = str(one.get("method")), str(one.get("ended_because") or "not ended by hand")
        methods[method] = methods.get(method, 0) + 1
        endings[ended] = endings.get(ended, 0) + 1
    return {
        "sessions": len(known),
        "people": len({one.get("person_id") for one in known}),
        "addresses": len({one.get("address") for one in known if one.get("address")}),
        "with_second_factor": sum(one.get("second_factor_at") is not None for one in known),
        "by_method": dict(sorted(methods.items())),
        "by_ending": dict(sorted(endings.items())),
    }
