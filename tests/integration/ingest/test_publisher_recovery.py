"""A producer that came to its end is replaced: frames must not wait for a restart of ingest."""

from __future__ import annotations

import asyncio

import pytest

from alpr_common.kafka import Publisher
from alpr_common.topics import FRAMES
from alpr_local.stack import Stack
from tests.support.topics import everything

pytestmark = pytest.mark.integration


async def test_a_producer_whose_sender_ended_is_replaced(fresh_stack: Stack) -> None:
    publisher = Publisher(fresh_stack.kafka_bootstrap_servers)
    await asyncio.gather(*(publisher.start() for _ in range(5)))
    await publisher.publish(FRAMES, "a", b"before")
    # As a fatal answer of the broker does it.
    assert publisher._producer is not None
    await publisher._producer._sender.close()
    await asyncio.gather(*(publisher.publish(FRAMES, "a", b"after %d" % n) for n in range(3)))
    await publisher.stop()
    found = await everything(fresh_stack.kafka_bootstrap_servers, FRAMES)
    assert {r.value for r in found} == {b"before", b"after 0", b"after 1", b"after 2"}
    assert len(found) == 4
