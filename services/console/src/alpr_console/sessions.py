"""Who is at the page: opens the session cookie, renews its tokens, locks what nobody touches."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Literal

from fastapi import Request

from alpr_common.auth import NotSignedIn, Principal, TokenVerifier
from alpr_common.errors import AlprError
from alpr_common.policy import Role
from alpr_console.cookies import CookieSeal
from alpr_console.upstream import Refused, Upstream

Reason = Literal["signed-out", "expired", "locked"]
Now = Callable[[], datetime]

# Several requests of one page may find the token at its end at once. The first renews it, the
# others get what it got.
_RENEWAL_KEPT_SECONDS = 60
_ACTIVITY_STEP_SECONDS = 30
_LAST_MOMENT = timedelta(seconds=15)


class SignInNeeded(AlprError):
    """Nobody is signed in (any more); the page asks again and keeps its place."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"The session is {reason}.")
        self.reason: Reason = reason


@dataclass(frozen=True)
class Session:
    """A person and the tokens that speak for them."""

    principal: Principal
    access_token: str
    refresh_token: str
    expires_at: datetime

    @property
    def role(self) -> str:
        return str(self.principal.role)


@dataclass(frozen=True)
class CookieNames:
    """`__Host-` makes the browser insist on TLS, this host and the whole path."""

    secure: bool

    @property
    def session(self) -> str:
        return "__Host-alpr-session" if self.secure else "alpr-session"

    @property
    def activity(self) -> str:
        return "__Host-alpr-activity" if self.secure else "alpr-activity"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sessions:
    """Sessions of all people, none of them kept here."""

    def __init__(
        self, seal: CookieSeal, verifier: TokenVerifier, upstream: Upstream, *, secure: bool,
        lock_seconds: int, refresh_before_seconds: int, now: Now = _utc_now,
    ) -> None:  # fmt: skip
        self._seal = seal
        self._verifier = verifier
        self._upstream = upstream
        self._names = CookieNames(secure)
        self._lock_seconds = lock_seconds
        self._refresh_before = timedelta(seconds=refresh_before_seconds)
        self._now = now
        self._renewals: dict[str, asyncio.Task[Session]] = {}

    def gate(
        self, *, passive: bool = False, early: bool = False
    ) -> Callable[[Request], Awaitable[Session]]:
        """The dependency that every page of a signed-in person declares.

        `passive` routes (the live stream) do not count as somebody being there. `early` ones
        renew the tokens some time before their end; others only when they must: a page asks one
        early route each minute, so that its many requests, which different replicas may answer,
        never renew at the same moment. identity takes a refresh token that comes twice for
        stolen and ends the session.
        """

        async def depend(request: Request) -> Session:
            session = await self._present(request, passive, early)
            request.scope["alpr_session"] = session  # error pages keep the person's frame
            return session

        depend.alpr_gate = "signed_in"  # type: ignore[attr-defined]
        return depend

    async def sign_in(self, request: Request, username: str, password: str) -> Session:
        """A new session, its cookies on the answer; raises `Refused`."""
        answer = await self._upstream.call(
            "identity", "POST", "/v1/sessions", json={"username": username, "password": password}
        )
        session = self._session_of(answer)
        self._put(request, session)
        self._touch(request, session)
        return session

    async def sign_out(self, request: Request) -> None:
        """End the session at identity and drop the cookies, whatever identity says."""
        session = self._opened(request)
        self._cookies(request).extend(self._expired_cookies())
        if session is not None:
            try:
                await self._upstream.call(
                    "identity", "DELETE", "/v1/sessions", token=session.access_token
                )
            except Refused:
                # The tokens end by themselves within minutes; the cookies are gone now.
                return

    def _expired_cookies(self) -> list[str]:
        return [
            self._cookie(name, "") + "; Max-Age=0"
            for name in (self._names.session, self._names.activity)
        ]

    async def _present(self, request: Request, passive: bool, early: bool) -> Session:
        session = self._opened(request)
        if session is None:
            has_cookie = self._names.session in request.cookies
            raise SignInNeeded("expired" if has_cookie else "signed-out")
        idle = self._idle_seconds(request, session)
        if self._lock_seconds and idle > self._lock_seconds:
            raise SignInNeeded("locked")
        left = session.expires_at - self._now()
        if left <= (self._refresh_before if early else _LAST_MOMENT):
            session = await self._renewed(request, session)
        if not passive and idle > _ACTIVITY_STEP_SECONDS:
            self._touch(request, session)
        return session

    def _opened(self, request: Request) -> Session | None:
        content = self._seal.open(self._names.session, request.cookies.get(self._names.session, ""))
        if content is None:
            return None
        expires_at = datetime.fromtimestamp(content["e"], UTC)
        try:
            principal = self._verifier.verify(content["a"])
        except NotSignedIn:
            if expires_at > self._now():
                return None  # not expired, hence not one of this system's (or its key changed)
            principal = _expired_principal(content)
        return Session(principal, content["a"], content["r"], expires_at)

    def _idle_seconds(self, request: Request, session: Session) -> float:
        content = self._seal.open(
            self._names.activity, request.cookies.get(self._names.activity, "")
        )
        if content is None or content.get("s") != session.principal.session_id:
            return float("inf")
        return self._now().timestamp() - float(content["t"])

    async def _renewed(self, request: Request, session: Session) -> Session:
        key = sha256(session.refresh_token.encode()).hexdigest()
        task = self._renewals.get(key)
        if task is None:
            task = asyncio.create_task(self._renew(session.refresh_token))
            self._renewals[key] = task
            asyncio.get_running_loop().call_later(
                _RENEWAL_KEPT_SECONDS, self._renewals.pop, key, None
            )
        try:
            renewed = await asyncio.shield(task)
        except Refused as error:
            # Another replica may have used the refresh token a moment ago and its answer is on
            # the way to this browser; what is left of the old token bridges that.
            if session.expires_at > self._now():
                return session
            if error.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise SignInNeeded("expired") from error
        self._put(request, renewed)
        return renewed

    async def _renew(self, refresh_token: str) -> Session:
        answer = await self._upstream.call(
            "identity", "POST", "/v1/sessions/refresh", json={"refresh_token": refresh_token}
        )
        return self._session_of(answer)

    def _session_of(self, answer: dict[str, Any]) -> Session:
        token = answer["access_token"]
        expires_at = datetime.fromisoformat(answer["expires_at"]).astimezone(UTC)
        return Session(self._verifier.verify(token), token, answer["refresh_token"], expires_at)

    def _put(self, request: Request, session: Session) -> None:
        sealed = self._seal.seal(
            self._names.session,
            {
                "a": session.access_token,
                "r": session.refresh_token,
                "e": session.expires_at.timestamp(),
                "s": session.principal.session_id,
                "p": session.principal.person_id,
            },
        )
        self._cookies(request).append(self._cookie(self._names.session, sealed))

    def _touch(self, request: Request, session: Session) -> None:
        content = {"s": session.principal.session_id, "t": self._now().timestamp()}
        sealed = self._seal.seal(self._names.activity, content)
        self._cookies(request).append(self._cookie(self._names.activity, sealed))

    def _cookie(self, name: str, value: str) -> str:
        secure = "; Secure" if self._names.secure else ""
        return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"

    @staticmethod
    def _cookies(request: Request) -> list[str]:
        """What the answer will set, whatever kind of answer it becomes (security.py sends it)."""
        cookies: list[str] = request.scope.setdefault("alpr_set_cookies", [])
        return cookies


def _expired_principal(content: dict[str, Any]) -> Principal:
    """Enough of a person to renew their session; never shown, never allowed anything."""
    return Principal(
        person_id=content["p"], name="", agency_id="", role=Role.AUDITOR,
        session_id=content["s"], leads_training_until=None, alpr_training_until=None,
    )  # fmt: skip
