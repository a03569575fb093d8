"""What comes by message: reads, hits' markers and other services' audit records."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from alpr_access_log import domain, store
from alpr_access_log.approvals import store as approvals_store
from alpr_access_log.handlers.door import RECORDS
from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.hit import Hit
from alpr_common.messages.read import Read
from alpr_common.policy import Policies
from alpr_common.postgres import Database

log = structlog.get_logger()
STORED = Counter(
    "alpr_reads_stored_total", "Reads by what became of them: new, known, past_retention", ["how"]
)
STORE_SECONDS = Histogram(
    "alpr_reads_store_delay_seconds", "From a read's emission to its being stored",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 3600),
)  # fmt: skip


async def store_reads(
    database: Database, reads: Sequence[tuple[Read, bytes]], policies: Policies, now: datetime
) -> None:
    """Store a batch, each agency's reads in a transaction of their own; redeliveries change
    nothing. Reads beyond their retention are left out and counted."""
    by_agency: dict[str, list[tuple[Read, bytes]]] = defaultdict(list)
    for read, message in reads:
        if domain.is_past_retention(read, policies.of(read.agency_id), now):
            STORED.labels("past_retention").inc()
        else:
            by_agency[read.agency_id].append((read, message))
    for agency_id, group in by_agency.items():
        try:
            new = await _store(database, agency_id, group)
        except store.PartitionMissing:
            # Once a day. Apart from the rows: the lock it is made under should not outlast that.
            async with database.transaction() as connection:
                await store.ensure_partitions(connection, domain.days_of(read for read, _ in group))
            new = await _store(database, agency_id, group)
        STORED.labels("new").inc(new)
        STORED.labels("known").inc(len(group) - new)
        stored_at = datetime.now(UTC)
        for read, _ in group:
            STORE_SECONDS.observe(max(0.0, (stored_at - read.emitted_at).total_seconds()))


async def _store(database: Database, agency_id: str, group: Sequence[tuple[Read, bytes]]) -> int:
    async with database.transaction(agency_id) as connection:
        return await store.store_reads(connection, group)


async def note_hits(
    database: Database, hits: Sequence[Hit], policies: Policies, now: datetime
) -> None:
    """Mark the reads that were hits, for searches that ask for them; again changes nothing.

    The marker of a read beyond its retention is left out: no purge would come by for it.
    """
    by_agency: dict[str, list[tuple[UUID, datetime]]] = defaultdict(list)
    for hit in hits:
        if not domain.is_past_retention(hit.read, policies.of(hit.agency_id), now):
            by_agency[hit.agency_id].append((hit.read.read_id, hit.read.captured_at))
    for agency_id, reads in by_agency.items():
        async with database.transaction(agency_id) as connection:
            await approvals_store.note_hits(connection, agency_id, reads)


async def append_audits(database: Database, records: Sequence[AuditRecord]) -> None:
    """Append what other services report; redeliveries change nothing."""
    by_agency: dict[str, list[AuditRecord]] = defaultdict(list)
    for record in records:
        by_agency[record.agency_id].append(record)
    for agency_id, group in by_agency.items():
        async with database.transaction(agency_id) as connection:
            await store.append_audits(connection, group)
        for record in group:
            RECORDS.labels(record.service, record.action, record.outcome).inc()
