"""The worker on real Kafka: nothing is joined too early, and updates count at once."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from alpr_common.messages.hotlist import HotListPattern, HotListRecord
from alpr_common.plates import match_key
from alpr_common.topics import HOTLIST, HOTLIST_PATTERNS, READS
from alpr_local.kafka import delete_topics
from alpr_local.processes import ServiceProcess, Services
from tests.integration.matcher.line import (
    AGENCY,
    OTHER_AGENCY,
    START,
    Topic,
    client,
    entry_of,
    hits_topic,
    person,
    plate_of,
    publish_list,
    publish_reads,
    publishing,
    read_of,
    until,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

LISTED = 20_000
EFFECTIVE_SECONDS = 2


async def in_force() -> None:
    """The promise under test, not a synchronisation: what was listed by now counts after this."""
    await asyncio.sleep(EFFECTIVE_SECONDS)


def read_ids(topic: Topic) -> set[UUID]:
    return {hit.read.read_id for hit in topic.hits}


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
    plate, key = "NEW7777", match_key("NEW7777")
    async with publishing(stack) as publisher, hits_topic(stack) as topic:
        await publish_list(publisher, [entry_of(plate)])
        await in_force()
        after_adding = read_of(10_000, plate)
        await publish_reads(publisher, [after_adding])
        await until(topic.look, lambda t: after_adding.read_id in read_ids(t))
        await publisher.publish(HOTLIST, key, None)
        await in_force()
        await publish_reads(publisher, [read_of(10_001, plate), read_of(10_002, plate)])
        # On the same partition behind them: when this one has hit, those have been joined.
        await publish_list(publisher, [entry_of(plate)])
        await in_force()
        behind = read_of(10_003, plate)
        await publish_reads(publisher, [behind])
        await until(topic.look, lambda t: behind.read_id in read_ids(t))
        hit = read_ids(topic) & {read_of(n, plate).read_id for n in range(10_000, 10_004)}
        assert hit == {after_adding.read_id, behind.read_id}


async def test_an_entry_by_hand_hits_two_seconds_after_its_answer_until_it_is_retracted(
    services: Services,
) -> None:
    stack = services.stack
    services.start("matcher-worker")
    matcher = services.start("matcher")
    plate = "HAND747"
    body = {
        "plate": plate,
        "category": "stolen_vehicle",
        "reason": "Taken from Main Street",
        "effective_at": (START - timedelta(days=1)).isoformat(),
        "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
    }
    async with (
        publishing(stack) as publisher,
        hits_topic(stack) as topic,
        client(matcher.url, person(stack)) as http,
    ):
        entry = (await http.post("/v1/hotlist/entries", json=body)).json()
        await in_force()
        meanwhile = read_of(70_000, plate)
        await publish_reads(publisher, [meanwhile])
        await until(topic.look, lambda t: meanwhile.read_id in read_ids(t))
        path = f"/v1/hotlist/entries/{entry['entry_id']}/retract"
        assert (await http.post(path, json={"reason": "Found"})).status_code == 200
        await in_force()
        afterwards = read_of(70_001, plate)
        await publish_reads(publisher, [afterwards])
        # On the same partition behind it, by an entry of its own.
        again = (await http.post("/v1/hotlist/entries", json=body)).json()
        await in_force()
        behind = read_of(70_002, plate)
        await publish_reads(publisher, [behind])
        await until(topic.look, lambda t: behind.read_id in read_ids(t))
        hits = {h.read.read_id: str(h.entry.entry_id) for h in topic.hits if h.read.plate == plate}
        assert hits == {
            meanwhile.read_id: entry["entry_id"],
            behind.read_id: again["entry_id"],
        }


async def test_an_entry_meets_only_reads_of_the_agencies_that_it_serves(
    services: Services,
) -> None:
    stack = services.stack
    services.start("matcher-worker")
    plate = "XRAY747"
    async with publishing(stack) as publisher, hits_topic(stack) as topic:
        await publish_list(publisher, [entry_of(plate), entry_of(plate, agency_id=OTHER_AGENCY)])
        await in_force()
        await publish_reads(
            publisher, [read_of(40_000, plate), read_of(40_001, plate, agency_id=OTHER_AGENCY)]
        )
        await until(topic.look, lambda t: sum(h.read.plate == plate for h in t.hits) >= 2)
        pairs = {(h.agency_id, h.entry.agency_id) for h in topic.hits if h.read.plate == plate}
        assert pairs == {(AGENCY, AGENCY), (OTHER_AGENCY, OTHER_AGENCY)}


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
        await in_force()
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
    async with client(worker.url, {}) as http:
        metrics = (await http.get("/metrics")).text
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
        await in_force()
        await publish_reads(publisher, [read_of(60_000, plate)])
        await until(topic.look, lambda t: plate in {h.read.plate for h in t.hits})


async def test_a_pattern_counts_within_two_seconds_and_until_it_is_taken_back(
    services: Services,
) -> None:
    stack = services.stack
    services.start("matcher-worker")
    entry = entry_of("8W?7*")
    key = str(entry.entry_id)
    async with publishing(stack) as publisher, hits_topic(stack) as topic:
        await publisher.publish(HOTLIST_PATTERNS, key, HotListPattern(entry=entry).to_bytes())
        await publish_list(publisher, [entry_of("8W77777")])
        await in_force()
        await publish_reads(publisher, [read_of(80_000, "8W77777"), read_of(80_001, "8W8888")])
        both = {(read_of(80_000, "8W77777").read_id, k) for k in ("exact", "pattern")}

        def kinds(seen: Topic) -> set[tuple[UUID, str]]:
            return {(h.read.read_id, h.kind.value) for h in seen.hits if h.read.plate[:2] == "8W"}

        await until(topic.look, lambda t: kinds(t) >= both)
        await publisher.publish(HOTLIST_PATTERNS, key, None)
        await in_force()
        last = read_of(80_002, "8W77777")
        await publish_reads(publisher, [last])
        await until(topic.look, lambda t: kinds(t) >= both | {(last.read_id, "exact")})
        assert kinds(topic) == both | {(last.read_id, "exact")}


async def metric(worker: ServiceProcess, name: str) -> float:
    async with client(worker.url, {}) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def test_expired_entries_leave_the_table_without_a_restart_or_a_tombstone(
    services: Services,
) -> None:
    kept = {"ALPR_MATCHER_WORKER_EXPIRED_KEPT_SECONDS": "1"}
    worker = services.start("matcher-worker", instance="brief", environment=kept)
    before = await metric(worker, "alpr_matcher_hotlist_keys")
    ends = datetime.now(UTC) + timedelta(seconds=4)
    brief = entry_of("BR7EF47").model_copy(update={"expires_at": ends})
    async with publishing(services.stack) as publisher:
        await publish_list(publisher, [brief])

        async def keys() -> float:
            return await metric(worker, "alpr_matcher_hotlist_keys")

        await until(keys, lambda now: now == before + 1)
        await until(keys, lambda now: now == before)
    worker.terminate(30)


async def test_a_restarted_worker_goes_on_from_its_copy_and_a_topic_made_anew_is_noticed(
    services: Services,
) -> None:
    """In any order and however often: the table is what the topic says."""
    worker = services.start("matcher-worker")

    async def current() -> float:
        return await metric(worker, "alpr_matcher_hotlist_current_timestamp_seconds")

    await until(current, lambda at: at > 0)
    keys = await metric(worker, "alpr_matcher_hotlist_keys")
    worker.kill()
    async with publishing(services.stack) as publisher:
        await publish_list(publisher, [entry_of("WARM747")])
    worker.start()
    assert await metric(worker, "alpr_matcher_hotlist_keys") == keys + 1
    assert f'"keys": {int(keys)}, "seconds"' in worker.log_path.read_text()
    await until(current, lambda at: at > 0)
    worker.terminate(30)
    delete_topics(services.stack.kafka_bootstrap_servers, HOTLIST.name)
    services.stack.create_topics()
    async with publishing(services.stack) as publisher:
        await publish_list(publisher, [entry_of(plate_of(n)) for n in range(50)])
    worker.start()
    assert await metric(worker, "alpr_matcher_hotlist_keys") == 50


async def test_sigterm_ends_the_worker_in_order(services: Services) -> None:
    worker = services.start("matcher-worker")
    child = worker._child
    assert child is not None
    worker.signal_end()  # and no SIGKILL later, so that its own end alone ends the wait
    status = await asyncio.to_thread(child.wait, 60)
    assert status in {0, -signal.SIGTERM}, "uvicorn passes the signal on when all is done"
    assert not worker.is_running()
    assert "worker.ended" not in worker.log_path.read_text()


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
        await in_force()
        for _ in range(60):
            await publisher.publish(READS, record.match_key, b"nothing")

        async def runs() -> bool:
            return worker.is_running()

        await until(runs, lambda running: not running, seconds=30)
        assert len((await dead.look()).messages) - before <= 40
