"""The rules of lists: removals, freshness, patterns, subscribers; and of retro-match."""

from datetime import timedelta
from typing import Any

import pytest

from alpr_common.policy import Policy
from alpr_matcher.domain import PlateNotPlain
from alpr_matcher.lists_domain import (
    Freshness,
    HitKindUnknown,
    ListKind,
    PatternTooWide,
    RemovalsNotConfirmed,
    SubscribersNotAllowed,
    check_due,
    entry_plate,
    freshness,
    hit_kinds,
    refuse_removals,
    subscribers,
)
from alpr_matcher.retro import retro_hits
from tests.unit.matcher.samples import NOW, a_read, an_entry


@pytest.mark.parametrize(("removed", "before"), [(0, 0), (0, 100), (20, 100), (1, 5)])
def test_up_to_a_fifth_goes_without_asking(removed: int, before: int) -> None:
    refuse_removals(removed, before, Policy(), False)


@pytest.mark.parametrize(("removed", "before"), [(21, 100), (1, 1), (2, 9)])
def test_more_than_a_fifth_is_asked_about_and_goes_when_confirmed(
    removed: int, before: int
) -> None:
    with pytest.raises(RemovalsNotConfirmed) as asked:
        refuse_removals(removed, before, Policy(), False)
    assert asked.value.extra == {"removed": removed, "listed": before}
    refuse_removals(removed, before, Policy(), True)


@pytest.mark.parametrize(
    ("hours", "word"),
    [
        (None, Freshness.NEVER),
        (0, Freshness.FRESH),
        (11.9, Freshness.FRESH),
        (12, Freshness.STALE),
        (23.9, Freshness.STALE),
        (24, Freshness.ALARM),
    ],
)
def test_a_list_is_warned_of_at_twelve_hours_and_alarms_at_twenty_four(
    hours: float | None, word: Freshness
) -> None:
    refreshed_at = None if hours is None else NOW - timedelta(hours=hours)
    assert freshness(refreshed_at, Policy(), NOW) is word


@pytest.mark.policy("131.6-7")
def test_an_entry_by_hand_is_due_for_its_second_check_after_a_day() -> None:
    assert check_due(NOW, Policy()) == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("text", "plate"),
    [("ab?-12*", "AB?12*"), ("AB**12", "AB*12"), (" ab 123 ", "AB123"), ("AB1*", "AB1*")],
)
def test_a_pattern_keeps_its_wildcards(text: str, plate: str) -> None:
    assert entry_plate(text, Policy()) == plate


@pytest.mark.parametrize("text", ["*", "A?*", "AB*", "??????A"])
def test_a_pattern_that_names_too_little_is_refused(text: str) -> None:
    with pytest.raises(PatternTooWide):
        entry_plate(text, Policy())


@pytest.mark.parametrize("text", ["AB(1*", "ABCDEFGHIJKL?"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PlateNotPlain):
        entry_plate(text, Policy())


def test_only_shared_lists_have_subscribers_and_the_owner_is_none() -> None:
    assert subscribers(ListKind.STATE, "A", ["C", "A", "B", "B", " "]) == ("B", "C")
    for kind in (ListKind.AGENCY, ListKind.COVERT):
        assert subscribers(kind, "A", ["A"]) == ()
        with pytest.raises(SubscribersNotAllowed):
            subscribers(kind, "A", ["B"])


def test_forbidden_kinds_of_hit_are_those_that_there_are() -> None:
    assert hit_kinds(["pattern", "lookalike", "pattern"]) == ("lookalike", "pattern")
    with pytest.raises(HitKindUnknown):
        hit_kinds(["fuzzy"])


def test_a_stored_read_meets_a_later_entry_as_if_it_had_been_there() -> None:
    entry = an_entry(effective_at=NOW + timedelta(hours=2), expires_at=NOW + timedelta(days=1))
    (hit,) = retro_hits(a_read(), [entry], Policy(), NOW + timedelta(hours=2))
    assert hit.retrospective
    assert hit.entry == entry, "the entry is shown as it is"
    (live,) = retro_hits(a_read(), [an_entry()], Policy(), NOW)
    assert live.hit_id == hit.hit_id, "a read that was hit already makes no second hit"


@pytest.mark.parametrize("given", [{"serves_agency_ids": ("B",)}, {"jurisdiction": "US-WI"}])
def test_a_stored_read_that_would_not_have_been_hit_is_not_hit(given: dict[str, Any]) -> None:
    read = a_read(jurisdiction="US-IL")
    assert retro_hits(read, [an_entry(**given)], Policy(), NOW) == []
