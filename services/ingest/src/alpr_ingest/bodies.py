"""Reading a picture's bytes from the network, and never more than the limit."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from alpr_ingest.refusals import (
    BodyTooSlow,
    FrameTooLarge,
    PictureTruncated,
    TooManyFramesAtOnce,
)

_LINGER_SECONDS = 1.0
_LINGER_BYTES = 16 * 1024 * 1024


async def read_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """The request's body. Reading stops at the limit, with or without a Content-Length.

    Raises `FrameTooLarge`, `BodyTooSlow`, or `PictureTruncated` when the camera went away.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_seconds):
            async for chunk in request.stream():
                if len(body) + len(chunk) > max_bytes:
                    raise _too_large(max_bytes)
                body += chunk
    except TimeoutError as error:
        raise BodyTooSlow(
            f"{len(body)} bytes arrived within {timeout_seconds:g} s. Send the frame again.",
            limit_seconds=timeout_seconds,
        ) from error
    except ClientDisconnect as error:
        raise PictureTruncated(
            f"The connection ended after {len(body)} bytes. Send the frame again."
        ) from error
    return bytes(body)


def _too_large(max_bytes: int) -> FrameTooLarge:
    return FrameTooLarge(
        f"A picture may have {max_bytes} bytes. Compress it more, or send fewer pixels.",
        limit_bytes=max_bytes,
    )


class AnswerThenClose(Response):
    """Answers while the body is still coming, then ends the connection.

    Closing at once would throw the answer away at the other end (TCP resets a connection that is
    closed with data unread), so a little more is read, and dropped: bounded in bytes and time.
    """

    def __init__(self, answer: Response) -> None:
        super().__init__(bytes(answer.body), answer.status_code, dict(answer.headers))
        self.headers["Connection"] = "close"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        status, headers = self.status_code, self.raw_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    dropped = 0
    while dropped < _LINGER_BYTES:
        message = await receive()
        dropped += len(message.get("body", b""))
        if not message.get("more_body", False):  # the end, or the other end is gone
            return


class InFlight:
    """How many frames are in memory at once, and no more."""

    def __init__(self, most: int) -> None:
        self._most, self._now = most, 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises `TooManyFramesAtOnce`."""
        if self._now >= self._most:
            raise TooManyFramesAtOnce(f"{self._now} frames are on their way. Send it again.")
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1
