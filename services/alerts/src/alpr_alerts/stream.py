"""Alerts as they change, to everybody of an agency who listens (server-sent events).

The table is the buffer: each stream remembers only the number of the last change that it sent and
reads the next few when it can send again, so a slow reader costs no memory here and cannot hold up
others. PostgreSQL's NOTIFY wakes the streams of every replica; a look every few seconds covers a
notification that was lost with its connection. A change tells the alert *as it is when it is sent*:
whoever resumes after an hour is not alarmed by what somebody else has long rejected.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Never

import structlog

from alpr_alerts import metrics, store
from alpr_alerts.domain import Alert
from alpr_alerts.refusals import TooManyStreams
from alpr_alerts.view import AlertView, view
from alpr_common.auth import Gate, Principal
from alpr_common.errors import Outage
from alpr_common.policy import Policies
from alpr_common.postgres import Database

log = structlog.get_logger()

_PAGE = 50


@dataclass
class Wakeups:
    """Wakes the streams of an agency when something of theirs changed, in any replica."""

    database: Database
    most: int
    check_seconds: float
    is_listening: bool = False
    _sleepers: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    @contextmanager
    def subscribed(self, agency_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when there may be news of the agency."""
        event = asyncio.Event()
        sleepers = self._sleepers.setdefault(agency_id, set())
        sleepers.add(event)
        metrics.STREAMS.inc()
        try:
            yield event
        finally:
            metrics.STREAMS.dec()
            sleepers.discard(event)
            if not sleepers and self._sleepers.get(agency_id) is sleepers:
                del self._sleepers[agency_id]

    def require_room(self) -> None:
        """Raise `TooManyStreams` when this process serves as many as it may."""
        if sum(map(len, self._sleepers.values())) >= self.most:
            raise TooManyStreams("Try again shortly, or at another replica.")

    async def run(self) -> Never:
        """Listen until cancelled; outages are waited out."""
        while True:
            try:
                async with self.database.listening(store.WAKE_CHANNEL) as notified:
                    self.is_listening = True
                    while True:
                        # What was notified before we listened, or on a connection that broke, is
                        # lost: everybody looks, and now and then once more.
                        self._wake_all()
                        with suppress(TimeoutError):
                            async with asyncio.timeout(self.check_seconds):
                                while True:
                                    self._wake(await notified.get())
            except Outage as error:
                self.is_listening = False
                log.warning("stream.outage", error=str(error))
                await asyncio.sleep(0.5)

    def _wake(self, agency_id: str) -> None:
        for event in self._sleepers.get(agency_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for agency_id in self._sleepers:
            self._wake(agency_id)


async def follow(
    database: Database,
    policies: Policies,
    wakeups: Wakeups,
    gate: Gate,
    principal: Principal,
    after: int,
    clock: Callable[[], datetime],
) -> AsyncGenerator[tuple[int, AlertView]]:
    """The agency's changes after that position, for as long as the caller may see them.

    Ends when the token expires or is withdrawn, or a training lapses. An outage of PostgreSQL only
    delays.
    """
    with wakeups.subscribed(principal.agency_id) as news:
        while _may_go_on(principal, gate, clock()):
            news.clear()
            page = await _next_page(database, principal.agency_id, after)
            for position, alert in page or []:
                if not _may_go_on(principal, gate, clock()):
                    return
                yield position, view(alert, policies.of(principal.agency_id))
                after = position
            if page is None or len(page) < _PAGE:
                await _sleep(news, principal, clock())


async def _next_page(
    database: Database, agency_id: str, after: int
) -> list[tuple[int, Alert]] | None:
    """The next changes; None when PostgreSQL is away."""
    try:
        async with database.transaction(agency_id) as connection:
            return await store.stream_events(connection, agency_id, after, _PAGE)
    except Outage as error:
        log.warning("stream.outage", error=str(error))
        return None


async def _sleep(news: asyncio.Event, principal: Principal, now: datetime) -> None:
    """Until there may be news or the token expires."""
    left = None if principal.expires_at is None else (principal.expires_at - now).total_seconds()
    with suppress(TimeoutError):
        async with asyncio.timeout(left):
            await news.wait()


def _may_go_on(principal: Principal, gate: Gate, now: datetime) -> bool:
    if principal.expires_at is not None and now >= principal.expires_at:
        return False
    return gate.still_holds(principal, now.date())
