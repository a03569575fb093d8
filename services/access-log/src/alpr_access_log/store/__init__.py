"""All SQL of the door. Functions take a connection inside the caller's transaction.

Row-level security shows and takes only rows of the agency that the transaction was opened for;
the conditions on `agency_id` say the same once more and let the indexes begin with it.
"""

from alpr_access_log.store.reads import (
    Found,
    Kept,
    PartitionMissing,
    ensure_partitions,
    find_reads,
    read_message,
    store_reads,
)
from alpr_access_log.store.records import (
    Access,
    RecordFilter,
    append,
    append_audits,
    find_access,
    last_suspicion,
    list_records,
    log,
    recording,
    returned_at,
)

__all__ = [
    "Access",
    "Found",
    "Kept",
    "PartitionMissing",
    "RecordFilter",
    "append",
    "append_audits",
    "ensure_partitions",
    "find_access",
    "find_reads",
    "last_suspicion",
    "list_records",
    "log",
    "read_message",
    "recording",
    "returned_at",
    "store_reads",
]
