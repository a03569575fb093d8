"""The table and the join, without a broker."""

import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from alpr_common.errors import DeadLetterCapReached, Outage
from alpr_common.kafka import DeadLetterCap, Publisher
from alpr_common.messages.hit import Hit
from alpr_common.messages.hotlist import HotListPattern, HotListRecord
from alpr_common.messages.read import Read
from alpr_common.policy import Policy
from alpr_common.topics import HITS, READS
from alpr_matcher.join import Join
from alpr_matcher.local_store import StoreBroken
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


def received(read: Read | bytes, key: bytes | None = None) -> Any:
    """A record as aiokafka gives it."""
    value = read if isinstance(read, bytes) else read.to_bytes()
    if key is None:
        key = read.match_key.encode() if isinstance(read, Read) else b"A8C1234"
    return SimpleNamespace(
        topic=READS.name, partition=0, offset=0, key=key, value=value, headers=(), timestamp=0
    )


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
    looks_whole = b'{"match_key":"N0TL15TED","latitude":"not a number"}'
    await a_join(outgoing).handle([received(looks_whole, b"N0TL15TED")])
    assert outgoing.sent == []


@pytest.mark.parametrize(
    "value",
    [
        b"nothing",
        b"",
        a_read("XYZ9999").to_bytes()[:-1],
        a_read("XYZ9999").to_bytes()[:120],
        a_read("ABC1234").to_bytes(),
    ],
    ids=["no JSON", "empty", "cut off by one", "cut off", "of a listed key"],
)
async def test_an_unlisted_message_that_is_plainly_no_read_of_its_key_is_set_aside(
    value: bytes,
) -> None:
    outgoing = Outgoing()
    await a_join(outgoing).handle([received(value, a_read("XYZ9999").match_key.encode())])
    assert [topic for topic, _ in outgoing.sent] == [READS.dead_letter_name]


async def test_a_read_that_another_writer_spaced_out_is_as_good_as_any() -> None:
    outgoing = Outgoing()
    for plate in ("XYZ9999", "ABC1234"):
        read = a_read(plate)
        spaced = json.dumps(json.loads(read.to_bytes()), indent=1).encode()
        await a_join(outgoing).handle([received(spaced, read.match_key.encode())])
    assert [topic for topic, _ in outgoing.sent] == [HITS.name]


async def test_an_outage_is_retried_until_every_hit_is_acknowledged() -> None:
    outgoing = Outgoing(outages=2)
    await a_join(outgoing).handle([received(a_read("ABC1234"))])
    assert [topic for topic, _ in outgoing.sent] == [HITS.name]


async def test_too_many_malformed_reads_stop_the_join() -> None:
    key = an_entry().match_key.encode()
    with pytest.raises(DeadLetterCapReached):
        await a_join(Outgoing(), cap=3).handle([received(b"nothing", key)] * 5)


async def test_a_broken_store_ends_the_join_and_dead_letters_nothing() -> None:
    class Broken(HotListTable):
        def entries(self, key: bytes) -> Any:
            raise StoreBroken("gone")

        def concerns(self, key: bytes | None) -> bool:
            return True

    outgoing = Outgoing()
    join = Join(Broken(), outgoing, Policy(), "group", DeadLetterCap(10))
    with pytest.raises(StoreBroken):
        await join.handle([received(a_read())])
    assert outgoing.sent == []


async def test_a_pattern_hits_beside_the_key_and_only_where_it_fits() -> None:
    outgoing, table = Outgoing(), HotListTable()
    entry = an_entry("AB?12*")
    table.put_pattern(b"1", HotListPattern(entry=entry).to_bytes())
    join = Join(table, outgoing, Policy(), "group", DeadLetterCap(10))
    await join.handle([received(a_read(plate)) for plate in ("ABC1234", "ABC2134", "AB12")])
    (hit,) = [Hit.from_bytes(value or b"") for _, value in outgoing.sent]
    assert (hit.kind, hit.read.plate, hit.entry) == ("pattern", "ABC1234", entry)
