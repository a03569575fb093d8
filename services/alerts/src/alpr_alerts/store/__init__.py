"""All SQL of this service. Everything runs in the caller's transaction, under its agency.

Locks are always taken in this order, so that no two transactions wait for each other: window keys
(sorted), alert rows, the stream's clock, the outbox's order.
"""

from alpr_alerts.store.alerts import (
    AttachedHit,
    Cursor,
    TakenStep,
    alert_in_full,
    alert_of,
    alerts_page,
    attach_hit,
    hits_of,
    insert_alert,
    read_ids_of,
    save_step,
    steps_of,
)
from alpr_alerts.store.open import (
    DueAlert,
    OpenAlerts,
    due_unanswered,
    next_due_at,
    open_alerts,
)
from alpr_alerts.store.stream import (
    WAKE_CHANNEL,
    stream_events,
    stream_position,
    tell_streams,
)
from alpr_alerts.store.windows import (
    KnownHit,
    is_raised,
    known_hits,
    lock_keys,
    lock_windows,
    mark_live,
    windows_near,
)

__all__ = [
    "WAKE_CHANNEL",
    "AttachedHit",
    "Cursor",
    "DueAlert",
    "KnownHit",
    "OpenAlerts",
    "TakenStep",
    "alert_in_full",
    "alert_of",
    "alerts_page",
    "attach_hit",
    "due_unanswered",
    "hits_of",
    "insert_alert",
    "is_raised",
    "known_hits",
    "lock_keys",
    "lock_windows",
    "mark_live",
    "next_due_at",
    "open_alerts",
    "read_ids_of",
    "save_step",
    "steps_of",
    "stream_events",
    "stream_position",
    "tell_streams",
    "windows_near",
]
