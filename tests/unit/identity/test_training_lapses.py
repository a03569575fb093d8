"""When a training lapsed, from the history of what was recorded."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_identity.training_lapses import Lapse, Standing, lapses, standing_at

pytestmark = pytest.mark.policy("131.5-d")

MAY = datetime(2026, 5, 1, 9, tzinfo=UTC)
END = datetime(2026, 12, 31, tzinfo=UTC)
ANN = uuid4()


def recorded(
    at: datetime, until: date | None, kind: str = "leads", person: UUID = ANN
) -> dict[str, Any]:
    return {
        "person_id": person, "kind": kind, "valid_until": until, "certificate": "C-1",
        "recorded_by": "cole", "recorded_at": at,
    }  # fmt: skip


def spans(found: list[Lapse]) -> list[tuple[datetime, datetime | None, str]]:
    return [(one.lapsed_at, one.restored_at, one.because) for one in found]


def test_a_training_lapses_after_its_last_day_and_holds_again_once_recorded() -> None:
    renewed_at = datetime(2026, 6, 9, 8, tzinfo=UTC)
    history = [recorded(MAY, date(2026, 6, 1)), recorded(renewed_at, date(2027, 6, 1))]
    assert spans(lapses(history, END)) == [
        (datetime(2026, 6, 2, tzinfo=UTC), renewed_at, "ran_out")
    ]


def test_a_training_renewed_in_time_or_never_had_is_no_lapse() -> None:
    in_time = [recorded(MAY, date(2026, 6, 1)), recorded(MAY + timedelta(30), date(2027, 6, 1))]
    assert lapses(in_time, END) == []
    assert lapses([recorded(MAY, None), recorded(MAY, date(2020, 1, 1))], END) == []
    assert lapses([], END) == []


def test_one_taken_away_lapses_at_once_and_one_still_missing_has_no_end() -> None:
    taken = MAY + timedelta(days=3)
    history = [recorded(MAY, date(2027, 1, 1)), recorded(taken, None)]
    assert spans(lapses(history, END)) == [(taken, None, "taken_away")]


def test_a_record_of_the_past_does_not_end_a_lapse() -> None:
    history = [
        recorded(MAY, date(2026, 6, 1)),
        recorded(datetime(2026, 7, 1, tzinfo=UTC), date(2026, 6, 15)),
        recorded(datetime(2026, 8, 1, tzinfo=UTC), date(2027, 1, 1)),
    ]
    assert spans(lapses(history, END)) == [
        (datetime(2026, 6, 2, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC), "ran_out")
    ]


def test_people_and_kinds_are_kept_apart() -> None:
    history = [
        recorded(MAY, date(2026, 5, 31), "alpr"),
        recorded(MAY, date(2027, 5, 31), "leads"),
        recorded(MAY, date(2026, 5, 31), "alpr", uuid4()),
    ]
    assert [one.kind for one in lapses(history, END)] == ["alpr", "alpr"]


def test_a_training_for_ever_never_lapses() -> None:
    assert lapses([recorded(MAY, date.max)], END) == []


@given(st.lists(st.tuples(st.integers(0, 400), st.none() | st.integers(-50, 500)), max_size=8))
def test_at_every_moment_a_lapse_says_what_the_gate_would(
    given_records: list[tuple[int, int | None]],
) -> None:
    history = [
        recorded(
            MAY + timedelta(days=at),
            None if until is None else (MAY + timedelta(days=until)).date(),
        )
        for at, until in sorted(given_records, key=lambda one: one[0])
    ]
    end = MAY + timedelta(days=450)
    found = lapses(history, end)
    had = False
    for day in range(450):
        at = MAY + timedelta(days=day, seconds=1)
        latest = [r for r in history if r["recorded_at"] <= at][-1:]
        until = latest[0]["valid_until"] if latest else None
        holds = until is not None and until >= at.date()
        had = had or holds
        lapsed = any(x.lapsed_at <= at and (x.restored_at or end) > at for x in found)
        assert lapsed == (had and not holds)


def test_what_somebody_was_is_found_by_going_back_through_changes() -> None:
    changes = [
        {"occurred_at": MAY, "action": "person.changed", "details": {"role": "cso → officer"}},
        {
            "occurred_at": MAY + timedelta(5),
            "action": "person.changed",
            "details": {"role": "officer → auditor", "active": "True → False"},
        },
    ]
    assert standing_at("auditor", False, changes, MAY + timedelta(6)) == Standing("auditor", False)
    assert standing_at("auditor", False, changes, MAY + timedelta(1)) == Standing("officer", True)
    assert standing_at("auditor", False, changes, MAY - timedelta(1)) == Standing("cso", True)
