"""Errors are facts of the domain. `web.py` turns them into RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any, ClassVar


class AlprError(Exception):
    """A refusal that a caller can understand and act on.

    Subclasses set `status`, `title`, and the `clause` of the policy that the refusal rests on
    (`ADM-131` clause ids, or `policy file` for this system's own additions). The message says
    what was wrong and what to do; `extra` adds members to the problem details.
    """

    status: ClassVar[int] = HTTPStatus.BAD_REQUEST
    title: ClassVar[str] = "The request was refused"
    clause: ClassVar[str | None] = None
    retry_after_seconds: int | None = None

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    @property
    def code(self) -> str:
        """A stable word for programs: the class name with dashes."""
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class NotFound(AlprError):
    status = HTTPStatus.NOT_FOUND
    title = "There is no such thing, or it belongs to another agency"


class Forbidden(AlprError):
    status = HTTPStatus.FORBIDDEN
    title = "You may not do this"


class Incomplete(AlprError):
    """What was asked for is understood, but says too little, or something that cannot be."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The request says too little"


class Conflict(AlprError):
    status = HTTPStatus.CONFLICT
    title = "That cannot be done in the present state"


class Outage(AlprError):
    """Something this service depends on is away; the caller may try again, nothing was lost."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "A server that this needs is away"
    retry_after_seconds = 2


class MalformedMessage(AlprError):
    """A message that can never be handled: it goes to its dead-letter topic with this reason."""

    title = "The message is malformed"


class DeadLetterCapReached(AlprError):
    """So many messages in a row were malformed that the fault is likelier ours: stop, lose none."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many malformed messages"
