"""What can go wrong: the system refused (and says why), or it cannot be reached now."""

from collections.abc import Mapping
from typing import Any, Self

import httpx


class ClientError(Exception):
    """Base of this package's errors."""


class RefusedError(ClientError):
    """The system said no. Trying the same again does not help.

    `clause` names the clause of the policy that the refusal rests on, `code` is a stable word for
    programs, `members` holds the whole problem details (RFC 9457).
    """

    def __init__(self, status: int, members: Mapping[str, Any]) -> None:
        self.status = status
        self.members = dict(members)
        self.title = str(members.get("title") or f"HTTP status {status}")
        self.detail = str(members.get("detail") or "")
        self.clause: str | None = members.get("clause")
        self.code = str(members.get("type", "")).rpartition(":")[2] or f"status-{status}"
        clause = f" ({self.clause})" if self.clause else ""
        super().__init__(f"{self.title}{clause}" + (f": {self.detail}" if self.detail else ""))


class SecondFactorNeededError(RefusedError):
    """Name and password are right; ask the person for the code and sign in again with it."""

    CODE = "second-factor-needed"


class UnavailableError(ClientError):
    """The system did not answer, or said that it cannot now. Trying again later helps."""

    def __init__(self, what: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def of(cls, response: httpx.Response, members: Mapping[str, Any]) -> Self:
        after = response.headers.get("retry-after", "")
        title = members.get("title") or f"HTTP status {response.status_code}"
        what = f"{title}: {members['detail']}" if members.get("detail") else str(title)
        return cls(what, float(after) if after.isdigit() else None)
