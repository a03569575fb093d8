"""Who is at the page: opens the session cookie, renews its tokens, locks what nobody touches."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from fastapi import Request

from alpr_common.auth import NotSignedIn, Principal, TokenVerifier
from alpr_common.policy import Role
from alpr_console.cookies import CookieSeal
from alpr_console.session import EnrolmentNeeded, Session, SignInNeeded, Tokens
from alpr_console.upstream import Refused, Upstream

Now = Callable[[], datetime]

# Several requests of one page may find the token at its end at once. The first renews it, the
# others get what it got.
_RENEWAL_KEPT_SECONDS = 60
_ACTIVITY_STEP_SECONDS = 30
_LAST_MOMENT = timedelta(seconds=15)
_CODE_STEP = "alpr-code-step"
_CODE_STEP_SECONDS = 300


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
        self._renewals: dict[str, asyncio.Task[Tokens]] = {}

    def gate(
        self, *, passive: bool = False, early: bool = False, enrolling: bool = False
    ) -> Callable[[Request], Awaitable[Session]]:
        """The dependency that every page of a signed-in person declares.

        `passive` routes (the live stream) do not count as somebody being there. `early` ones
        renew the tokens some time before their end; others only when they must: a page asks one
        early route each minute, so that its many requests, which different replicas may answer,
        never renew at the same moment. identity takes a refresh token that comes twice for
        stolen and ends the session. `enrolling` ones are open to who has yet to set up a second
        factor.
        """

        async def depend(request: Request) -> Session:
            session = await self._present(request, passive, early)
            request.scope["alpr_session"] = session  # error pages keep the person's frame
            if session.principal.must_enrol and not enrolling:
                raise EnrolmentNeeded
            return session

        depend.alpr_gate = "enrolling" if enrolling else "signed_in"  # type: ignore[attr-defined]
        return depend

    async def sign_in(
        self, request: Request, username: str, password: str, code: str = ""
    ) -> Session:
        """A new session, its cookies on the answer; raises `Refused`."""
        said = {"username": username, "password": password}
        answer = await self._upstream.call(
            "identity", "POST", "/v1/sessions", json=said | ({"code": code} if code else {})
        )
        return self.begin(request, answer)

    def begin(self, request: Request, answer: dict[str, Any]) -> Session:
        """A session of the tokens that identity answered, whatever way of signing in it was."""
        tokens = self._tokens_of(answer)
        self._put(request, tokens)
        self._touch(request, tokens)
        return self._session(request, tokens)

    def seal_code_step(self, username: str, password: str) -> str:
        """Name and password for the page that asks for the code: nobody types them twice, and
        neither the page nor this process keeps them in the clear."""
        until = self._now().timestamp() + _CODE_STEP_SECONDS
        return self._seal.seal(_CODE_STEP, {"u": username, "p": password, "t": until})

    def open_code_step(self, sealed: str) -> tuple[str, str] | None:
        """Name and password; None when the step is not ours or took too long."""
        content = self._seal.open(_CODE_STEP, sealed)
        if content is None or float(content["t"]) < self._now().timestamp():
            return None
        return content["u"], content["p"]

    async def renew(self, request: Request, session: Session) -> None:
        """New tokens at once: what the person may do has just changed. Raises `SignInNeeded`."""
        session.tokens = await self._renewed(request, session.tokens, needed=True)

    async def sign_out(self, request: Request) -> None:
        """End the session at identity and drop the cookies, whatever identity says."""
        tokens = self._opened(request)
        self._cookies(request).extend(self._expired_cookies())
        if tokens is not None:
            try:
                await self._upstream.call(
                    "identity", "DELETE", "/v1/sessions", token=tokens.access_token
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
        tokens = self._opened(request)
        if tokens is None:
            has_cookie = self._names.session in request.cookies
            raise SignInNeeded("expired" if has_cookie else "signed-out")
        idle = self._idle_seconds(request, tokens)
        if self._lock_seconds and idle > self._lock_seconds:
            raise SignInNeeded("locked")
        left = tokens.expires_at - self._now()
        if left <= (self._refresh_before if early else _LAST_MOMENT):
            tokens = await self._renewed(request, tokens)
        if not passive and idle > _ACTIVITY_STEP_SECONDS:
            self._touch(request, tokens)
        return self._session(request, tokens)

    def _session(self, request: Request, tokens: Tokens) -> Session:
        async def renew(old: Tokens) -> Tokens:
            return await self._renewed(request, old, needed=True)

        return Session(tokens, self._upstream, renew)

    def _opened(self, request: Request) -> Tokens | None:
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
        return Tokens(principal, content["a"], content["r"], expires_at)

    def _idle_seconds(self, request: Request, tokens: Tokens) -> float:
        content = self._seal.open(
            self._names.activity, request.cookies.get(self._names.activity, "")
        )
        if content is None or content.get("s") != tokens.principal.session_id:
            return float("inf")
        return self._now().timestamp() - float(content["t"])

    async def _renewed(self, request: Request, tokens: Tokens, *, needed: bool = False) -> Tokens:
        """`needed`: what is left of the old token is of no use."""
        key = sha256(tokens.refresh_token.encode()).hexdigest()
        task = self._renewals.get(key)
        if task is None:
            task = asyncio.create_task(self._renew(tokens.refresh_token))
            self._renewals[key] = task
            asyncio.get_running_loop().call_later(
                _RENEWAL_KEPT_SECONDS, self._renewals.pop, key, None
            )
        try:
            renewed = await asyncio.shield(task)
        except Refused as error:
            # Another replica may have used the refresh token a moment ago and its answer is on
            # the way to this browser; what is left of the old token bridges that.
            if tokens.expires_at > self._now() and not needed:
                return tokens
            if error.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise SignInNeeded("expired") from error
        self._put(request, renewed)
        return renewed

    async def _renew(self, refresh_token: str) -> Tokens:
        answer = await self._upstream.call(
            "identity", "POST", "/v1/sessions/refresh", json={"refresh_token": refresh_token}
        )
        return self._tokens_of(answer)

    def _tokens_of(self, answer: dict[str, Any]) -> Tokens:
        token = answer["access_token"]
        expires_at = datetime.fromisoformat(answer["expires_at"]).astimezone(UTC)
        return Tokens(self._verifier.verify(token), token, answer["refresh_token"], expires_at)

    def _put(self, request: Request, tokens: Tokens) -> None:
        sealed = self._seal.seal(
            self._names.session,
            {
                "a": tokens.access_token,
                "r": tokens.refresh_token,
                "e": tokens.expires_at.timestamp(),
                "s": tokens.principal.session_id,
                "p": tokens.principal.person_id,
            },
        )
        self._cookies(request).append(self._cookie(self._names.session, sealed))

    def _touch(self, request: Request, tokens: Tokens) -> None:
        content = {"s": tokens.principal.session_id, "t": self._now().timestamp()}
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
