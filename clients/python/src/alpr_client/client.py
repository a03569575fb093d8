"""`AlprClient`: the whole system, for a CAD system or a script."""

from types import TracebackType
from typing import Self

import httpx

from alpr_client.alerts import Alerts
from alpr_client.cameras import Cameras, Frames
from alpr_client.hotlist import HotList
from alpr_client.models import Me, Session
from alpr_client.people import People
from alpr_client.preservation import Evidence, Holds
from alpr_client.searches import Approvals, Searches
from alpr_client.tokens import Account, AccountSession, Tokens
from alpr_client.transport import Addresses, Transport


class AlprClient:
    """Use it as an async context manager. Methods raise `RefusedError`, which says why and cites
    the clause, or `UnavailableError`, after which trying again helps."""

    def __init__(
        self,
        addresses: Addresses | None = None,
        *,
        token: str | None = None,
        account: Account | None = None,
        timeout_seconds: float = 30.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Signs requests with `token`, or as the service account `account`, which is signed in
        when the first request needs it and again whenever its session has ended.

        `http` replaces the HTTP client: for proxies, own certificate authorities, tests.
        `client.transport` calls what no method here calls.
        """
        self.transport = Transport(addresses or Addresses(), token, timeout_seconds, http)
        if account is not None:
            self.transport.sign_with(self._as(account))
        self.alerts = Alerts(self.transport)
        self.approvals = Approvals(self.transport)
        self.cameras = Cameras(self.transport)
        self.evidence = Evidence(self.transport)
        self.frames = Frames(self.transport)
        self.holds = Holds(self.transport)
        self.hotlist = HotList(self.transport)
        self.people = People(self.transport)
        self.searches = Searches(self.transport)

    async def sign_in(self, username: str, password: str, code: str | None = None) -> Session:
        """From here on requests are this person's; the session is kept fresh by itself.

        `code`: of the second factor, six digits or a recovery code. Raises
        `SecondFactorNeededError` where the account has one and no code is given, `RefusedError`
        when something is wrong. A session whose `must_enrol` is set opens nothing until a second
        factor was set up at the console.
        """
        session = await self.transport.signed_in(username, password, code)
        self.transport.use(session)
        return session

    def sign_with(self, tokens: Tokens) -> None:
        """Take the tokens of requests from there."""
        self.transport.sign_with(tokens)

    async def sign_out(self) -> None:
        """End the session at the server."""
        await self.transport.call("identity", "DELETE", "/v1/sessions")
        self.transport.use(None)

    async def me(self) -> Me:
        return await self.transport.model(Me, "identity", "GET", "/v1/me")

    async def close(self) -> None:
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _as(self, account: Account) -> AccountSession:
        async def sign_in() -> Session:
            return await self.transport.signed_in(account.username, account.password, None)

        return AccountSession(sign_in, self.transport.refreshed)
