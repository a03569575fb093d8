"""The access log, recomputed for the audit: from its entries to the roots that were signed.

Everything is computed by `alpr_translog`, which knows nothing of the storage: the log up to the
last checkpoint of the period from its entries, every checkpoint of the period and every copy of
the witness against it (of very many an even choice, with the first and the last).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alpr_access_log.audit.progress import Tell, untold
from alpr_access_log.audit.store import log as checkpoints
from alpr_access_log.audit.store.log import Signed
from alpr_access_log.audit.summary import LogChecked, LogCheckpoint, WitnessGap
from alpr_access_log.audit.witnessed import Copies, spread
from alpr_access_log.log import store as log_store
from alpr_access_log.log.reading import Log, key_at
from alpr_access_log.log.tree import Span
from alpr_access_log.log.witness import WitnessAway
from alpr_common.errors import Outage
from alpr_translog.tiles import TILE_WIDTH, Bundle, encode_bundle, parse_path
from alpr_translog.verify import Report, verify_log

_MOST_CHECKED = 2000
_AHEAD = 16  # tiles that are read with one statement
_SHOWN_FAULTS = 50
# A copy is made every 60 seconds; what waits longer than a few of them is a gap.
GAP_AFTER_SECONDS = 300


@dataclass(frozen=True)
class _Period:
    first: Signed | None
    last: Signed | None
    before: Signed | None
    times: list[tuple[int, datetime]]
    notes: list[Signed]


async def checked(
    log: Log, copies: Copies, witness: str, agency_id: str, begin: datetime, end: datetime,
    now: datetime, tell: Tell = untold,
) -> LogChecked:  # fmt: skip
    """What can be said of the log of [begin, end); raises an `Outage` of the database alone."""
    period = await _period(log, agency_id, begin, end)
    verifier = await key_at(log, agency_id, period.last.size if period.last else None)
    held = [one.note for one in period.notes]
    copied, why_not = await _copies(copies, agency_id, [size for size, _ in period.times])
    report = Report()
    if period.last is not None:
        loop = asyncio.get_running_loop()
        files = _Files(log, agency_id, period.last.note, period.last.size, loop, tell)
        report = await asyncio.to_thread(verify_log, files, verifier, held + copied.notes)
    before = period.before.size if period.before else 0
    return LogChecked(
        origin=verifier.name,
        key=str(verifier),
        is_good=report.is_good if period.last else None,
        faults=report.faults[:_SHOWN_FAULTS],
        first=_shown(period.first),
        last=_shown(period.last),
        before=_shown(period.before),
        entries=report.size,
        entries_in_period=period.last.size - before if period.last else 0,
        checkpoints=len(period.times),
        checkpoints_checked=len(held),
        witness=witness,
        witness_why_not=why_not,
        witness_copies=len(copied.sizes),
        witness_copies_checked=len(copied.notes),
        gaps=[] if why_not else gaps(period.times, copied.sizes, now),
        gap_after_seconds=GAP_AFTER_SECONDS,
    )


async def _period(log: Log, agency_id: str, begin: datetime, end: datetime) -> _Period:
    async with log.database.transaction(agency_id) as connection:
        times = await checkpoints.times(connection, agency_id, begin, end)
        chosen = spread([size for size, _ in times], _MOST_CHECKED)
        return _Period(
            await checkpoints.first(connection, agency_id, begin, end),
            await checkpoints.last(connection, agency_id, begin, end),
            await checkpoints.newest_before(connection, agency_id, begin),
            times,
            await checkpoints.notes(connection, agency_id, chosen),
        )


@dataclass(frozen=True)
class _Copied:
    sizes: list[int]
    notes: list[str]


async def _copies(
    copies: Copies, agency_id: str, sizes: Sequence[int]
) -> tuple[_Copied, str | None]:
    try:
        found = await copies.sizes(agency_id, sizes)
        asked = [await copies.copy(agency_id, size) for size in spread(found, _MOST_CHECKED)]
    except WitnessAway as error:
        return _Copied([], []), f"the witness cannot be read: {error}"
    return _Copied(found, [note for note in asked if note is not None]), None


def gaps(
    times: Sequence[tuple[int, datetime]], copied: Sequence[int], now: datetime
) -> list[WitnessGap]:
    """For how long checkpoints were signed without a copy of one that covers them.

    `times` are size and time of each checkpoint in order. A copy covers what is smaller, too.
    """
    held = set(copied)
    patience = timedelta(seconds=GAP_AFTER_SECONDS)
    found: list[WitnessGap] = []
    waiting: datetime | None = None
    for size, signed_at in times:
        waiting = waiting or signed_at
        if size in held:
            if signed_at - waiting > patience:
                found.append(_gap(waiting, signed_at, is_open=False))
            waiting = None
    if waiting is not None and now - waiting > patience:
        found.append(_gap(waiting, now, is_open=True))
    return found


def _gap(begin: datetime, end: datetime, *, is_open: bool) -> WitnessGap:
    minutes = int((end - begin).total_seconds() // 60)
    return WitnessGap(from_at=begin, to_at=end, minutes=minutes, is_open=is_open)


def _shown(one: Signed | None) -> LogCheckpoint | None:
    if one is None:
        return None
    return LogCheckpoint(size=one.size, root=one.root.hex(), signed_at=one.signed_at)


class _Files:
    """The log's files for `verify_log`, in its thread; read ahead, so that a long log takes few
    statements. The tree is that of the period's last checkpoint."""

    def __init__(
        self, log: Log, agency_id: str, note: str, size: int, loop: asyncio.AbstractEventLoop,
        tell: Tell,
    ) -> None:  # fmt: skip
        self._log, self._agency_id, self._loop = log, agency_id, loop
        self._note, self._size, self._tell = note, size, tell
        self._entries: dict[int, bytes] = {}
        self._hashes: dict[tuple[int, int], bytes] = {}

    def __call__(self, path: str) -> bytes:
        if path == "checkpoint":
            return self._note.encode()
        named = parse_path(path)
        first = named.index * TILE_WIDTH
        if isinstance(named, Bundle):
            found = self._cached_entries(first, named.width)
            if len(found) != named.width:
                raise FileNotFoundError(f"of {named.width} entries {len(found)} are stored")
            return encode_bundle(found)
        joined = b"".join(self._cached_hashes(named.level, first, named.width))
        if not joined:
            raise FileNotFoundError("no hashes are stored")
        return joined

    def _cached_entries(self, first: int, width: int) -> list[bytes]:
        if first not in self._entries:
            count = min(_AHEAD * TILE_WIDTH, self._size - first)
            read = self._wait(first, count)
            self._entries = {first + n: entry for n, entry in enumerate(read)}
            self._tell((first + count) / self._size)
        wanted = range(first, first + width)
        return [self._entries[n] for n in wanted if n in self._entries]

    def _cached_hashes(self, level: int, first: int, width: int) -> list[bytes]:
        if (level, first) not in self._hashes:
            count = min(_AHEAD * TILE_WIDTH, (self._size >> (8 * level)) - first)
            read = self._wait(first, count, level)
            self._hashes = {(level, first + n): hashed for n, hashed in enumerate(read)}
        wanted = range(first, first + width)
        return [self._hashes[level, n] for n in wanted if (level, n) in self._hashes]

    def _wait(self, first: int, count: int, level: int | None = None) -> list[bytes]:
        reading = self._read(first, count, level)
        return asyncio.run_coroutine_threadsafe(reading, self._loop).result()

    async def _read(self, first: int, count: int, level: int | None) -> list[bytes]:
        try:
            async with self._log.database.transaction(self._agency_id) as connection:
                if level is None:
                    return await log_store.entries(connection, self._agency_id, first, count)
                span = Span(level, first, count)
                return (await log_store.hashes(connection, self._agency_id, [span]))[span]
        except TimeoutError as error:
            raise Outage("The log could not be read in time.") from error
