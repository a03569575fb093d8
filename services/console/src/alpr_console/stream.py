"""The live stream: what the alert service says, as events that the page can put on the board."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from pydantic import ValidationError

from alpr_common.messages.alert import AlertState
from alpr_console.domain.alert import Alert, announcement
from alpr_console.session import Session, SignInNeeded
from alpr_console.upstream import Problem, Refused

log = structlog.get_logger()

RenderRow = Callable[[Alert], str]

# The alert service sends heartbeat comments well within this.
_SILENCE_MAX_SECONDS = 45.0
_OPENS_SECONDS = 15.0
# A browser that reads slowly holds up its own stream and nobody's memory.
_AHEAD = 32


@dataclass
class ServerSentEvent:
    """One event of a stream, as the WHATWG's HTML standard defines them."""

    event: str = "message"
    data: list[str] = field(default_factory=list)
    last_id: str | None = None

    def encode(self) -> bytes:
        lines = [f"id: {self.last_id}"] if self.last_id is not None else []
        lines.append(f"event: {self.event}")
        lines.extend(f"data: {line}" for part in self.data or [""] for line in part.split("\n"))
        return ("\n".join(lines) + "\n\n").encode()


_HEARTBEAT = ServerSentEvent("heartbeat", ["{}"])
Heard = asyncio.Queue[ServerSentEvent | None]
"""What came from the alert service and was not sent on yet; None is the end."""


async def parse_events(lines: AsyncIterator[str]) -> AsyncIterator[ServerSentEvent]:
    """The events of a stream's lines; comments (heartbeats) come as events without data."""
    event = ServerSentEvent()
    async for line in lines:
        if not line:
            if event.data:
                yield event
            event = ServerSentEvent()
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                yield _HEARTBEAT
            case "event":
                event.event = value
            case "data":
                event.data.append(value)
            case "id":
                event.last_id = value


@dataclass(frozen=True)
class Listening:
    """A stream that was opened: what comes from it, and the task that reads it."""

    heard: Heard
    reader: "asyncio.Task[None]"


async def _tell(heard: Heard, event: ServerSentEvent | None) -> None:
    """Raises TimeoutError when nobody takes anything any more: the browser left before its answer
    began, and nothing else would end the reading."""
    async with asyncio.timeout(_SILENCE_MAX_SECONDS):
        await heard.put(event)


class Relay:
    """Relays one person's stream.

    Events: `ready` (the alert service listens to us), `alert`, `heartbeat`, `trouble` (a problem
    in words; the stream then ends). `EventSource` sees neither statuses nor bodies of refusals,
    which is why they travel in the stream.
    """

    def __init__(self, render_row: RenderRow, heartbeat_seconds: float) -> None:
        self._render_row = render_row
        self._heartbeat_seconds = heartbeat_seconds
        self._readers: set[asyncio.Task[None]] = set()

    async def listen(self, session: Session, last_event_id: str | None) -> "Listening":
        """Open the alert service's stream, or have its refusal to tell.

        Before the answer begins: a token that has to be renewed for it comes back to the browser
        as a cookie, which only the head of an answer can carry.
        """
        heard: Heard = asyncio.Queue(_AHEAD)
        opened = asyncio.Event()
        # A task of its own: when the browser leaves, the response's scope cancels everything in
        # it again and again, and the connection to the alert service would not get to close.
        reader = asyncio.create_task(self._read(session, last_event_id, heard, opened))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        with suppress(TimeoutError):
            async with asyncio.timeout(_OPENS_SECONDS):
                await opened.wait()
        return Listening(heard, reader)

    async def events(self, listening: "Listening") -> AsyncIterator[bytes]:
        """The stream's bytes, until either side ends it.

        It also ends when the alert service has not even sent its own heartbeat for a while: a
        page must not go on saying "live" because this relay lives.
        """
        silent_seconds = 0.0
        try:
            while silent_seconds < _SILENCE_MAX_SECONDS:
                try:
                    async with asyncio.timeout(self._heartbeat_seconds):
                        event = await listening.heard.get()
                except TimeoutError:
                    silent_seconds += self._heartbeat_seconds
                    yield _HEARTBEAT.encode()
                    continue
                if event is None:
                    return
                silent_seconds = 0.0
                yield event.encode()
        finally:
            listening.reader.cancel()

    async def _read(
        self, session: Session, last_event_id: str | None, heard: Heard, opened: asyncio.Event
    ) -> None:
        try:
            async with session.stream("alerts", "/v1/alerts/stream", last_event_id) as response:
                opened.set()
                await _tell(heard, ServerSentEvent("ready", ["{}"]))
                async for event in parse_events(response.aiter_lines()):
                    if event.event == "heartbeat":
                        await _tell(heard, _HEARTBEAT)
                    elif event.event == "alert" and (shown := self._shown(event)) is not None:
                        await _tell(heard, shown)
        except Refused as error:
            await _tell(heard, _trouble(error.problem))
        except SignInNeeded as error:
            problem = Problem(title=error.title, status=int(error.status), detail=error.detail)
            await _tell(heard, _trouble(problem))
        except (httpx.HTTPError, TimeoutError) as error:
            log.info("stream.broken", error=repr(error))
        opened.set()
        with suppress(TimeoutError):
            await _tell(heard, None)

    def _shown(self, event: ServerSentEvent) -> ServerSentEvent | None:
        try:
            alert = Alert.model_validate_json("\n".join(event.data))
        except ValidationError as error:
            # The list still shows it after the next look; one alert must not end the stream.
            log.error("stream.alert.malformed", error=str(error))
            return None
        content: dict[str, Any] = {
            "alert_id": str(alert.alert_id),
            "sequence": alert.sequence,
            "sound": str(alert.sound) if alert.state is AlertState.NEW else "silent",
            "announcement": announcement(alert),
            "urgent": alert.priority <= 2,
            "row": self._render_row(alert),
        }
        return ServerSentEvent("alert", [json.dumps(content)], event.last_id)


def _trouble(problem: Problem) -> ServerSentEvent:
    content = {"title": problem.title, "detail": problem.detail, "status": problem.status}
    return ServerSentEvent("trouble", [json.dumps(content)])
