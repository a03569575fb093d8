"""The Faust application: reads in batches, under Faust's group, assignment and supervision.

Faust delivers messages one by one and makes asyncio tasks for each (about 4 k reads a second and
core). This keeps all of Faust but that last step: its consumer subclass hands whole batches to the
join and commits each when its hits are acknowledged (docs/decisions/0004).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from prometheus_client import Gauge

from alpr_common.kafka import LAG
from alpr_common.topics import READS

log = structlog.get_logger()

GROUP = "alpr-matcher-worker"
ASSIGNED = Gauge("alpr_matcher_assigned_partitions", "Partitions of reads given to this worker")
_POLL_SECONDS = 1.0

Handle = Callable[[Sequence[Any]], Awaitable[None]]
CaughtUp = Callable[[], Awaitable[None]]


class ReadsConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, except that it handles a fetched batch as a whole.

    Nothing that was fetched is ever dropped, and only what was handled is committed: whatever a
    rebalance does in between, a read is handled once or more, never not at all.
    """

    app: "JoinApp"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Held from a batch's first look-up to its commit; a rebalance waits for it, so that the
        # next owner of the partitions starts behind it and not in it.
        self._in_hand = asyncio.Lock()
        self._caught_up_generation: int | None = None

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's Fetcher runs this for as long as the worker lives."""
        while not (self.should_stop or fetcher.should_stop):
            try:
                fetched, _ = await self._wait_next_records(_POLL_SECONDS)
            except self.consumer_stopped_errors:
                if self.app.should_stop:
                    return
                raise
            if not fetched:
                continue
            await self._wait_for_the_table()
            async with self._in_hand:
                self._note_lag({tp: ms[0].offset for tp, ms in fetched.items() if ms})
                await self.app.handle([m for ms in fetched.values() for m in ms])
                await self._commit_behind(fetched)

    async def _wait_for_the_table(self) -> None:
        """Not one read is looked up in a table that lacks what was listed before the assignment."""
        generation = self.app.consumer_generation_id
        if generation != self._caught_up_generation:
            await self.app.caught_up()
            self._caught_up_generation = generation

    async def _commit_behind(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        offsets = {tp: messages[-1].offset + 1 for tp, messages in fetched.items() if messages}
        await self._thread.call_thread(self._commit_in_thread, offsets)
        self._note_lag(offsets)

    def _note_lag(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Before a batch and behind it: one that takes long must not look like none at all."""
        for tp, offset in offsets.items():
            highwater = self.highwater(tp) if tp in self.assignment() else None
            if highwater is not None:
                LAG.labels(tp.topic, str(tp.partition), GROUP).set(max(0, highwater - offset))

    async def _commit_in_thread(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit what is still ours; a failure costs handling the batch again, with the same ids.

        Faust's own commit ends the worker when the broker is away; an outage is to be waited out.
        """
        ours = {
            tp: OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in self._thread.assignment()
        }
        try:
            if ours:
                await self._thread._ensure_consumer().commit(ours)
        except (CommitFailedError, IllegalStateError):
            log.info("commit.lost_partition", topic=READS.name)
        except KafkaError as error:
            log.warning("commit.failed", topic=READS.name, error=repr(error))

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        async with self._in_hand:
            ASSIGNED.set(0)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(
        self, assigned: set[TopicPartition], generation_id: int = 0
    ) -> None:
        await super().on_partitions_assigned(assigned, generation_id)
        ASSIGNED.set(len(assigned))
        self.app.was_assigned = True
        log.info("partitions.assigned", partitions=sorted(tp.partition for tp in assigned))

    def verify_event_path(self, now: float, tp: TopicPartition) -> None:
        """Faust's watchdog looks at streams; reads pass none here. The lag gauge tells."""


class JoinApp(faust.App):  # type: ignore[misc]
    """A Faust application whose consumer is a `ReadsConsumer`. Make it inside the running loop."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        handle: Handle,
        caught_up: CaughtUp,
        data_folder: str,
        batch_size: int,
        session_timeout_seconds: float,
    ) -> None:
        self.handle, self.caught_up = handle, caught_up
        self.was_assigned = False
        """Whether the group has given this worker its partitions (perhaps none)."""
        super().__init__(
            GROUP,
            broker=[f"kafka://{server.strip()}" for server in bootstrap_servers.split(",")],
            datadir=data_folder,
            web_enabled=False,
            # Topics are made by alpr_common.topics alone; Faust needs none of its own here.
            topic_allow_declare=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            broker_max_poll_records=batch_size,
            # Faust's default ends a fetch at 1 MiB a partition: half a batch.
            consumer_max_fetch_size=4 * 1024 * 1024,
            broker_session_timeout=session_timeout_seconds,
            broker_heartbeat_interval=session_timeout_seconds / 5,
            stream_wait_empty=False,
        )
        self.finalize()
        self.loop = asyncio.get_running_loop()
        reads = self.topic(
            READS.name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        self.topics.add(reads)

    def _new_transport(self) -> Any:
        return _JoinTransport(self.conf.broker_consumer, self)


class _JoinTransport(driver.Transport):  # type: ignore[misc]
    Consumer = ReadsConsumer
