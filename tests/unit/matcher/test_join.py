"""The table and the join, without a broker."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from alpr_common.errors import DeadLetterCapReached, Outage
from alpr_common.kafka import DeadLetterCap, Publisher, Received
from alpr_common.messages.hit import Hit
from alpr_common.messages.hotlist import HotListRecord
from alpr_common.messages.read import Read
from alpr_common.policy import Policy
from alpr_common.topics import HITS, READS
from alpr_matcher.join import Join
from alpr_matcher.table import HotListTable
from tests.unit.matcher.samples import a_read, an_entry


@dataclass
class Outgoing(Publisher):
    """Keeps what is published; the broker is away for the first `outages` acknowledgements."""

    outages: int = 0
    sent: list[tuple[str, bytes | None]] = field(default_factory=list)

    async def enqueue(
        self, topic: Any, key: Any, value: bytes | None, headers: Any = None, context: Any = None
    ) -> Awaitable[None]:
        name = topic if isinstance(topic, str) else topic.name

        async def acknowledged() -> None:
            if self.outages:
                self.outages -= 1
                raise Outage("away")
            self.sent.append((name, value))

        return acknowledged()


def received(read: Read | bytes, key: bytes | None = None) -> Received:
    value = read if isinstance(read, bytes) else read.to_bytes()
    if key is None:
        key = read.match_key.encode() if isinstance(read, Read) else b"A8C1234"
    return Received(READS.name, 0, 0, key, value, {}, 0)


def a_join(outgoing: Publisher, cap: int = 10) -> Join:
    table = HotListTable()
    entry = an_entry()
    table.put(
        entry.match_key.encode(),
        HotListRecord(match_key=entry.match_key, entries=(entry,)).to_bytes(),
    )
    return Join(table, outgoing, Policy(), "group", DeadLetterCap(cap))


async def test_a_batch_gives_its_hits_and_sets_malformed_reads_aside() -> None:
    outgoing = Outgoing()
    batch = [
        received(a_read("XYZ9999")),
        received(a_read("ABC1234")),
        received(b"nothing", an_entry().match_key.encode()),
        received(a_read("A8C1234")),
    ]
    await a_join(outgoing).handle(batch)
    kinds = [Hit.from_bytes(v or b"").kind for topic, v in outgoing.sent if topic == HITS.name]
    assert kinds == ["exact", "lookalike"]
    assert [t for t, _ in outgoing.sent if t != HITS.name] == [READS.dead_letter_name]


async def test_a_read_whose_key_is_not_listed_is_not_even_decoded() -> None:
    outgoing = Outgoing()
    await a_join(outgoing).handle([received(b"nothing", b"N0TL15TED")])
    assert outgoing.sent == []


async def test_an_outage_is_retried_until_every_hit_is_acknowledged() -> None:
    outgoing = Outgoing(outages=2)
    await a_join(outgoing).handle([received(a_read("ABC1234"))])
    assert [topic for topic, _ in outgoing.sent] == [HITS.name]


async def test_too_many_malformed_reads_stop_the_join() -> None:
    key = an_entry().match_key.encode()
    with pytest.raises(DeadLetterCapReached):
        await a_join(Outgoing(), cap=3).handle([received(b"nothing", key)] * 5)


def test_the_table_counts_keys_and_entries_and_forgets_tombstones() -> None:
    table, entry = HotListTable(), an_entry()
    key = entry.match_key.encode()
    two = HotListRecord(match_key=entry.match_key, entries=(entry, an_entry("A8C1234")))
    table.put(key, two.to_bytes())
    assert (len(table), table.entry_count, len(table.entries(key))) == (1, 2, 2)
    table.put(key, HotListRecord(match_key=entry.match_key, entries=(entry,)).to_bytes())
    assert (len(table), table.entry_count) == (1, 1)
    table.put(key, None)
    assert (len(table), table.entry_count, table.entries(key)) == (0, 0, ())
    assert key not in table


def test_a_malformed_record_leaves_the_table_as_it_was() -> None:
    table, entry = HotListTable(), an_entry()
    key = entry.match_key.encode()
    table.put(key, HotListRecord(match_key=entry.match_key, entries=(entry,)).to_bytes())
    with pytest.raises(ValidationError):
        table.put(key, b"nothing")
    assert (len(table), table.entry_count) == (1, 1)
