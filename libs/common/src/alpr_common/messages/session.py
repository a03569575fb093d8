"""What identity says about tokens that still verify and must not be accepted any more."""

from typing import Literal

from pydantic import Field

from alpr_common.messages.base import Instant, Message


class TokensRefused(Message):
    """A session ended, or what a person may do was narrowed, on `alpr.sessions.v1`."""

    subject_id: str = Field(description="id of the session or of the person")
    kind: Literal["session", "person"]
    agency_id: str
    below_version: int | None = Field(
        default=None,
        ge=1,
        description="of a person: tokens with a lower rights version are refused; None: all",
    )
    because: str
    refused_at: Instant
