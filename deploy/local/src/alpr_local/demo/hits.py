"""Each hit as it comes, straight from the topic, one line each."""

import asyncio
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from rich.console import Console

from alpr_common.messages.hit import Hit
from alpr_common.topics import HITS


async def print_hits(bootstrap_servers: str, console: Console) -> None:
    """Print hits that are made from now on; runs until cancelled."""
    consumer = AIOKafkaConsumer(
        HITS.name, bootstrap_servers=bootstrap_servers, auto_offset_reset="latest"
    )
    try:
        while True:
            try:
                await consumer.start()
                break
            except KafkaError:
                await asyncio.sleep(1)
        told: set[UUID] = set()
        async for message in consumer:
            if message.value is None:
                continue
            hit = Hit.from_bytes(message.value)
            # Retro-match finds again what was hit live; the id is the same, and one line is enough.
            if hit.hit_id not in told:
                told.add(hit.hit_id)
                console.print(_line(hit))
    finally:
        await consumer.stop()


def _line(hit: Hit) -> str:
    read, entry = hit.read, hit.entry
    listed = "" if read.plate == entry.plate else f" (listed {entry.plate})"
    return (
        f"[bold]hit[/bold]  {read.captured_at.astimezone():%H:%M:%S}  "
        f"[bold yellow]{read.plate}[/bold yellow]{listed}  {entry.category}  "
        f"{hit.kind}  state {hit.jurisdiction}  {read.camera_id}  "
        f"confidence {read.confidence:.2f}"
    )
