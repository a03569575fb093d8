"""Retro-match: a new or changed entry meets the reads that were stored before it.

The same rules as for reads that come now, but for one: the entry counts as if it had been there
then. The hits are marked `retrospective`, and have the ids that live ones have, so that a read
that was hit already makes no second hit.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from alpr_common import outbox
from alpr_common.errors import Outage
from alpr_common.messages.hit import Hit
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read
from alpr_common.policy import Policy
from alpr_common.topics import HITS
from alpr_matcher import lists_store, retro_store
from alpr_matcher.domain import match_read
from alpr_matcher.handlers import HotLists
from alpr_matcher.patterns import is_pattern
from alpr_matcher.retro_reads import StoredReads
from alpr_matcher.retro_store import WaitingEntry

log = structlog.get_logger()

_ENTRIES_AT_ONCE = 1000
_PATTERNS_AT_ONCE = 50
_AFTER_OUTAGE = timedelta(seconds=5)
_FAILURES_MOST = 2
COMPARED = Counter("alpr_retro_entries_total", "Entries compared with stored reads")
RETRO_HITS = Counter("alpr_retro_hits_total", "Retrospective hits", ["category"])


class RetroMatch:
    """Compares waiting entries, oldest first; one replica at a time.

    Each agency's reads are asked as its own account. One that cannot be asked keeps its own
    comparisons waiting, and nobody else's.
    """

    def __init__(self, lists: HotLists, reads: StoredReads, settle_seconds: float) -> None:
        self._lists, self._reads = lists, reads
        self._settle = timedelta(seconds=settle_seconds)
        self._not_before: dict[str, datetime] = {}

    async def run(self, every_seconds: float) -> None:
        """For ever; an outage of either side is waited out, and no entry forgotten."""
        while True:
            try:
                while await self.compare_some(datetime.now(UTC)):
                    pass
                await asyncio.sleep(every_seconds)
            except Outage as error:
                log.warning("retro.outage", error=str(error))
                await asyncio.sleep(_AFTER_OUTAGE.total_seconds())

    async def compare_some(self, now: datetime) -> int:
        """Compare the entries that wait longest; how many of them wait no more. The hits are
        queued, and what was compared is noted, in one transaction. Raises `Outage`; then all of
        them wait as before."""
        known = self._reads.agency_ids
        async with self._lists.database.transaction() as connection:
            if not await lists_store.is_only_one(connection, "retro-match"):
                return 0
            waiting = await retro_store.waiting(
                connection, now, now - self._settle, known, self._can_be_asked(now),
                _ENTRIES_AT_ONCE,
            )  # fmt: skip
            if not waiting:
                return 0
            hits, answered = await self._compared(waiting, now)
            after = [(one, one.answered | answered & _served(one)) for one in waiting]
            done = [one for one, by in after if known & _served(one) <= by]
            await retro_store.no_more_waiting(connection, done)
            await retro_store.note_answered(
                connection, [(one, by) for one, by in after if not known & _served(one) <= by]
            )
            await outbox.put_many(
                connection, HITS, [(hit.read.match_key, hit.to_bytes()) for hit in hits]
            )
        COMPARED.inc(sum(one.entry is not None for one in done))
        for hit in hits:
            RETRO_HITS.labels(hit.entry.category).inc()
        if hits:
            log.info("retro.hits", entries=len(waiting), hits=len(hits))
        return len(done)

    def _can_be_asked(self, now: datetime) -> frozenset[str]:
        away = {agency_id for agency_id, until in self._not_before.items() if now < until}
        return self._reads.agency_ids - away

    async def _compared(
        self, waiting: Sequence[WaitingEntry], now: datetime
    ) -> tuple[list[Hit], frozenset[str]]:
        """The hits, and the agencies all of whose reads were asked."""
        asked, failed = self._can_be_asked(now), 0
        hits: list[Hit] = []
        for agency_id, entries in self._questions(waiting, asked):
            if now < self._not_before.get(agency_id, now):
                continue
            if failed >= _FAILURES_MOST:  # it is likelier the door's fault than theirs
                self._not_before[agency_id] = now + _AFTER_OUTAGE
                continue
            try:
                hits += await self._hits(agency_id, entries, now)
            except Outage as error:
                failed += 1
                self._not_before[agency_id] = now + _AFTER_OUTAGE
                log.warning("retro.outage", agency_id=agency_id, error=str(error))
        return hits, asked & self._can_be_asked(now)

    def _questions(
        self, waiting: Sequence[WaitingEntry], asked: frozenset[str]
    ) -> Iterable[tuple[str, list[HotListEntry]]]:
        """What is asked of whose reads: patterns few at a time, they cost more."""
        by_agency: dict[str, list[HotListEntry]] = defaultdict(list)
        for one in waiting:
            for agency_id in sorted((asked & _served(one)) - one.answered):
                assert one.entry is not None
                by_agency[agency_id].append(one.entry)
        for agency_id, served in by_agency.items():
            wild = [entry for entry in served if is_pattern(entry.plate)]
            if plain := [entry for entry in served if not is_pattern(entry.plate)]:
                yield agency_id, plain
            for first in range(0, len(wild), _PATTERNS_AT_ONCE):
                yield agency_id, wild[first : first + _PATTERNS_AT_ONCE]

    async def _hits(
        self, agency_id: str, entries: Sequence[HotListEntry], now: datetime
    ) -> list[Hit]:
        policy = self._lists.policy
        since = now - timedelta(hours=policy.retro_match_hours)
        keys = sorted({e.match_key for e in entries if not is_pattern(e.plate)})
        patterns = sorted({e.match_key for e in entries if is_pattern(e.plate)})
        hits: dict[UUID, Hit] = {}
        async for read in self._reads.of(agency_id, keys, patterns, since, now):
            for hit in retro_hits(read, entries, policy, now):
                hits[hit.hit_id] = hit
        return list(hits.values())


def _served(one: WaitingEntry) -> frozenset[str]:
    return frozenset(one.entry.serves_agency_ids if one.entry is not None else ())


def retro_hits(
    read: Read, entries: Iterable[HotListEntry], policy: Policy, now: datetime
) -> list[Hit]:
    """The hits of a stored read with entries that came, or came to hold, after it."""
    as_is = {entry.entry_id: entry for entry in entries}
    # As if it had been there then; the hit carries the entry as it is.
    then = [
        entry.model_copy(update={"effective_at": min(entry.effective_at, read.captured_at)})
        for entry in as_is.values()
    ]
    return [
        hit.model_copy(update={"retrospective": True, "entry": as_is[hit.entry.entry_id]})
        for hit in match_read(read, then, policy, now)
    ]
