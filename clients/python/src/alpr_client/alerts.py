"""Alerts: list, follow, and take the steps that 131.6 asks for."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal
from uuid import UUID

from alpr_client.errors import UnavailableError
from alpr_client.models import Alert, AlertDetail, AlertRecord, AlertUpdate, Page
from alpr_client.streams import server_sent
from alpr_client.transport import Transport, answer_as, every

# The server sends a heartbeat more often than this: longer silence is a dead connection.
_SILENCE_SECONDS = 60.0
_MOST_PAUSE_SECONDS = 15.0


class Alerts:
    """`client.alerts`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        state: str | None = None,
        open_only: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[Alert]:
        """The agency's alerts, newest first; `open_only` leaves out those that have ended."""
        wanted = {
            "state": state,
            "open": None if open_only is None else str(open_only).lower(),
            "cursor": cursor,
            "limit": limit,
        }
        return await self._transport.model(
            Page[Alert], "alerts", "GET", "/v1/alerts", params=wanted
        )

    def every(
        self, *, state: str | None = None, open_only: bool | None = None
    ) -> AsyncIterator[Alert]:
        """As `list`, page by page to the last."""
        return every(
            lambda cursor: self.list(state=state, open_only=open_only, cursor=cursor, limit=200)
        )

    async def get(self, alert_id: UUID | str) -> AlertDetail:
        """With all of its hits, and who did what about it."""
        return await self._transport.model(AlertDetail, "alerts", "GET", f"/v1/alerts/{alert_id}")

    async def record(self, alert_id: UUID | str) -> AlertRecord:
        """Who did what and when, without plate and place, also after the reads are gone."""
        path = f"/v1/alerts/{alert_id}/record"
        return await self._transport.model(AlertRecord, "alerts", "GET", path)

    async def picture(
        self,
        alert_id: UUID | str,
        which: Literal["frame", "plate"],
        *,
        hit_id: UUID | str | None = None,
    ) -> bytes:
        """A JPEG, of the first hit unless another is named. That it was seen is recorded; do not
        keep it (131.7-1b)."""
        path = f"/v1/alerts/{alert_id}/pictures/{which}"
        wanted = {"hit_id": str(hit_id)} if hit_id else {}
        return (await self._transport.call("alerts", "GET", path, params=wanted)).content

    async def stream(self, *, after: str | int | None = None) -> AsyncIterator[AlertUpdate]:
        """Every change of an alert as it happens, without end.

        `after` is the `stream_id` of the last update that was handled, from an earlier run too,
        or a page's `stream_position`: nothing since then is missed. Outages are waited out;
        raises `RefusedError` alone (session ended, training lapsed).
        """
        position = None if after is None else str(after)
        pause = 0.5
        while True:
            try:
                async for update in self._stream_once(position):
                    position, pause = update.stream_id, 0.5
                    yield update
            except UnavailableError as error:
                wait = error.retry_after_seconds or pause * (0.5 + random.random())  # noqa: S311
                await asyncio.sleep(wait)
                pause = min(2 * pause, _MOST_PAUSE_SECONDS)
            else:  # the server ends the stream when the token does
                await asyncio.sleep(0.1)

    async def _stream_once(self, after: str | None) -> AsyncIterator[AlertUpdate]:
        headers = {"Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = after
        async with self._transport.stream(
            "alerts", "/v1/alerts/stream", headers, _SILENCE_SECONDS
        ) as response:
            async for sent in server_sent(response.aiter_lines(), after or ""):
                if sent.kind == "alert":
                    alert = answer_as(Alert, _decoded(sent.data), "alerts streams an alert")
                    yield AlertUpdate(alert=alert, stream_id=sent.stream_id)

    async def accept(
        self,
        alert_id: UUID | str,
        *,
        characters_match: bool,
        state_matches: bool,
        confirmed_jurisdiction: str | None = None,
        checked_positions: Iterable[int] = (),
        expected_sequence: int | None = None,
    ) -> Alert:
        """Somebody compared characters *and* state by eye, and they agree (131.6-4a).

        `confirmed_jurisdiction`: the state that they saw, where the system could not tell.
        `checked_positions`: for a look-alike, each of the alert's `differing_positions` (from 0).
        """
        return await self._step(
            alert_id,
            "accept",
            characters_match=characters_match,
            state_matches=state_matches,
            confirmed_jurisdiction=confirmed_jurisdiction,
            checked_positions=sorted(checked_positions),
            expected_sequence=expected_sequence,
        )

    async def reject(
        self,
        alert_id: UUID | str,
        reason: str,
        *,
        note: str | None = None,
        expected_sequence: int | None = None,
    ) -> Alert:
        """`reason`: misread, wrong_state, not_the_vehicle, entry_outdated, duplicate, other."""
        return await self._step(
            alert_id, "reject", reason=reason, note=note, expected_sequence=expected_sequence
        )

    async def status(
        self,
        alert_id: UUID | str,
        answer: Literal["confirmed", "not_confirmed", "unavailable"],
        source: Literal["communications", "leads"],
        *,
        reference: str | None = None,
        expected_sequence: int | None = None,
    ) -> Alert:
        """What Communications or LEADS answered about the entry (131.6-4b)."""
        return await self._step(
            alert_id,
            "status",
            answer=answer,
            source=source,
            reference=reference,
            expected_sequence=expected_sequence,
        )

    async def enforce(
        self,
        alert_id: UUID | str,
        incident_number: str,
        *,
        note: str | None = None,
        expected_sequence: int | None = None,
    ) -> Alert:
        """What was done is in the incident report or event of that number (131.6-6)."""
        return await self._step(
            alert_id,
            "enforce",
            incident_number=incident_number,
            note=note,
            expected_sequence=expected_sequence,
        )

    async def close(
        self, alert_id: UUID | str, reason: str, *, expected_sequence: int | None = None
    ) -> Alert:
        return await self._step(
            alert_id, "close", reason=reason, expected_sequence=expected_sequence
        )

    async def hand_off(
        self,
        alert_id: UUID | str,
        *,
        note: str | None = None,
        expected_sequence: int | None = None,
    ) -> Alert:
        """To Communications (131.6-8d)."""
        return await self._step(
            alert_id, "hand-off", note=note, expected_sequence=expected_sequence
        )

    async def _step(self, alert_id: UUID | str, step: str, **said: Any) -> Alert:
        path = f"/v1/alerts/{alert_id}/{step}"
        return await self._transport.model(Alert, "alerts", "POST", path, json=said)


def _decoded(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None  # which is no alert either
