"""Hits from Kafka become alerts."""

from collections.abc import Callable, Sequence
from datetime import datetime

from alpr_alerts.raising import Arrived, take_hits
from alpr_common.errors import MalformedMessage
from alpr_common.kafka import ConsumeLoop, Decoded, Publisher, Received
from alpr_common.messages.hit import Hit
from alpr_common.policy import Policies
from alpr_common.postgres import Database
from alpr_common.topics import HITS

GROUP = "alpr-alerts"


def decode_hit(received: Received) -> Hit:
    """The hit in a message; raises `MalformedMessage` or `ValidationError`.

    A hit that would put one agency's read or entry before another's people is malformed: better
    in the dead-letter topic, where somebody looks at it, than on a stranger's screen.
    """
    hit = Hit.from_bytes(received.content)
    if hit.read.agency_id != hit.agency_id:
        raise MalformedMessage(
            f"The hit is for {hit.agency_id}, its read belongs to {hit.read.agency_id}."
        )
    if hit.agency_id not in {hit.entry.agency_id, *hit.entry.serves_agency_ids}:
        raise MalformedMessage(
            f"Entry {hit.entry.entry_id} of {hit.entry.agency_id} does not serve {hit.agency_id}."
        )
    return hit


def hits_loop(
    bootstrap_servers: str,
    publisher: Publisher,
    database: Database,
    policies: Policies,
    clock: Callable[[], datetime],
    batch_size: int,
) -> ConsumeLoop[Hit]:
    """The consumer of `alpr.hits.v1`: offsets are committed after the alerts are."""

    async def handle(batch: Sequence[Decoded[Hit]]) -> None:
        arrived = [Arrived(one.message, one.received.context) for one in batch]
        await take_hits(database, policies, arrived, clock())

    return ConsumeLoop(
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP,
        topic=HITS,
        decode=decode_hit,
        handle=handle,
        publisher=publisher,
        batch_size=batch_size,
    )
