"""The worker on real Kafka: nothing is joined too early, updates count at once, faults stay apart."""

import asyncio
import time

import httpx
import pytest

from alpr_common.messages.hotlist import HotListRecord
from alpr_common.plates import match_key
from alpr_common.topics import HOTLIST, READS
from alpr_local.processes import Services
from tests.integration.matcher.line import (
    OTHER_AGENCY,
    Topic,
    entry_of,
    hits_topic,
    plate_of,
    publish_list,
    publish_reads,
    publishing,
    read_of,
    until,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

LISTED = 20_000


async def test_reads_that_waited_before_the_worker_started_all_meet_the_whole_list(
    services: Services,
) -> None:
    stack = services.stack
    reads = [read_of(n, plate_of(n * 7)) for n in range(2_000)]  # every seventh listed plate …
    reads += [read_of(n, plate_of(LISTED + n)) for n in range(2_000, 4_000)]  # … and others
    async with publishing(stack) as publisher:
        await publish_reads(publisher, reads)
        await publish_list(publisher, [entry_of(plate_of(n)) for n in range(LISTED)])
    services.start("matcher-worker")
    async with hits_topic(stack) as topic:
        await until(topic.look, lambda t: len({h.read.read_id for h in t.hits}) >= 2_000)
        assert {h.read.read_id for h in topic.hits} == {r.read_id for r in reads[:2_000]}
        assert all(h.kind == "exact" and h.jurisdiction == "unknown" for h in topic.hits)


async def test_an_entry_counts_and_stops_counting_within_two_seconds(services: Services) -> None:
    stack = services.stack
    services.start("matcher-worker")
    plate = "NEW7777"
    async with publishing(stack) as publisher, hits_topic(stack) as topic:

        async def hits_of_a_read_sent_now(number: int) -> int:
            """The reads behind it on its partition are through when the marker's hit is there."""
            await publish_reads(publisher, [read_of(number, plate)])
            await asyncio.sleep(0)
            return number

        await publish_list(publisher, [entry_of(plate)])
        listed_at = time.monotonic()
        number = 10_000
        while plate not in {h.read.plate for h in (await topic.look()).hits}:
            assert time.monotonic() - listed_at < 2, "an added entry was not in force within 2 s"
            number = await hits_of_a_read_sent_now(number + 1)
        await publisher.publish(HOTLIST, match_key(plate), None)
        await asyncio.sleep(2)  # the promise itself, not a synchronisation
        await publish_reads(publisher, [read_of(20_000, plate), read_of(20_001, plate)])
        # A marker on the same partition, behind those reads: its hit says they were joined.
        marker = await _same_partition_marker(publisher, plate)
        await until(topic.look, lambda t: marker in {h.read.plate for h in t.hits})
        late = {read_of(20_000, plate).read_id, read_of(20_001, plate).read_id}
        assert not late & {h.read.read_id for h in topic.hits}


async def _same_partition_marker(publisher, plate: str) -> str:  # type: ignore[no-untyped-def]
    from aiokafka.partitioner import DefaultPartitioner

    partitions = list(range(READS.partitions))

    def partition(key: str) -> int:
        return int(DefaultPartitioner()(key.encode(), partitions, partitions))

    marker = next(
        p
        for p in (plate_of(500_000 + n) for n in range(100))
        if partition(match_key(p)) == partition(match_key(plate))
    )
    await publish_list(publisher, [entry_of(marker)])
    await asyncio.sleep(2)
    await publish_reads(publisher, [read_of(30_000, marker)])
    return marker


async def test_an_entry_meets_only_reads_of_the_agencies_that_it_serves(
    services: Services,
) -> None:
    stack = services.stack
    services.start("matcher-worker")
    plate = "XRAY747"
    async with publishing(stack) as publisher, hits_topic(stack) as topic:
        await publish_list(
            publisher, [entry_of(plate), entry_of(plate, agency_id=OTHER_AGENCY)]
        )
        await asyncio.sleep(2)
        await publish_reads(
            publisher, [read_of(40_000, plate), read_of(40_001, plate, agency_id=OTHER_AGENCY)]
        )
        await until(topic.look, lambda t: sum(h.read.plate == plate for h in t.hits) >= 2)
        pairs = {(h.agency_id, h.entry.agency_id) for h in topic.hits if h.read.plate == plate}
        assert pairs == {(h, h) for h, _ in pairs} and len(pairs) == 2


async def test_a_malformed_read_is_set_aside_with_its_reason_and_the_rest_goes_on(
    services: Services,
) -> None:
    stack = services.stack
    worker = services.start("matcher-worker")
    plate = plate_of(1)
    good = read_of(50_000, plate)
    foreign = read_of(50_001, plate).model_copy(update={"plate": "OTHER99"})
    async with publishing(stack) as publisher, hits_topic(stack) as topic:
        await publish_list(publisher, [entry_of(plate)])
        await asyncio.sleep(2)
        await publisher.publish(READS, match_key(plate), b"{not json")
        await publisher.publish(READS, match_key(plate), foreign.to_bytes())
        await publisher.publish(READS, b"", good.to_bytes())
        await publisher.publish(READS, match_key(plate), None)
        await publish_reads(publisher, [good])
        await until(topic.look, lambda t: good.read_id in {h.read.read_id for h in t.hits})
        async with Topic(stack, READS.dead_letter_name) as dead:
            await until(dead.look, lambda t: len(t.messages) >= 4)
            values = [value for _, value, _ in dead.messages]
            assert values.count(b"{not json") == 1
            reasons = [headers["alpr-dead-letter-reason"].decode() for *_, headers in dead.messages]
            assert any("Invalid JSON" in reason for reason in reasons)
            assert any("The match keys disagree" in reason for reason in reasons)
    metrics = httpx.get(f"{worker.url}/metrics", trust_env=False).text
    assert 'alpr_dead_letters_total{group="alpr-matcher-worker",topic="alpr.reads.v1"}' in metrics
    assert 'alpr_matcher_hits_total{category="stolen_vehicle",kind="exact"}' in metrics


async def test_a_malformed_hot_list_record_leaves_the_one_before_it_in_force(
    services: Services,
) -> None:
    stack = services.stack
    services.start("matcher-worker")
    plate = "KEEP747"
    async with publishing(stack) as publisher, hits_topic(stack) as topic:
        await publish_list(publisher, [entry_of(plate)])
        await publisher.publish(HOTLIST, match_key(plate), b'{"match_key": 7}')
        await asyncio.sleep(2)
        await publish_reads(publisher, [read_of(60_000, plate)])
        await until(topic.look, lambda t: plate in {h.read.plate for h in t.hits})


async def test_sigterm_ends_the_worker_in_order(services: Services) -> None:
    worker = services.start("matcher-worker")
    before = time.monotonic()
    worker.terminate(patience_seconds=30)
    assert time.monotonic() - before < 10
    assert not worker.is_running()


async def test_a_flood_of_malformed_reads_stops_the_worker_instead_of_draining_the_topic(
    services: Services,
) -> None:
    stack = services.stack
    worker = services.start(
        "matcher-worker", environment={"ALPR_MATCHER_WORKER_DEAD_LETTERS_PER_MINUTE_MAX": "20"}
    )
    record = HotListRecord(match_key="F700D", entries=(entry_of("F700D"),))
    async with publishing(stack) as publisher, Topic(stack, READS.dead_letter_name) as dead:
        before = len((await dead.look()).messages)
        await publisher.publish(HOTLIST, record.match_key, record.to_bytes())
        await asyncio.sleep(2)
        for _ in range(60):
            await publisher.publish(READS, record.match_key, b"nothing")

        async def runs() -> bool:
            return worker.is_running()

        await until(runs, lambda running: not running, seconds=30)
        assert len((await dead.look()).messages) - before <= 40
