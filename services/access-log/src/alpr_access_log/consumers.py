"""Reads into the store, and other services' audit records into the access records."""

import gc
from collections.abc import Callable, Sequence
from datetime import datetime

from alpr_access_log import domain, handlers
from alpr_common.kafka import ConsumeLoop, Decoded, Publisher, Received
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.read import Read
from alpr_common.policy import Policies
from alpr_common.postgres import Database
from alpr_common.topics import AUDIT, READS

GROUP_READS = "alpr-access-log"
GROUP_AUDIT = "alpr-access-log-audit"

Clock = Callable[[], datetime]


def spare_the_garbage_collector() -> None:
    """Let what is loaded now never be looked through again, and what comes less often.

    Reads are made and dropped by the thousand, without cycles. Python takes that for a reason to
    search everything that is alive for garbage, which cost more than twice their decoding.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def read_loop(
    database: Database,
    publisher: Publisher,
    policies: Policies,
    *,
    bootstrap_servers: str,
    batch_size: int,
    clock: Clock,
) -> ConsumeLoop[Read]:
    """Stores `alpr.reads.v1`."""

    def decode(received: Received) -> Read:
        read = Read.from_bytes(received.content)
        domain.refuse_malformed_read(read, policies.of(read.agency_id), clock())
        return read

    async def handle(batch: Sequence[Decoded[Read]]) -> None:
        reads = [(one.message, one.received.content) for one in batch]
        await handlers.store_reads(database, reads, policies, clock())

    return ConsumeLoop(
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP_READS,
        topic=READS,
        decode=decode,
        handle=handle,
        publisher=publisher,
        batch_size=batch_size,
    )


def audit_loop(
    database: Database, publisher: Publisher, *, bootstrap_servers: str
) -> ConsumeLoop[AuditRecord]:
    """Appends `alpr.audit.v1` to the access records."""

    async def handle(batch: Sequence[Decoded[AuditRecord]]) -> None:
        await handlers.append_audits(database, [one.message for one in batch])

    return ConsumeLoop(
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP_AUDIT,
        topic=AUDIT,
        decode=lambda received: AuditRecord.from_bytes(received.content),
        handle=handle,
        publisher=publisher,
    )
