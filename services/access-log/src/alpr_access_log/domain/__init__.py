"""The rules of the door: what a search must say, what it may ask, and what is never stored."""

from alpr_access_log.domain.asking import (
    Reason,
    asks_for_the_same,
    checked_convoy,
    checked_limit,
    checked_query,
    checked_reason,
    plate_pattern,
    refuse_copied_suspicion,
    refuse_expired,
    refuse_repetition,
)
from alpr_access_log.domain.places import (
    METERS_PER_DEGREE,
    Area,
    Box,
    Circle,
)
from alpr_access_log.domain.query import (
    LARGEST,
    Convoy,
    PlateQuestion,
    Position,
    Query,
    has_wildcard,
    pairs_of,
)
from alpr_access_log.domain.records import (
    AccessRecord,
    Refusal,
    Who,
)
from alpr_access_log.domain.stored_reads import (
    HOLDING_READS,
    days_of,
    is_past_retention,
    refuse_malformed_read,
    refuse_topics_that_outlive_retention,
)

__all__ = [
    "HOLDING_READS",
    "LARGEST",
    "METERS_PER_DEGREE",
    "AccessRecord",
    "Area",
    "Box",
    "Circle",
    "Convoy",
    "PlateQuestion",
    "Position",
    "Query",
    "Reason",
    "Refusal",
    "Who",
    "asks_for_the_same",
    "checked_convoy",
    "checked_limit",
    "checked_query",
    "checked_reason",
    "days_of",
    "has_wildcard",
    "is_past_retention",
    "pairs_of",
    "plate_pattern",
    "refuse_copied_suspicion",
    "refuse_expired",
    "refuse_malformed_read",
    "refuse_repetition",
    "refuse_topics_that_outlive_retention",
]
