"""Whatever happens to workers and the broker, the distinct hits are those of the reference."""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from alpr_common.messages.read import Read
from alpr_common.policy import Policy
from alpr_local.processes import Services
from alpr_matcher.domain import match_read
from tests.integration.matcher.line import (
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

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(280)]

LISTED = 3_000
PORTION = 50
PORTIONS_BEFORE, PORTIONS_AFTER = 10, 20
SESSION_SECONDS = 6  # the least that the broker allows: how soon it notices a dead worker
QUICK = {"ALPR_MATCHER_WORKER_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)}
ENTRIES = [entry_of(plate_of(n)) for n in range(LISTED)]
BY_KEY = {entry.match_key: entry for entry in ENTRIES}
Fault = Callable[[], Coroutine[None, None, None]]


def reads_of(seed: int) -> Iterator[Read]:
    """Endless reads of which about a third are listed."""
    rng = random.Random(seed)
    for n in itertools.count():
        yield read_of(seed * 1_000_000 + n, plate_of(rng.randrange(3 * LISTED)))


def reference(reads: list[Read]) -> set[UUID]:
    """The ids of the hits that these reads have to give, by the rules alone."""
    now = datetime.now(UTC)
    return {
        hit.hit_id
        for read in reads
        if read.match_key in BY_KEY
        for hit in match_read(read, [BY_KEY[read.match_key]], Policy(), now)
    }


@pytest.fixture(scope="module")
def listed(services: Services) -> Services:
    """The list is on the topic before any worker starts."""

    async def publish() -> None:
        async with publishing(services.stack) as publisher:
            await publish_list(publisher, ENTRIES)

    asyncio.run(publish())
    return services


async def disturbed(services: Services, seed: int, fault: Fault) -> None:
    """Let reads come before, during and after the fault, then compare all their hits."""
    sent: list[Read] = []
    coming = reads_of(seed)
    async with publishing(services.stack) as publisher, hits_topic(services.stack) as topic:

        async def portion() -> None:
            sent.extend(itertools.islice(coming, PORTION))
            await publish_reads(publisher, sent[-PORTION:])

        for _ in range(PORTIONS_BEFORE):
            await portion()
        happening = asyncio.create_task(fault())
        while not happening.done():
            await portion()
            await asyncio.wait({happening}, timeout=0.1)
        await happening
        for _ in range(PORTIONS_AFTER):
            await portion()
        expected = reference(sent)
        numbers = {read.read_id for read in sent}

        def of_this_round(seen: Topic) -> set[UUID]:
            return {h.hit_id for h in seen.hits if h.read.read_id in numbers}

        await until(topic.look, lambda t: of_this_round(t) >= expected, seconds=90)
        assert of_this_round(topic) == expected


async def test_a_killed_worker_that_comes_back_neither_loses_nor_invents_a_hit(
    listed: Services,
) -> None:
    worker = listed.start("matcher-worker", environment=QUICK)

    async def kill_and_start() -> None:
        await asyncio.to_thread(worker.kill)
        await asyncio.to_thread(worker.start)

    await disturbed(listed, 1, kill_and_start)


async def test_a_second_worker_that_joins_and_leaves_changes_no_hit(listed: Services) -> None:
    listed.start("matcher-worker", environment=QUICK)

    async def join_and_leave() -> None:
        second = await asyncio.to_thread(
            listed.start, "matcher-worker", instance="second", environment=QUICK
        )
        await asyncio.to_thread(second.terminate, 30)

    await disturbed(listed, 11, join_and_leave)


async def test_a_second_worker_takes_over_from_one_that_is_killed(listed: Services) -> None:
    first = listed.start("matcher-worker", environment=QUICK)
    second = await asyncio.to_thread(
        listed.start, "matcher-worker", instance="second", environment=QUICK
    )

    async def kill_the_first() -> None:
        await asyncio.to_thread(first.kill)

    await disturbed(listed, 21, kill_the_first)
    await asyncio.to_thread(second.terminate, 30)


async def test_a_paused_worker_whose_partitions_went_to_another_changes_no_hit(
    listed: Services,
) -> None:
    first = listed.start("matcher-worker", environment=QUICK)
    second = await asyncio.to_thread(
        listed.start, "matcher-worker", instance="second", environment=QUICK
    )

    async def pause_beyond_the_session() -> None:
        pid = first.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(SESSION_SECONDS + 2)  # the group gives its partitions away meanwhile
        os.kill(pid, signal.SIGCONT)

    await disturbed(listed, 31, pause_beyond_the_session)
    await asyncio.to_thread(second.terminate, 30)


async def test_a_restarted_broker_is_waited_for_and_costs_no_hit(listed: Services) -> None:
    if not listed.stack.is_local:
        pytest.skip(f"needs a broker it may restart; this one is {listed.stack.origin}")
    worker = listed.start("matcher-worker", environment=QUICK)

    async def restart_broker() -> None:
        await asyncio.to_thread(listed.stack.kafka.stop)
        await asyncio.to_thread(listed.stack.kafka.start)

    await disturbed(listed, 41, restart_broker)
    assert worker.is_running(), "the worker waits for the broker; it does not end"
