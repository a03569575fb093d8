"""alpr_common's consume loop against a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from alpr_common.errors import DeadLetterCapReached, Outage
from alpr_common.kafka import ConsumeLoop, DeadLetterCap, Decoded, Publisher
from alpr_common.topics import Topic
from alpr_local.stack import Stack
from tests.integration.common_kafka.topics_of_tests import (
    Handled,
    Notebook,
    loop_over,
    make_topic,
)
from tests.support.topics import everything
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def servers(stack: Stack) -> str:
    return stack.kafka_bootstrap_servers


@pytest.fixture
async def topic(servers: str) -> Topic:
    return await make_topic(servers)


@pytest.fixture
async def publisher(servers: str) -> AsyncIterator[Publisher]:
    publisher = Publisher(servers)
    yield publisher
    await publisher.stop()


@contextlib.asynccontextmanager
async def running(loop: ConsumeLoop[str]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def committed(servers: str, topic: Topic) -> dict[int, tuple[int, str]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"test-{topic.name}")
        return {tp.partition: (om.offset, om.metadata) for tp, om in found.items()}
    finally:
        await admin.close()


async def send(publisher: Publisher, topic: Topic, *texts: str, key: str = "k") -> None:
    for text in texts:
        await publisher.publish(topic, key, text.encode())


async def test_a_malformed_message_goes_to_the_dead_letters_and_the_rest_goes_on(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    handled = Handled()
    async with running(loop_over(topic, publisher, servers, handled)):
        await send(publisher, topic, "one", "malformed two", "three")
        await eventually(lambda: handled.texts == ["one", "three"], 90)
        await eventually(lambda: _committed_is(servers, topic, 3), 90)
    (dead,) = await everything(servers, topic.dead_letter_name)
    assert dead.value == b"malformed two"
    assert dead.headers["alpr-dead-letter-reason"] == b"MalformedMessage: made to be malformed two"
    assert dead.headers["alpr-dead-letter-source"] == f"{topic.name}/0/1".encode()
    assert dead.headers["alpr-dead-letter-group"] == f"test-{topic.name}".encode()


async def _committed_is(servers: str, topic: Topic, offset: int) -> bool:
    return (await committed(servers, topic)).get(0, (None, ""))[0] == offset


async def test_the_one_message_that_the_handler_cannot_take_is_singled_out(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    handled: list[str] = []

    async def handle(batch: list[Decoded[str]]) -> None:
        if any(one.message == "poison" for one in batch):
            raise RuntimeError("cannot take this")
        handled.extend(one.message for one in batch)

    await send(publisher, topic, "one", "poison", "three")
    async with running(loop_over(topic, publisher, servers, handle)):
        await eventually(lambda: handled == ["one", "three"], 90)
        await eventually(lambda: _committed_is(servers, topic, 3), 90)
    (dead,) = await everything(servers, topic.dead_letter_name)
    assert dead.value == b"poison"
    assert b"cannot take this" in dead.headers["alpr-dead-letter-reason"]


async def test_an_outage_is_retried_and_never_dead_lettered(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    tries: list[int] = []
    handled: list[str] = []

    async def handle(batch: list[Decoded[str]]) -> None:
        tries.append(len(batch))
        if len(tries) < 4:
            raise Outage("made to be away")
        handled.extend(one.message for one in batch)

    async with running(loop_over(topic, publisher, servers, handle)):
        await send(publisher, topic, "one")
        await eventually(lambda: handled == ["one"], 90)
    assert len(tries) == 4
    assert await everything(servers, topic.dead_letter_name) == []


async def test_too_many_dead_letters_stop_the_consumer_before_the_topic_is_drained(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    await send(publisher, topic, *[f"malformed {n}" for n in range(20)])
    loop = loop_over(topic, publisher, servers, Handled(), cap=DeadLetterCap(5), batch_size=2)
    with pytest.raises(DeadLetterCapReached):
        await asyncio.wait_for(loop.run(), 90)
    assert len(await everything(servers, topic.dead_letter_name)) == 5
    assert (await committed(servers, topic)).get(0, (0, ""))[0] <= 6
    assert not loop.is_ready


async def test_a_handler_that_dies_before_the_commit_gets_its_messages_again(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    await send(publisher, topic, "one", "two")
    arrived = asyncio.Event()

    async def never_done(batch: list[Decoded[str]]) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with running(loop_over(topic, publisher, servers, never_done)):
        await asyncio.wait_for(arrived.wait(), 90)
    handled = Handled()
    async with running(loop_over(topic, publisher, servers, handled)):
        await eventually(lambda: handled.texts == ["one", "two"], 90)


async def test_idle_is_called_without_any_message(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    calls: list[int] = []

    async def idle() -> None:
        calls.append(1)

    loop = loop_over(topic, publisher, servers, Handled(), idle=idle)
    async with running(loop):
        await eventually(lambda: len(calls) >= 3, 90)
        assert loop.is_ready


async def test_checkpoints_say_what_is_committed_and_a_successor_hears_their_words(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    partition = TopicPartition(topic.name, 0)
    first, handled = Notebook(), Handled()
    await send(publisher, topic, "one", "two", "three")
    async with running(loop_over(topic, publisher, servers, handled, checkpoints=first)):
        await eventually(lambda: len(handled.texts) == 3, 90)
        assert (await committed(servers, topic)).get(0) is None, "nothing was said, nothing is done"
        first.to_commit = {partition: (1, "two and three are still open")}
        await eventually(lambda: _committed_is(servers, topic, 1), 90)
    assert first.heard[0] == ("assigned", {partition: ""})
    second, again = Notebook(), Handled()
    async with running(loop_over(topic, publisher, servers, again, checkpoints=second)):
        await eventually(lambda: again.texts == ["two", "three"], 90)
    assert second.heard[0] == ("assigned", {partition: "two and three are still open"})


async def test_an_unchanged_checkpoint_is_not_committed_again(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    partition = TopicPartition(topic.name, 0)
    notebook, handled = Notebook({partition: (0, "same")}), Handled()
    loop = loop_over(topic, publisher, servers, handled, checkpoints=notebook)
    rounds = []

    async def idle() -> None:
        rounds.append(1)

    loop._idle = idle
    async with running(loop):
        await eventually(lambda: _committed_is(servers, topic, 0), 90)
        assert loop._consumer is not None
        commits: list[object] = []
        loop._consumer.commit = commits.append
        seen = len(rounds)
        await eventually(lambda: len(rounds) > seen + 5, 90)
        assert commits == []


async def test_a_second_consumer_takes_over_partitions_with_their_metadata(servers: str) -> None:
    topic = await make_topic(servers, partitions=2)
    keys = [TopicPartition(topic.name, n) for n in range(2)]
    publisher = Publisher(servers)
    words = {tp: (0, f"partition {tp.partition} as it was") for tp in keys}
    first = Notebook(dict(words))
    second = Notebook()
    try:
        async with running(loop_over(topic, publisher, servers, Handled(), checkpoints=first)):

            async def all_committed() -> bool:
                return len(await committed(servers, topic)) == 2

            await eventually(all_committed, 90)
            first.to_commit = {}
            async with running(loop_over(topic, publisher, servers, Handled(), checkpoints=second)):
                await eventually(
                    lambda: any(k == "assigned" and len(m) == 1 for k, m in second.heard), 90
                )
                taken = [m for k, m in second.heard if k == "assigned" and len(m) == 1][-1]
                await eventually(
                    lambda: first.heard[-1][0] == "assigned" and len(first.heard[-1][1]) == 1, 90
                )
                # While both are there: when the second leaves, the first hears of it at once.
                kept = first.heard[-1][1]
        assert ("revoked", dict.fromkeys(keys, "")) in first.heard
        assert set(kept) | set(taken) == set(keys)
        for found in (kept, taken):
            assert all(text == words[tp][1] for tp, text in found.items())
    finally:
        await publisher.stop()


async def test_checkpoints_hear_of_dead_letters_that_their_handler_never_saw(
    servers: str, topic: Topic, publisher: Publisher
) -> None:
    notebook = Notebook()
    await send(publisher, topic, "one", "malformed two")
    async with running(loop_over(topic, publisher, servers, Handled(), checkpoints=notebook)):
        await eventually(lambda: notebook.dead == [(TopicPartition(topic.name, 0), 1)], 90)
