"""This service's figures at `/metrics`. Every replica shows the same gauges: take their maximum."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from alpr_alerts.domain import Alert, Move
from alpr_alerts.store import OpenAlerts
from alpr_common.messages.alert import AlertState
from alpr_common.messages.hit import Hit

RAISED = Counter("alpr_alerts_raised_total", "Alerts raised", ["category"])
ATTACHED = Counter("alpr_alert_hits_attached_total", "Further hits of an alert", ["category"])
BECAME_LIVE = Counter(
    "alpr_alerts_became_live_total",
    "Alerts of stored reads that were hit live as well",
    ["category"],
)
SEEN_LIVE = Counter(
    "alpr_alert_hits_seen_live_total", "Hits that came live after they came as retrospective"
)
STEPS = Counter("alpr_alert_steps_total", "Steps taken", ["step", "state", "category"])
EXPIRED = Counter("alpr_alerts_expired_total", "Alerts that nobody ended before their reads went")
PURGED = Counter("alpr_alerts_purged_total", "Alerts whose reads went by retention", ["kept"])
PAST_RETENTION = Counter(
    "alpr_alert_hits_past_retention_total", "Hits whose read may not be kept any more"
)
RETENTION_ENFORCED_AT = Gauge(
    "alpr_alerts_retention_enforced_timestamp_seconds",
    "When retention was last enforced to the end",
)
ESCALATIONS = Counter("alpr_alert_escalations_total", "Alerts nobody answered in time")
ESCALATIONS_FAILED = Counter(
    "alpr_alert_escalations_failed_total", "Tries to escalate an alert that failed by its own fault"
)
OPEN = Gauge("alpr_alerts_open", "Alerts that have not ended", ["state", "category"])
OLDEST_OPEN_SECONDS = Gauge(
    "alpr_alerts_oldest_open_seconds", "Age of the oldest alert in a state", ["state"]
)
STREAMS = Gauge("alpr_alert_streams_open", "Open event streams of this process")
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
FROM_HIT_SECONDS = Histogram(
    "alpr_alert_from_hit_seconds", "Time from the hit to its alert", buckets=_SECONDS
)
FROM_CAPTURE_SECONDS = Histogram(
    "alpr_alert_from_capture_seconds", "Time from the picture to its alert", buckets=_SECONDS
)


def count_raised(alert: Alert) -> None:
    RAISED.labels(alert.hit.entry.category).inc()
    # Clocks of two machines may differ: never below zero.
    FROM_HIT_SECONDS.observe(_seconds(alert.hit.matched_at, alert.created_at))
    if not alert.hit.retrospective:
        FROM_CAPTURE_SECONDS.observe(_seconds(alert.hit.read.captured_at, alert.created_at))


def count_became_live(alert: Alert, move: Move, live: Hit) -> None:
    """The alert after it became live, by that hit: for people it is a live one from now on."""
    BECAME_LIVE.labels(alert.hit.entry.category).inc()
    count_step(alert, move)
    if alert.state is AlertState.NEW:
        FROM_HIT_SECONDS.observe(_seconds(live.matched_at, alert.last.at))
        FROM_CAPTURE_SECONDS.observe(_seconds(live.read.captured_at, alert.last.at))


def count_step(alert: Alert, move: Move) -> None:
    STEPS.labels(move.step.value, alert.state.value, alert.hit.entry.category).inc()


def show_open(groups: Iterable[OpenAlerts], now: datetime) -> None:
    """Replace the gauges of open alerts; what is no longer there disappears."""
    OPEN.clear()
    OLDEST_OPEN_SECONDS.clear()
    oldest: dict[str, float] = {}
    for group in groups:
        OPEN.labels(group.state, group.category).set(group.alerts)
        age = _seconds(group.oldest_created_at, now)
        oldest[group.state] = max(age, oldest.get(group.state, 0.0))
    for state, age in oldest.items():
        OLDEST_OPEN_SECONDS.labels(state).set(age)


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())
