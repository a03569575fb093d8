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
from alpr_console.domain import Alert, announcement
from alpr_console.sessions import Session
from alpr_console.upstream import Problem, Refused, Upstream

log = structlog.get_logger()

RenderRow = Callable[[Alert], str]

# The alert service sends heartbeat comments well within this.
_SILENCE_MAX_SECONDS = 45.0


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
                yield ServerSentEvent(event="heartbeat")
            case "event":
                event.event = value
            case "data":
                event.data.append(value)
            case "id":
                event.last_id = value


class Relay:
    """Relays one person's stream.

    Events: `ready` (the alert service listens to us: time to look at the list once), `alert`,
    `heartbeat`, `trouble` (a problem in words; the stream then ends). `EventSource` sees neither
    statuses nor bodies of refusals, which is why they travel in the stream.
    """

    def __init__(self, upstream: Upstream, render_row: RenderRow, heartbeat_seconds: float):
        self._upstream = upstream
        self._render_row = render_row
        self._heartbeat_seconds = heartbeat_seconds

    async def events(self, session: Session, last_event_id: str | None) -> AsyncIterator[bytes]:
        try:
            async with self._upstream.stream(
                "alerts", "/v1/alerts/stream", session.access_token, last_event_id
            ) as response:
                yield ServerSentEvent("ready", ["{}"]).encode()
                async for event in self._with_heartbeats(response):
                    yield event.encode()
        except Refused as error:
            yield _trouble(error.problem).encode()
        except httpx.HTTPError as error:
            log.info("stream.broken", error=repr(error))

    async def _with_heartbeats(self, response: httpx.Response) -> AsyncIterator[ServerSentEvent]:
        """The alert events, and a heartbeat whenever there was none for a while.

        Ends when the alert service has not even sent its own heartbeat: a page must not go on
        saying "live" because this relay lives.
        """
        events = aiter(parse_events(response.aiter_lines()))
        pending: asyncio.Task[ServerSentEvent | None] | None = None
        silent_seconds = 0.0
        try:
            while silent_seconds < _SILENCE_MAX_SECONDS:
                pending = pending or asyncio.create_task(_next(events))
                done, _ = await asyncio.wait({pending}, timeout=self._heartbeat_seconds)
                if not done:
                    silent_seconds += self._heartbeat_seconds
                    yield ServerSentEvent("heartbeat", ["{}"])
                    continue
                event, pending, silent_seconds = pending.result(), None, 0.0
                if event is None:
                    return
                if event.event == "heartbeat":
                    yield ServerSentEvent("heartbeat", ["{}"])
                elif event.event == "alert" and (shown := self._shown(event)) is not None:
                    yield shown
        finally:
            if pending is not None:
                pending.cancel()
                with suppress(asyncio.CancelledError, httpx.HTTPError):
                    await pending

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


async def _next(events: AsyncIterator[ServerSentEvent]) -> ServerSentEvent | None:
    """The next event; None at the end (a task cannot carry StopAsyncIteration)."""
    return await anext(events, None)


def _trouble(problem: Problem) -> ServerSentEvent:
    content = {"title": problem.title, "detail": problem.detail, "status": problem.status}
    return ServerSentEvent("trouble", [json.dumps(content)])
