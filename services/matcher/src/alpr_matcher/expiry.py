"""How long an expired entry is kept, on the topic and in the workers."""

from datetime import timedelta

from alpr_common.lateness import on_kafka_after_at_most
from alpr_common.policy import Policy
from alpr_common.topics import READS


def expired_kept(policy: Policy, override_seconds: int | None) -> timedelta:
    """No read that is still to come was captured before an entry ended that is let go after this.

    A read may come late, as the policy says, and may then be taken again, in a replay, for as long
    as it stays on its topic: both times it has to meet the entries that were in force.
    """
    if override_seconds is not None:
        return timedelta(seconds=override_seconds)
    return on_kafka_after_at_most(policy) + timedelta(seconds=READS.retention_seconds or 0)
