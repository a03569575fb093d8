"""Server-sent events (the WHATWG format), as far as the alert stream uses them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerSent:
    """One message of a stream."""

    kind: str
    data: str
    stream_id: str


async def server_sent(lines: AsyncIterator[str], stream_id: str = "") -> AsyncIterator[ServerSent]:
    """The messages in a stream's lines. `stream_id` is the one that was resumed from; it stays
    until a message brings another. Comments (heartbeats) are passed over."""
    kind, data = "", list[str]()
    async for line in lines:
        if not line:
            if data:
                yield ServerSent(kind or "message", "\n".join(data), stream_id)
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            stream_id = value
