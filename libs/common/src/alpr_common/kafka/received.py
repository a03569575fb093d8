"""A message as it came from Kafka, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from opentelemetry.context import Context

from alpr_common.errors import MalformedMessage
from alpr_common.telemetry import trace_context

MAX_REQUEST_BYTES = 5 * 1024 * 1024
"""The largest message: a frame of 4 MiB with its headers."""


@dataclass(frozen=True)
class Received:
    """One message as it came from Kafka. `context` is the trace that it belongs to."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int

    @property
    def content(self) -> bytes:
        """The value of a message that must have one; raises `MalformedMessage`."""
        if not self.value:
            raise MalformedMessage("The message is empty.")
        return self.value

    @property
    def context(self) -> Context:
        return trace_context(self.headers)


T = TypeVar("T")


@dataclass(frozen=True)
class Decoded(Generic[T]):
    """A message and what it says."""

    message: T
    received: Received


def received_from(message: Any) -> Received:
    """What an aiokafka `ConsumerRecord` holds."""
    return Received(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=dict(message.headers),
        timestamp_ms=message.timestamp,
    )
