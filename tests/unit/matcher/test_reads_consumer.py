"""The order that the consumer keeps: table complete, then hits, then the commit."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from alpr_common.topics import READS
from alpr_matcher.consumers import ReadsConsumer
from tests.support.waiting import eventually

PARTITION = TopicPartition(READS.name, 0)


def record(offset: int) -> Any:
    return SimpleNamespace(
        topic=READS.name, partition=0, offset=offset, key=b"K", value=b"V", headers=(), timestamp=0
    )


class Worker(ReadsConsumer):
    """A consumer whose fetches are given and whose steps are written down."""

    should_stop = False

    def __init__(self, *fetches: Sequence[Any]) -> None:
        self.steps: list[str] = []
        self.table_is_complete = asyncio.Event()
        self._fetches = list(fetches)
        self._in_hand = asyncio.Lock()
        self._caught_up_generation = None
        self.app = SimpleNamespace(  # type: ignore[assignment]
            consumer_generation_id=0, caught_up=self._caught_up, handle=self._handle
        )

    async def run(self) -> None:
        await self._drain_messages(SimpleNamespace(should_stop=False))

    async def _wait_next_records(self, timeout: float) -> tuple[dict[TopicPartition, Any], None]:
        if not self._fetches:
            self.should_stop = True
            return {}, None
        return {PARTITION: self._fetches.pop(0)}, None

    async def _caught_up(self) -> None:
        self.steps.append("waits for the table")
        await self.table_is_complete.wait()

    async def _handle(self, batch: Sequence[Any]) -> None:
        await asyncio.sleep(0)
        self.steps.append(f"handled {[r.offset for r in batch]}")

    def _note_lag(self, offsets: Any) -> None:
        pass

    async def _commit_behind(self, fetched: Any) -> None:
        self.steps.append(f"committed {fetched[PARTITION][-1].offset + 1}")


async def test_no_read_is_handled_before_the_table_is_complete() -> None:
    worker = Worker([record(0), record(1)])
    running = asyncio.create_task(worker.run())
    await eventually(lambda: worker.steps)
    await asyncio.wait({running}, timeout=0.05)
    assert worker.steps == ["waits for the table"]
    worker.table_is_complete.set()
    await running
    assert worker.steps == ["waits for the table", "handled [0, 1]", "committed 2"]


async def test_each_assignment_waits_for_the_table_once() -> None:
    worker = Worker([record(0)], [record(1)], [record(2)])
    worker.table_is_complete.set()
    handle = worker._handle

    async def handle_and_rebalance(batch: Sequence[Any]) -> None:
        await handle(batch)
        if batch[0].offset == 1:
            worker.app.consumer_generation_id += 1

    worker.app.handle = handle_and_rebalance
    await worker.run()
    assert worker.steps == [
        "waits for the table", "handled [0]", "committed 1", "handled [1]", "committed 2",
        "waits for the table", "handled [2]", "committed 3",
    ]  # fmt: skip


async def test_what_could_not_be_handled_is_not_committed() -> None:
    worker = Worker([record(0)])
    worker.table_is_complete.set()

    async def fail(_batch: Sequence[Any]) -> None:
        raise RuntimeError

    worker.app.handle = fail
    running = asyncio.create_task(worker.run())
    await asyncio.wait({running})
    assert isinstance(running.exception(), RuntimeError)
    assert not any("committed" in step for step in worker.steps)


async def test_a_revocation_waits_for_the_batch_in_hand(monkeypatch: Any) -> None:
    worker = Worker([record(0)])
    worker.table_is_complete.set()
    release = asyncio.Event()

    async def slow(_batch: Sequence[Any]) -> None:
        worker.steps.append("handles")
        await release.wait()

    async def revoked(_self: Any, _revoked: Any) -> None:
        worker.steps.append("revoked")

    worker.app.handle = slow
    monkeypatch.setattr(ReadsConsumer.__bases__[0], "on_partitions_revoked", revoked)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: "handles" in worker.steps)
    revoking = asyncio.create_task(worker.on_partitions_revoked({PARTITION}))
    await asyncio.wait({revoking}, timeout=0.05)
    assert worker.steps == ["waits for the table", "handles"]
    release.set()
    await asyncio.gather(running, revoking)
    assert worker.steps == ["waits for the table", "handles", "committed 1", "revoked"]
