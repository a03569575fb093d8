"""Which alert a hit belongs to, in every order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_alerts.windows import Window, alert_id_of, window_key, window_of
from alpr_common.messages.hit import Hit
from tests.unit.alerts.samples import NOON, OTHER_AGENCY, hit

LENGTH = 300


def group(seconds: Iterable[float]) -> dict[UUID, list[float]]:
    """Hits' seconds by alert, as they arrive in this order; replays are known by their hit."""
    windows: dict[UUID, Window] = {}
    groups: dict[UUID, list[float]] = {}
    known = set()
    for second in seconds:
        one = hit(second)
        if one.hit_id in known:
            continue
        known.add(one.hit_id)
        at = one.read.captured_at
        window = window_of(at, windows.values(), LENGTH) or Window(alert_id_of(one), at, at)
        windows[window.alert_id] = replace(
            window,
            first_captured_at=min(window.first_captured_at, at),
            last_captured_at=max(window.last_captured_at, at),
        )
        groups.setdefault(window.alert_id, []).append(second)
    return groups


def by_definition(seconds: Sequence[float]) -> list[list[float]]:
    """In order of capture: a fixed window from the first hit, then the next."""
    groups: list[list[float]] = []
    for second in sorted(set(seconds)):
        if groups and second - groups[-1][0] < LENGTH:
            groups[-1].append(second)
        else:
            groups.append([second])
    return groups


sightings = st.lists(st.integers(0, 2000), min_size=1, max_size=12)


def test_the_window_is_fixed_from_its_first_hit_and_not_prolonged_by_others() -> None:
    assert list(group([0, 200, 299, 300, 500, 599, 600]).values()) == [
        [0, 200, 299], [300, 500, 599], [600],
    ]  # fmt: skip


@given(sightings)
def test_hits_in_order_of_capture_are_grouped_by_definition(seconds: list[int]) -> None:
    assert list(group(sorted(seconds)).values()) == by_definition(seconds)


@given(st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=8), st.randoms())
def test_hits_within_one_window_are_one_alert_in_any_order(
    seconds: list[int], random: object
) -> None:
    random.shuffle(seconds)  # type: ignore[attr-defined]
    assert len(group(seconds)) == 1


@given(sightings)
def test_in_any_order_every_hit_is_in_one_alert_within_the_window_and_none_is_hidden(
    seconds: list[int],
) -> None:
    groups = group(seconds)
    assert sorted(s for g in groups.values() for s in g) == sorted(set(seconds))
    assert all(max(g) - min(g) < LENGTH for g in groups.values())
    assert len(groups) >= len(by_definition(seconds))


@given(sightings, st.data())
def test_replayed_hits_change_nothing(seconds: list[int], data: st.DataObject) -> None:
    """A redelivery begins again somewhere and repeats what follows, as Kafka does."""
    begin = data.draw(st.integers(0, len(seconds)))
    end = data.draw(st.integers(begin, len(seconds)))
    assert group([*seconds[:end], *seconds[begin:]]) == group(seconds)


def test_an_alert_has_the_same_id_wherever_and_whenever_its_first_hit_arrives() -> None:
    assert alert_id_of(hit(5)) == alert_id_of(hit(5))


@pytest.mark.parametrize(
    "other",
    [
        hit(5, camera_id="cam-2"),
        hit(5, plate="ABC124"),
        hit(5, category="scofflaw"),
        hit(5, agency_id=OTHER_AGENCY),
    ],
)
def test_another_entry_plate_camera_or_agency_is_another_alert(other: Hit) -> None:
    assert alert_id_of(other) != alert_id_of(hit(5))
    assert window_key(other) != window_key(hit(5))


def test_of_two_windows_that_could_take_a_late_hit_the_earlier_does() -> None:
    early = Window(alert_id_of(hit(0)), NOON, NOON)
    late = Window(alert_id_of(hit(400)), *(2 * [NOON + timedelta(seconds=400)]))
    for windows in ([early, late], [late, early]):
        assert window_of(NOON + timedelta(seconds=200), windows, LENGTH) == early
