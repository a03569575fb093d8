"""When the reads of an alert go, and what its record keeps."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from alpr_access_log.holds.domain import ids_root as access_logs_ids_root
from alpr_alerts import domain
from alpr_alerts.domain import Alert, Move, VisualCheck
from alpr_alerts.retention.domain import expires_at, expiring, going, ids_root, reads_go_at
from alpr_alerts.retention.records import AlertRecord
from alpr_alerts.store import AttachedHit, TakenStep
from alpr_alerts.view import detail_view
from alpr_common.policy import Category, Policy
from tests.unit.alerts.samples import NOON, OFFICER, hit, new_alert

LONGER = Policy(
    reads_retention_days=30,
    categories={
        "stolen_vehicle": Category(
            label="Stolen", priority=2, colour="#ff0000", sound="urgent", reads_retention_days=60
        )
    },
)


@pytest.mark.policy("131.7-1d")
def test_reads_of_a_category_that_is_kept_longer_go_later() -> None:
    assert reads_go_at(NOON, "scofflaw", LONGER) == NOON + timedelta(days=30)
    assert reads_go_at(NOON, "stolen_vehicle", LONGER) == NOON + timedelta(days=60)


@pytest.mark.policy("131.7-1d")
@pytest.mark.parametrize(("days", "lead_hours"), [(1, 2.4), (5, 12), (10, 24), (365, 24)])
def test_an_open_alert_ends_at_most_a_day_before_its_reads_go(days: int, lead_hours: float) -> None:
    policy = Policy(reads_retention_days=days)
    left = reads_go_at(NOON, "other", policy) - expires_at(NOON, "other", policy)
    assert left == timedelta(hours=lead_hours)


@pytest.mark.policy("131.7-1d")
def test_the_cutoffs_say_the_same_as_the_times_of_one_alert() -> None:
    for category in ("scofflaw", "stolen_vehicle"):
        go = reads_go_at(NOON, category, LONGER)
        end = expires_at(NOON, category, LONGER)
        for now, cutoffs in ((go, going(LONGER, go)), (end, expiring(LONGER, end))):
            assert cutoffs.by_category.get(category, cutoffs.usual) == NOON, (category, now)


def test_a_certificates_root_is_computed_as_access_log_does() -> None:
    for size in (1, 2, 3, 7, 64, 65):
        ids = [uuid4() for _ in range(size)]
        assert ids_root(ids) == access_logs_ids_root(reversed(ids))


def record_of(alert: Alert, *moves: Move) -> AlertRecord:
    steps = [TakenStep(1, alert.last, alert.state, {"hit_id": str(alert.hit.hit_id)})]
    for move in moves:
        alert = domain.take(alert, move, OFFICER, alert.last.at + timedelta(seconds=10))
        steps.append(TakenStep(alert.sequence, alert.last, alert.state, move.details))
    attached = [AttachedHit(alert.hit, NOON)]
    return AlertRecord.of(detail_view(alert, attached, steps, Policy()), NOON)


@pytest.mark.policy("131.7-1d", "131.5-c")
def test_a_record_says_who_did_what_and_when_but_no_plate_and_no_place() -> None:
    alert = new_alert(hit(plate="A8C1Z3", entry_plate="ABC123"))
    check = VisualCheck(True, True, checked_positions=frozenset({1, 4}))
    accept = domain.accept(alert, check)
    taken = domain.take(alert, accept, OFFICER, NOON)
    close = domain.close(taken, "abc-123 drove off, A8C 1Z3 was misread; XABC1234 is another")
    record = record_of(alert, accept, close)
    text = record.model_dump_json()
    for trace in ("A8C1Z3", "ABC123", "abc-123", "A8C 1Z3", "41.84", "-87.95", "cam-1", ".jpg"):
        assert trace not in text.replace("XABC1234", ""), trace
    _raised, accepted, closed = record.history
    assert (accepted.person_name, accepted.step) == ("Officer Lopez", "accepted")
    assert accepted.details["checked_positions"] == [1, 4]
    assert closed.details["reason"] == (
        "[plate removed] drove off, [plate removed] was misread; XABC1234 is another"
    )
    assert record.hits[0].read.read_id == alert.hit.read.read_id
    assert record.entry.reason == "taken from a driveway"


def test_a_record_survives_being_stored() -> None:
    alert = new_alert()
    record = record_of(alert, domain.hand_off(alert, "on another call"))
    assert AlertRecord.model_validate_json(record.model_dump_json()) == record
