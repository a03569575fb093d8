"""When the reads of an alert go, and when what is still open ends before that. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alpr_common.policy import Policy
from alpr_common.topics import ALERTS, DEAD_LETTER_RETENTION_SECONDS
from alpr_translog.merkle import leaf_hash, node_hash, root_of

# A day in which people still see with plate and place what ran out unanswered; less where reads
# are kept for a few days alone.
_LEAD_MOST = timedelta(days=1)
_LEAD_SHARE = 0.1
# As access-log counts at its start: a topic or its dead-letter topic, whichever keeps longer.
_ON_TOPIC = timedelta(seconds=max(ALERTS.retention_seconds or 0, DEAD_LETTER_RETENTION_SECONDS))


def reads_go_at(first_captured_at: datetime, category: str, policy: Policy) -> datetime:
    """When what was captured then is past the retention of its agency and category."""
    return first_captured_at + timedelta(days=policy.kept_days(category))


def expires_at(first_captured_at: datetime, category: str, policy: Policy) -> datetime:
    """When an alert that nobody has ended by then is closed as expired."""
    return reads_go_at(first_captured_at, category, policy) - _lead(policy.kept_days(category))


def plate_may_be_told(
    first_captured_at: datetime, category: str, policy: Policy, at: datetime
) -> bool:
    """Whether a message that is written `at` may name the plate: its topic lets go of it before the
    reads have to go (131.7-1d). What people do about an alert days later is told without it."""
    return at + _ON_TOPIC <= reads_go_at(first_captured_at, category, policy)


def _lead(kept_days: int) -> timedelta:
    return min(_LEAD_MOST, _LEAD_SHARE * timedelta(days=kept_days))


@dataclass(frozen=True)
class Cutoffs:
    """What was captured by then is due: for any category, and for those that are kept longer."""

    usual: datetime
    by_category: dict[str, datetime]


def going(policy: Policy, now: datetime) -> Cutoffs:
    """Of alerts whose reads go at `now`."""
    return _cutoffs(policy, now, timedelta(0), 0)


def expiring(policy: Policy, now: datetime) -> Cutoffs:
    """Of open alerts that end at `now`."""
    return _cutoffs(policy, now, _LEAD_MOST, _LEAD_SHARE)


def _cutoffs(policy: Policy, now: datetime, most: timedelta, share: float) -> Cutoffs:
    def before(days: int) -> datetime:
        return now - timedelta(days=days) + min(most, share * timedelta(days=days))

    by_category = {name: before(policy.kept_days(name)) for name in policy.categories}
    return Cutoffs(before(policy.reads_retention_days), by_category)


def ids_root(ids: Iterable[UUID]) -> str:
    """Root of the Merkle tree (RFC 9162) over ids in rising order, in hex: whoever has the ids can
    show later that these, and no others, were meant. As in access-log's certificates."""
    leaves = [leaf_hash(one.bytes) for one in sorted(ids, key=lambda one: one.bytes)]

    def hash_of(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(hash_of(level - 1, 2 * index), hash_of(level - 1, 2 * index + 1))

    return root_of(hash_of, len(leaves)).hex()
