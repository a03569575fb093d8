"""Retro-match: a new or changed entry meets the reads that were stored before it.

The same rules as for reads that come now, but for one: the entry counts as if it had been there
then. The hits are marked `retrospective`, and have the ids that live ones have, so that a read
that was hit already makes no second hit.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
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
from alpr_matcher.retro_store import WaitingEntry, WaitsOn
from alpr_matcher.turns import Turns

log = structlog.get_logger()

_ENTRIES_AT_ONCE = 1000
_PATTERNS_AT_ONCE = 50
_AFTER_OUTAGE_SECONDS = 5.0
_FAILURES_MOST = 2
COMPARED = Counter("alpr_retro_entries_total", "Entries compared with stored reads")
TOO_LATE = Counter(
    "alpr_retro_too_late_total", "Entries that waited for an agency until their window was over"
)
RETRO_HITS = Counter("alpr_retro_hits_total", "Retrospective hits", ["category"])

Clock = Callable[[], datetime]


class RetroMatch:
    """Compares waiting entries, oldest first; one replica at a time.

    Each agency's reads are asked as its own account. One that cannot be asked keeps its own
    comparisons waiting, and nobody else's.
    """

    def __init__(
        self, lists: HotLists, reads: StoredReads, settle_seconds: float,
        clock: Clock = partial(datetime.now, UTC),
    ) -> None:  # fmt: skip
        self._lists, self._reads, self._clock = lists, reads, clock
        self._settle = timedelta(seconds=settle_seconds)
        self._turns = Turns()

    async def run(self, every_seconds: float) -> None:
        """For ever; an outage of either side is waited out, and no entry forgotten."""
        while True:
            try:
                while await self.compare_some():
                    pass
                await asyncio.sleep(every_seconds)
            except Outage as error:
                log.warning("retro.outage", error=str(error))
                await asyncio.sleep(_AFTER_OUTAGE_SECONDS)

    async def compare_some(self) -> int:
        """Compare the entries that wait longest; how many of them wait no more, or were put off for
        the first time. The hits are queued, and what was compared is noted, in one transaction.
        Raises `Outage`; then all of them wait as before."""
        now = self._clock()
        async with self._lists.database.transaction() as connection:
            if not await lists_store.is_only_one(connection, "retro-match"):
                return 0
            waiting = await retro_store.in_turn(
                connection, now, now - self._settle, _ENTRIES_AT_ONCE
            )
            if not waiting:
                return 0
            hits, answered = await self._compared(waiting, now)
            sorted_out = self._sorted_out(waiting, answered)
            await retro_store.no_more_waiting(connection, sorted_out.done + sorted_out.too_late)
            await retro_store.wait_on(connection, sorted_out.later)
            await outbox.put_many(
                connection, HITS, [(hit.read.match_key, hit.to_bytes()) for hit in hits]
            )
        _count(sorted_out, hits)
        # Those that are put off again and again may be many, and nobody waits behind them.
        first = sum(it.put_off_until is not None and not it.one.put_off for it in sorted_out.later)
        return len(sorted_out.done) + len(sorted_out.too_late) + first

    async def _compared(
        self, waiting: Sequence[WaitingEntry], now: datetime
    ) -> tuple[list[Hit], frozenset[str]]:
        """The hits, and the agencies all of whose reads were asked."""
        may = {one for one in self._reads.agency_ids if self._turns.not_before(one, now) <= now}
        questions = _questions(waiting, may)
        hits: list[Hit] = []
        answered, failures = set[str](), 0
        for agency_id in self._turns.in_turn(questions):
            if failures >= _FAILURES_MOST:
                # It is likelier the door's fault than theirs, and each may take long to fail:
                # the rest are asked next time, before those that failed.
                break
            self._turns.asked(agency_id, self._clock())
            try:
                for entries in _at_once(questions[agency_id]):
                    hits += await self._hits(agency_id, entries, now)
            except Outage as error:
                failures += 1
                until = self._turns.failed(agency_id, self._clock())
                log.warning(
                    "retro.outage", agency_id=agency_id, error=str(error), until=until.isoformat()
                )
            else:
                self._turns.answered(agency_id)
                answered.add(agency_id)
        return hits, frozenset(answered)

    def _sorted_out(
        self, waiting: Sequence[WaitingEntry], answered: frozenset[str]
    ) -> "_SortedOut":
        now = self._clock()
        # By then all reads of the window that the entry's change had are too old to be asked, and
        # those that are not were captured after the change and have met the entry as live ones:
        # what is still asked could find nothing that is missing. Before that, an entry that waits
        # meets less of its window with every hour: what the policy says may be looked back upon is
        # counted from now, also where an agency was away.
        window_over = now - timedelta(hours=self._lists.policy.retro_match_hours) - self._settle
        found = _SortedOut([], [], [])
        for one in waiting:
            by = one.answered | answered & _served(one)
            rest = self._reads.agency_ids & _served(one) - by
            next_at = min((self._turns.not_before(each, now) for each in rest), default=now)
            if not rest:
                found.done.append(one)
            elif next_at > now and one.queued_at < window_over:
                found.too_late.append(one)
            elif next_at > now:
                found.later.append(WaitsOn(one, by, next_at))
            elif by != one.answered:  # and somebody's turn did not come
                found.later.append(WaitsOn(one, by, None))
        return found

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


@dataclass(frozen=True)
class _SortedOut:
    done: list[WaitingEntry]
    too_late: list[WaitingEntry]
    later: list[WaitsOn]


def _count(sorted_out: _SortedOut, hits: Sequence[Hit]) -> None:
    COMPARED.inc(sum(one.entry is not None for one in sorted_out.done))
    for hit in hits:
        RETRO_HITS.labels(hit.entry.category).inc()
    if hits:
        log.info("retro.hits", hits=len(hits))
    if sorted_out.too_late:
        TOO_LATE.inc(len(sorted_out.too_late))
        log.error("retro.too_late", entries=len(sorted_out.too_late))


def _questions(
    waiting: Sequence[WaitingEntry], may_be_asked: Set[str]
) -> Mapping[str, list[HotListEntry]]:
    """What is asked of whose reads."""
    by_agency: dict[str, list[HotListEntry]] = defaultdict(list)
    for one in waiting:
        for agency_id in (may_be_asked & _served(one)) - one.answered:
            assert one.entry is not None
            by_agency[agency_id].append(one.entry)
    return by_agency


def _at_once(entries: Sequence[HotListEntry]) -> Iterable[list[HotListEntry]]:
    """Patterns few at a time, they cost more."""
    wild = [entry for entry in entries if is_pattern(entry.plate)]
    if plain := [entry for entry in entries if not is_pattern(entry.plate)]:
        yield plain
    for first in range(0, len(wild), _PATTERNS_AT_ONCE):
        yield wild[first : first + _PATTERNS_AT_ONCE]


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
