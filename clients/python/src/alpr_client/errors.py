"""What can go wrong: the system refused (and says why), or it cannot be reached now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self

import httpx

# Answers that mean "later" rather than "no".
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class ClientError(Exception):
    """Base of this package's errors."""


class RefusedError(ClientError):
    """The system said no. Trying the same again does not help.

    `clause` names the clause of the policy that the refusal rests on, `code` is a stable word for
    programs, `members` holds the whole problem details (RFC 9457).
    """

    def __init__(
        self, status: int, members: Mapping[str, Any], retry_after_seconds: float | None = None
    ) -> None:
        self.status = status
        self.members = dict(members)
        self.title, self.detail, self.clause, self.code = _said(status, members)
        self.retry_after_seconds = retry_after_seconds
        super().__init__(_line(self.title, self.detail, self.clause))


class NotSignedInError(RefusedError):
    """401: nobody is signed in, the session has ended, or the sign-in was not accepted."""


class SecondFactorNeededError(NotSignedInError):
    """Name and password are right; ask the person for the code and sign in again with it.

    `ways`: code, passkey. Where `code` is not among them, only a browser can show the factor.
    """

    CODE = "second-factor-needed"

    @property
    def ways(self) -> tuple[str, ...]:
        return tuple(self.members.get("ways") or ("code",))


class UnavailableError(ClientError):
    """The system did not answer, or said that it cannot now. Trying again later helps.

    `status` is None where nothing answered; else the problem details stand beside it.
    """

    def __init__(
        self,
        what: str,
        retry_after_seconds: float | None = None,
        *,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds
        self.status = status
        self.members = dict(members or {})
        self.title, self.detail, self.clause, self.code = what, "", None, "no-answer"
        if status is not None:
            self.title, self.detail, self.clause, self.code = _said(status, self.members)

    @classmethod
    def of(cls, response: httpx.Response, members: Mapping[str, Any]) -> Self:
        title, detail, clause, _ = _said(response.status_code, members)
        return cls(
            _line(title, detail, clause), retry_after_of(response),
            status=response.status_code, members=members,
        )  # fmt: skip


class UnexpectedAnswerError(ClientError):
    """What answered is not this system, or a version that this client does not know."""


def error_of(response: httpx.Response) -> ClientError | None:
    """What the response's problem details say; None for a good one."""
    if response.is_success:
        return None
    try:
        members = response.json()
    except ValueError:
        members = {}
    if not isinstance(members, dict):
        members = {}
    status = response.status_code
    if response.is_server_error or status in _LATER:
        return UnavailableError.of(response, members)
    kind = RefusedError
    if status == HTTPStatus.UNAUTHORIZED:
        kind = NotSignedInError
        if _said(status, members)[3] == SecondFactorNeededError.CODE:
            kind = SecondFactorNeededError
    return kind(status, members, retry_after_of(response))


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds, of either form that the header may have; None where it says nothing."""
    said = response.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _said(status: int, members: Mapping[str, Any]) -> tuple[str, str, str | None, str]:
    """Title, detail, clause and code."""
    clause = members.get("clause")
    return (
        str(members.get("title") or f"HTTP status {status}"),
        str(members.get("detail") or ""),
        str(clause) if clause else None,
        str(members.get("type", "")).rpartition(":")[2] or f"status-{status}",
    )


def _line(title: str, detail: str, clause: str | None) -> str:
    return f"{title}{f' ({clause})' if clause else ''}" + (f": {detail}" if detail else "")
