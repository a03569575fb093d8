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

log = structlog.get_logger()

_ENTRIES_AT_ONCE = 1000
_PATTERNS_AT_ONCE = 50
_AFTER_OUTAGE_SECONDS = 5.0
COMPARED = Counter("alpr_retro_entries_total", "Entries compared with stored reads")
RETRO_HITS = Counter("alpr_retro_hits_total", "Retrospective hits", ["category"])


class RetroMatch:
    """Compares waiting entries, oldest first; one replica at a time."""

    def __init__(self, lists: HotLists, reads: StoredReads, settle_seconds: float) -> None:
        self._lists, self._reads = lists, reads
        self._settle = timedelta(seconds=settle_seconds)

    async def run(self, every_seconds: float) -> None:
        """For ever; an outage of either side is waited out, and no entry forgotten."""
        while True:
            try:
                while await self.compare_some(datetime.now(UTC)):
                    pass
                await asyncio.sleep(every_seconds)
            except Outage as error:
                log.warning("retro.outage", error=str(error))
                await asyncio.sleep(_AFTER_OUTAGE_SECONDS)

    async def compare_some(self, now: datetime) -> int:
        """Compare the entries that wait longest; how many. The hits are queued, and the entries
        wait no more, in one transaction. Raises `Outage`; then all of them still wait."""
        database = self._lists.database
        async with database.transaction() as connection:
            if not await lists_store.is_only_one(connection, "retro-match"):
                return 0
            waiting = await retro_store.waiting(
                connection, now, now - self._settle, _ENTRIES_AT_ONCE
            )
            if not waiting:
                return 0
            entries = [entry for _, _, entry in waiting if entry is not None]
            hits = [hit for agency_id, some in self._asked(entries) for hit in
                    await self._hits(agency_id, some, now)]  # fmt: skip
            await retro_store.no_more_waiting(connection, [(i, v) for i, v, _ in waiting])
            await outbox.put_many(
                connection, HITS, [(hit.read.match_key, hit.to_bytes()) for hit in hits]
            )
        COMPARED.inc(len(entries))
        for hit in hits:
            RETRO_HITS.labels(hit.entry.category).inc()
        if hits:
            log.info("retro.hits", entries=len(entries), hits=len(hits))
        return len(waiting)

    def _asked(self, entries: Sequence[HotListEntry]) -> Iterable[tuple[str, list[HotListEntry]]]:
        """What is asked of whose reads: patterns few at a time, they cost more."""
        by_agency: dict[str, list[HotListEntry]] = defaultdict(list)
        for entry in entries:
            for agency_id in self._reads.agency_ids.intersection(entry.serves_agency_ids):
                by_agency[agency_id].append(entry)
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
