"""What the database decided is told on the topics: keys wait, records are composed at sending.

One relay at a time sends, one portion after the other, each composed of what was committed by then:
a key's last message is always its newest state, in whatever order its changes were queued. Changes
by hand go before everything else, so that one waits for a portion in hand at most, and not for the
million keys of an import.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from alpr_common.kafka import Publisher
from alpr_common.notified import work_when_notified
from alpr_common.topics import HOTLIST, HOTLIST_PATTERNS
from alpr_matcher import telling_store
from alpr_matcher.handlers import HotLists
from alpr_matcher.telling_store import Untold

log = structlog.get_logger()

_URGENT_AT_ONCE = 500
# Of what the topic takes as one message; the rest is for what goes around it.
_RECORD_BYTES = int(HOTLIST.config["max.message.bytes"]) - 64 * 1024
# What an urgent change waits for at most is the portion in hand: as many keys as this machine, as
# busy as it is now, tells in that time.
_PORTION_SECONDS = 0.25
_OTHERS_LEAST, _OTHERS_MOST = 50, 2000
# A worker takes some 38,000 records per second of a core. Were they told faster than that, changes
# by hand would wait on Kafka behind those that it has not taken yet. Half of it leaves room for
# the reads.
_OTHERS_PER_SECOND = 20_000
BATCH_BYTES = 128 * 1024
"""For the relay's publisher: two or three batches of a portion to each partition, not twenty."""
_LANES = {True: "urgent", False: "bulk"}
TOLD = Counter("alpr_hotlist_told_total", "Hot list messages sent", ["topic", "lane"])
LEFT_OUT = Counter(
    "alpr_hotlist_left_out_total",
    "Entries that did not fit into their key's record, as often as told",
)
WAITED = Histogram(
    "alpr_hotlist_told_seconds",
    "From a change of the list to its message on Kafka; the longest of each portion",
    ["lane"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)


class TopicRelay:
    """Sends what waits, for ever. Replicas take turns."""

    def __init__(self, lists: HotLists, publisher: Publisher) -> None:
        self._lists, self._publisher = lists, publisher
        # Where the other lane goes on: an index full of rows that were sent is not read again.
        self._behind = 0
        self._others_at_once = _OTHERS_LEAST

    async def run(self) -> None:
        """Until cancelled; outages of either side are waited out."""
        await work_when_notified(
            self._lists.database,
            telling_store.CHANNEL,
            lambda: self.tell_some(datetime.now(UTC)),
            name="telling",
        )

    async def tell_some(self, now: datetime) -> bool:
        """Send one portion, an urgent one if there is any; whether there was something.

        Raises `Outage`; then the portion still waits.
        """
        began = time.monotonic()
        async with self._lists.database.transaction() as connection:
            if not await telling_store.is_telling(connection):
                return False
            urgent, some = True, await telling_store.take(connection, True, 0, _URGENT_AT_ONCE)
            if not some:
                urgent, some = False, await telling_store.take(
                    connection, False, self._behind, self._others_at_once
                )  # fmt: skip
            if not some:
                # Ids do not commit in their order: look from the beginning when at the end.
                more, self._behind = self._behind > 0, 0
                return more
            until = now - self._lists.expired_kept
            plain = [one.key for one in some if not one.is_pattern]
            wild = [one.key for one in some if one.is_pattern]
            # Composed in a statement behind the taking one: it sees at least what queued the keys.
            records = await telling_store.records_of(connection, plain, until) if plain else []
            patterns = await telling_store.patterns_of(connection, wild, until) if wild else []
            headers = {one.key: one.headers for one in some}
            for topic, composed in ((HOTLIST, records), (HOTLIST_PATTERNS, patterns)):
                if composed:
                    await self._publisher.publish_many(
                        topic.name,
                        (
                            (key.encode(), _fitting(key, value), headers[key])
                            for key, value in composed
                        ),
                    )
            await telling_store.drop(connection, urgent, some)
        if not urgent:
            self._behind = some[-1].untold_id
            took = max(time.monotonic() - began, 0.001)
            fitting = len(some) * _PORTION_SECONDS / took
            self._others_at_once = round(min(max(fitting, _OTHERS_LEAST), _OTHERS_MOST))
            await asyncio.sleep(max(0.0, len(some) / _OTHERS_PER_SECOND - took))
        self._note(urgent, some, len(records), len(patterns))
        return True

    def _note(self, urgent: bool, some: Sequence[Untold], records: int, patterns: int) -> None:
        lane = _LANES[urgent]
        TOLD.labels(HOTLIST.name, lane).inc(records)
        TOLD.labels(HOTLIST_PATTERNS.name, lane).inc(patterns)
        oldest = min(one.queued_at for one in some)
        WAITED.labels(lane).observe(max(0.0, (datetime.now(UTC) - oldest).total_seconds()))


def _fitting(key: str, value: bytes | None) -> bytes | None:
    """The record, or its most urgent entries where there are more than a message holds.

    Lists of a state have thousands of vehicles whose plate is NONE. Kafka would refuse the whole
    record again and again, and nothing else would be told any more.
    """
    if value is None or len(value) <= _RECORD_BYTES:
        return value
    record, room, kept = json.loads(value), _RECORD_BYTES - 100, list[Any]()
    for entry in sorted(record["entries"], key=lambda one: one["priority"]):
        room -= len(_json(entry)) + 1
        if room < 0:
            break
        kept.append(entry)
    left_out = len(record["entries"]) - len(kept)
    LEFT_OUT.inc(left_out)
    log.error("telling.left_out", key=key, told=len(kept), left_out=left_out)
    return _json(record | {"entries": sorted(kept, key=lambda one: str(one["entry_id"]))})


def _json(said: Any) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
