"""`AlprClient`: the whole system, for a CAD system or a script."""

from types import TracebackType
from typing import Self

import httpx

from alpr_client.alerts import Alerts
from alpr_client.errors import RefusedError, SecondFactorNeededError
from alpr_client.models import Person, Session
from alpr_client.registries import Cameras, Frames, HotList, Searches
from alpr_client.transport import Addresses, Transport


class AlprClient:
    """Use it as an async context manager. Methods raise `RefusedError`, which says why and cites
    the clause, or `UnavailableError`, after which trying again helps."""

    def __init__(
        self,
        addresses: Addresses | None = None,
        *,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """`http` replaces the HTTP client: for proxies, own certificate authorities, tests."""
        self._transport = Transport(addresses or Addresses(), token, timeout_seconds, http)
        self.alerts = Alerts(self._transport)
        self.cameras = Cameras(self._transport)
        self.frames = Frames(self._transport)
        self.hotlist = HotList(self._transport)
        self.searches = Searches(self._transport)

    async def sign_in(self, username: str, password: str, code: str | None = None) -> Session:
        """From here on requests are this person's; the session is kept fresh by itself.

        `code`: of the second factor, six digits or a recovery code. Raises
        `SecondFactorNeededError` where the account has one and no code is given, `RefusedError`
        when something is wrong. A session whose `must_enrol` is set opens nothing until a second
        factor was set up at the console.
        """
        try:
            answer = await self._transport.json(
                "identity",
                "POST",
                "/v1/sessions",
                signed=False,
                json={"username": username, "password": password, "code": code},
            )
        except RefusedError as error:
            if error.code == SecondFactorNeededError.CODE:
                raise SecondFactorNeededError(error.status, error.members) from None
            raise
        session = Session.model_validate(answer)
        self._transport.use(session)
        return session

    async def sign_out(self) -> None:
        await self._transport.call("identity", "DELETE", "/v1/sessions")
        self._transport.use(None)

    async def me(self) -> Person:
        return Person.model_validate(await self._transport.json("identity", "GET", "/v1/me"))

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
