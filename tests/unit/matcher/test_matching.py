"""When a read hits an entry, case by case and against a slow, obvious reference."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr_common.messages.hit import HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Alternative, Character, Read
from alpr_common.policy import Category, Policy
from alpr_matcher.domain import agree, match_read
from tests.unit.matcher.samples import NOW, a_read, an_entry

POLICY = Policy()


def hits(read: Read, *entries: HotListEntry) -> list[Any]:
    return match_read(read, entries, POLICY, NOW)


def test_the_same_text_is_an_exact_hit_for_the_reads_agency() -> None:
    (hit,) = hits(a_read(), an_entry())
    assert (hit.kind, hit.differing_positions, hit.agency_id) == (HitKind.EXACT, (), "A")
    assert hit.matched_at == NOW


def test_the_hit_of_a_redelivered_read_has_the_same_id() -> None:
    read, entry = a_read(), an_entry()
    later = match_read(read, [entry], POLICY, NOW + timedelta(hours=1))
    assert later[0].hit_id == hits(read, entry)[0].hit_id


def test_a_lookalike_hit_names_the_position_and_both_probabilities() -> None:
    characters = [Character(character=c, probability=0.99) for c in "A8C1234"]
    characters[1] = Character(
        character="8",
        probability=0.6,
        alternatives=(Alternative(character="B", probability=0.35),),
    )
    (hit,) = hits(a_read("A8C1234", characters=tuple(characters)), an_entry("ABC1234"))
    assert hit.kind is HitKind.LOOKALIKE
    (difference,) = hit.differing_positions
    assert (difference.position, difference.read_character, difference.entry_character) == (
        1,
        "8",
        "B",
    )
    assert (difference.read_probability, difference.entry_probability) == (0.6, 0.35)


def test_probabilities_that_the_recognizer_did_not_give_are_left_open() -> None:
    (hit,) = hits(a_read("A8C1234"), an_entry("ABC1234"))
    assert hit.differing_positions[0].read_probability is None
    assert hit.differing_positions[0].entry_probability is None


@pytest.mark.parametrize(
    ("read", "entry", "category", "own", "expected"),
    [
        ("A8C1234", "ABC1234", "stolen_vehicle", None, True),
        ("A8CI234", "ABC1234", "stolen_vehicle", None, False),  # two positions, one tolerated
        ("A8CI234", "ABC1234", "amber_alert", None, True),
        ("A8CIZ34", "ABC1234", "amber_alert", None, False),
        ("A8C1234", "ABC1234", "scofflaw", None, False),
        ("A8C1", "ABC1", "amber_alert", None, False),  # too short for any tolerance
        ("A8C1", "ABC1", "scofflaw", 1, True),  # the entry's own number stands above all
        ("A8C1234", "ABC1234", "amber_alert", 0, False),
        ("A8C1234", "ABC1234", "no_longer_in_the_policy", None, True),
        ("ABC1234", "ABC1234", "scofflaw", 0, True),
    ],
)
def test_tolerance_goes_by_plate_length_category_and_entry(
    read: str, entry: str, category: str, own: int | None, expected: bool
) -> None:
    found = hits(a_read(read), an_entry(entry, category=category, lookalike_positions=own))
    assert bool(found) is expected


@pytest.mark.parametrize(
    ("read", "entry", "agreement"),
    [
        ("US-IL", "US-IL", "same"),
        ("US-IL", "IL", "same"),
        ("IL", "US-IL", "same"),
        ("il", "IL", "same"),
        ("US-IL", None, "unknown"),
        ("unknown", "US-IL", "unknown"),
        ("unknown", None, "unknown"),
        ("", "US-IL", "unknown"),
        ("US", "US-IL", "unknown"),
        ("US-IL", "US", "unknown"),
        ("US", "IL", "unknown"),
        ("EU", "US", "different"),
        ("US-WI", "US-IL", "different"),
        ("US-WI", "IL", "different"),
        ("WI", "IL", "different"),
        ("EU-IL", "US-IL", "different"),
        ("EU", "US-IL", "different"),
        ("BR", "US-IL", "different"),
        ("EU-PL", "PL", "same"),
    ],
)
def test_jurisdictions_agree_by_region_and_state(
    read: str, entry: str | None, agreement: str
) -> None:
    assert agree(read, entry) == JurisdictionAgreement(agreement)
    found = hits(a_read(jurisdiction=read), an_entry(jurisdiction=entry))
    assert [h.jurisdiction for h in found] == ([] if agreement == "different" else [agreement])


def test_an_entry_counts_from_its_beginning_until_before_its_end_at_the_time_of_the_picture() -> (
    None
):
    entry = an_entry(effective_at=NOW, expires_at=NOW + timedelta(seconds=1))
    moments = [NOW - timedelta(microseconds=1), NOW, NOW + timedelta(seconds=1)]
    found = [bool(hits(a_read(captured_at=at), entry)) for at in moments]
    assert found == [False, True, False]


def test_a_late_read_meets_the_entry_that_was_in_force_when_it_was_captured() -> None:
    long_after = NOW + timedelta(days=2)
    assert match_read(a_read(), [an_entry()], POLICY, long_after)


def test_an_entry_meets_only_reads_of_agencies_that_it_serves() -> None:
    shared = an_entry(agency_id="STATE", serves_agency_ids=("A", "B"))
    assert [h.agency_id for h in hits(a_read(agency_id="B"), shared)] == ["B"]
    assert hits(a_read(agency_id="STATE"), shared) == []


PLATES = st.text("A8B0OD1I", min_size=3, max_size=6)
ENTRIES = st.lists(
    st.builds(
        an_entry,
        PLATES,
        entry_id=st.uuids(),
        agency_id=st.sampled_from("AB"),
        serves_agency_ids=st.lists(st.sampled_from("AB"), min_size=1, max_size=2).map(tuple),
        category=st.sampled_from(["amber_alert", "stolen_vehicle", "scofflaw", "gone"]),
        jurisdiction=st.sampled_from([None, "US-IL", "IL", "US", "US-WI"]),
        lookalike_positions=st.sampled_from([None, None, 0, 1, 2]),
        effective_at=st.integers(-2, 1).map(lambda h: NOW + timedelta(hours=h)),
        expires_at=st.one_of(st.none(), st.integers(-1, 2).map(lambda h: NOW + timedelta(hours=h))),
    ),
    max_size=12,
)
READS = st.builds(
    a_read,
    PLATES,
    read_id=st.uuids(),
    agency_id=st.sampled_from("AB"),
    jurisdiction=st.sampled_from(["unknown", "US-IL", "IL", "US", "WI"]),
)


def obvious(read: Read, entries: Sequence[HotListEntry]) -> set[tuple[UUID, str, tuple[int, ...]]]:
    """The rules written out once more, slowly: character by character, nothing shared."""
    twins = [{"0", "O", "D", "Q"}, {"1", "I", "L"}, {"2", "Z"}, {"5", "S"}, {"8", "B"}, {"6", "G"}]
    found = set()
    for entry in entries:
        if len(entry.plate) != len(read.plate) or read.agency_id not in entry.serves_agency_ids:
            continue
        pairs = list(zip(read.plate, entry.plate, strict=True))
        if any(a != b and not any({a, b} <= group for group in twins) for a, b in pairs):
            continue
        if read.captured_at < entry.effective_at:
            continue
        if entry.expires_at is not None and read.captured_at >= entry.expires_at:
            continue
        theirs = (entry.jurisdiction or "").removeprefix("US-")
        ours = read.jurisdiction.removeprefix("US-")
        if theirs not in ("", "US") and ours not in ("unknown", "US") and theirs != ours:
            continue
        differing = tuple(i for i, (a, b) in enumerate(pairs) if a != b)
        tolerated = {"amber_alert": 2, "stolen_vehicle": 1, "scofflaw": 0, "gone": 1}[
            entry.category
        ]
        if len(entry.plate) < 5:
            tolerated = 0
        if entry.lookalike_positions is not None:
            tolerated = entry.lookalike_positions
        if len(differing) <= tolerated:
            found.add((entry.entry_id, "lookalike" if differing else "exact", differing))
    return found


@settings(max_examples=400, deadline=None)
@given(READS, ENTRIES)
def test_the_rules_give_what_a_slow_obvious_reference_gives(
    read: Read, entries: list[HotListEntry]
) -> None:
    found = {
        (h.entry.entry_id, h.kind.value, tuple(d.position for d in h.differing_positions))
        for h in hits(read, *entries)
    }
    assert found == obvious(read, entries)


def test_the_reference_test_uses_the_categories_that_ship() -> None:
    shipped = POLICY.categories
    assert [shipped[n].lookalike_positions for n in ("amber_alert", "stolen_vehicle", "scofflaw")] \
        == [2, 1, 0]  # fmt: skip
    assert Category.model_fields["lookalike_positions"].default == 1
