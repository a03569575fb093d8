"""Alerts that were acted on become holds (131.5-c), and hits of some categories are kept longer."""

from collections.abc import Callable, Sequence
from datetime import datetime

from alpr_access_log import handlers
from alpr_access_log.holds import handlers as holds
from alpr_access_log.holds.handlers import Holds
from alpr_common.kafka import ConsumeLoop, Decoded, Publisher
from alpr_common.messages.alert import AlertChanged
from alpr_common.messages.hit import Hit
from alpr_common.topics import ALERTS, HITS

GROUP_ALERTS = "alpr-access-log-alerts"
GROUP_HITS = "alpr-access-log-hits"

Clock = Callable[[], datetime]


def alert_loop(
    keeping: Holds, publisher: Publisher, *, bootstrap_servers: str, clock: Clock
) -> ConsumeLoop[AlertChanged]:
    """Places holds from `alpr.alerts.v1`."""

    async def handle(batch: Sequence[Decoded[AlertChanged]]) -> None:
        for one in batch:
            await holds.hold_alert(keeping, one.message, clock())

    return ConsumeLoop(
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP_ALERTS,
        topic=ALERTS,
        decode=lambda received: AlertChanged.from_bytes(received.content),
        handle=handle,
        publisher=publisher,
    )


def hit_loop(
    keeping: Holds, publisher: Publisher, *, bootstrap_servers: str, clock: Clock
) -> ConsumeLoop[Hit]:
    """Marks reads that were hits, and keeps them for as long as their category says."""

    async def handle(batch: Sequence[Decoded[Hit]]) -> None:
        hits = [one.message for one in batch]
        await handlers.note_hits(keeping.database, hits, keeping.policies, clock())
        await holds.keep_hits(keeping, hits, clock())

    return ConsumeLoop(
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP_HITS,
        topic=HITS,
        decode=lambda received: Hit.from_bytes(received.content),
        handle=handle,
        publisher=publisher,
    )
