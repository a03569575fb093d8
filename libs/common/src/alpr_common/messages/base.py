"""What all messages have in common: frozen, tolerant of unknown fields, deterministic ids."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, BaseModel, ConfigDict

# The namespace of every deterministic id. Never change it: a redelivered frame would become a
# second read, a second hit and a second alert.
_NAMESPACE = UUID("5f1c6d0e-3f0b-5c57-9d3a-6a9f1b0c1d01")


def deterministic_id(kind: str, *parts: object) -> UUID:
    """The id that the same `parts` always give, so that a redelivery cannot make a second one.

    `kind` is the message's word (`read`, `hit`, …) and keeps ids of different kinds apart.
    """
    return uuid5(_NAMESPACE, "|".join([kind, *map(_stable, parts)]))


def _stable(part: object) -> str:
    if isinstance(part, datetime):
        return part.astimezone(UTC).isoformat(timespec="microseconds")
    return str(part)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, for example 2026-05-04T10:00:00Z")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999 with an offset; not a ValueError by itself
        raise ValueError("the time is out of range") from error


Instant = Annotated[datetime, AfterValidator(_utc)]
"""An aware time, kept in UTC."""


class Message(BaseModel):
    """Base of all messages. Values are JSON (UTF-8)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_bytes(self) -> bytes:
        """This message as a Kafka value."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """The message in a Kafka value; raises `pydantic.ValidationError` when it is malformed."""
        return cls.model_validate_json(value)
