"""When a read hits an entry, case by case and against a slow, obvious reference."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry, HotListPattern, HotListRecord
from alpr_common.messages.read import Alternative, Character, Read
from alpr_common.policy import Category, Policy
from alpr_matcher.domain import agree, match_read
from alpr_matcher.table import HotListTable
from tests.unit.matcher.samples import NOW, a_read, an_entry

POLICY = Policy()


def hits(read: Read, *entries: HotListEntry) -> list[Hit]:
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


@pytest.mark.parametrize(
    ("read", "pattern", "given", "expected"),
    [
        ("ABC1234", "AB?12*", {}, ("pattern", ())),
        ("A8C1234", "AB?12*", {}, None),  # four characters named: too few for any tolerance
        ("A8C1234", "AB?123*", {}, ("pattern", (1,))),
        ("A8CI234", "AB?123*", {}, None),
        ("A8CI234", "AB?123*", {"category": "amber_alert"}, ("pattern", (1, 3))),
        ("A8C1234", "AB?123*", {"forbidden_hit_kinds": ("lookalike",)}, None),
        ("ABC1234", "AB?123*", {"forbidden_hit_kinds": ("lookalike", "exact")}, ("pattern", ())),
        ("ABC1234", "AB?123*", {"forbidden_hit_kinds": ("pattern",)}, None),
        ("ABC1234", "AB?12*", {"jurisdiction": "US-WI"}, None),
        ("ABC1234", "AB?12*", {"effective_at": NOW + timedelta(seconds=1)}, None),
    ],
)
def test_a_pattern_hits_what_fits_it_within_its_tolerance(
    read: str, pattern: str, given: dict[str, Any], expected: tuple[str, tuple[int, ...]] | None
) -> None:
    found = hits(a_read(read, jurisdiction="US-IL"), an_entry(pattern, **given))
    seen = [(h.kind.value, tuple(d.position for d in h.differing_positions)) for h in found]
    assert seen == ([expected] if expected else [])


def test_a_covert_entry_meets_its_owners_reads_alone() -> None:
    covert = an_entry(agency_id="A", serves_agency_ids=("A", "B"), covert=True)
    assert [h.agency_id for h in hits(a_read(agency_id="A"), covert)] == ["A"]
    assert hits(a_read(agency_id="B"), covert) == []
    elsewhere = an_entry(agency_id="C", serves_agency_ids=("A",), covert=True)
    assert hits(a_read(agency_id="C"), elsewhere) == hits(a_read(agency_id="A"), elsewhere) == []


@pytest.mark.parametrize("forbidden", [("lookalike",), ("exact",), ("exact", "lookalike")])
def test_a_kind_of_hit_that_the_entry_forbids_is_not_made(forbidden: tuple[str, ...]) -> None:
    entry = an_entry(forbidden_hit_kinds=forbidden)
    for plate, kind in (("ABC1234", "exact"), ("A8C1234", "lookalike")):
        assert bool(hits(a_read(plate), entry)) is (kind not in forbidden)


@pytest.mark.parametrize(
    ("seen", "listed", "contradiction"),
    [
        ("car", "Motorcycle", "The entry says motorcycle, the picture says car."),
        ("car", "sedan", None),
        ("truck", "pickup", None),
        ("car", "car", None),
        (None, "car", None),
        ("car", None, None),
    ],
)
def test_a_hit_says_when_the_picture_shows_another_kind_of_vehicle(
    seen: str | None, listed: str | None, contradiction: str | None
) -> None:
    (hit,) = hits(a_read(vehicle_type=seen), an_entry(vehicle_type=listed))
    assert hit.vehicle_contradiction == contradiction


PLATES = st.text("A8B0OD1I", min_size=3, max_size=6)
PATTERNS = st.text("A8B0?*", min_size=2, max_size=7).filter(lambda p: "?" in p or "*" in p)
KINDS = ("exact", "lookalike", "pattern")
ENTRIES = st.lists(
    st.builds(
        an_entry,
        st.one_of(PLATES, PATTERNS),
        entry_id=st.uuids(),
        agency_id=st.sampled_from("AB"),
        serves_agency_ids=st.lists(st.sampled_from("AB"), min_size=1, max_size=2).map(tuple),
        category=st.sampled_from(["amber_alert", "stolen_vehicle", "scofflaw", "gone"]),
        jurisdiction=st.sampled_from([None, "US-IL", "IL", "US", "US-WI"]),
        lookalike_positions=st.sampled_from([None, None, 0, 1, 2]),
        covert=st.booleans(),
        forbidden_hit_kinds=st.lists(st.sampled_from(KINDS), max_size=1).map(tuple),
        vehicle_type=st.sampled_from([None, "car", "motorcycle"]),
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
    vehicle_type=st.sampled_from([None, "car", "motorcycle"]),
)
Found = tuple[UUID, str, int, bool]
TWINS = [{"0", "O", "D", "Q"}, {"1", "I", "L"}, {"2", "Z"}, {"5", "S"}, {"8", "B"}, {"6", "G"}]


def ways(text: str, pattern: str) -> list[int]:
    """In how many positions the text differs, for every way to lay the pattern over it."""
    if not pattern:
        return [] if text else [0]
    if pattern[0] == "*":
        return [way for n in range(len(text) + 1) for way in ways(text[n:], pattern[1:])]
    if not text:
        return []
    a, b = text[0], pattern[0]
    if b != "?" and a != b and not any({a, b} <= group for group in TWINS):
        return []
    return [way + (b not in ("?", a)) for way in ways(text[1:], pattern[1:])]


def obvious(read: Read, entries: Sequence[HotListEntry]) -> set[Found]:
    """The rules written out once more, slowly: every entry, every way, nothing shared."""
    found = set()
    for entry in entries:
        if read.agency_id not in entry.serves_agency_ids:
            continue
        if entry.covert and entry.agency_id != read.agency_id:
            continue
        if read.captured_at < entry.effective_at:
            continue
        if entry.expires_at is not None and read.captured_at >= entry.expires_at:
            continue
        theirs = (entry.jurisdiction or "").removeprefix("US-")
        ours = read.jurisdiction.removeprefix("US-")
        if theirs not in ("", "US") and ours not in ("unknown", "US") and theirs != ours:
            continue
        differing = min(ways(read.plate, entry.plate), default=99)
        tolerated = {"amber_alert": 2, "stolen_vehicle": 1, "scofflaw": 0, "gone": 1}[
            entry.category
        ]
        if len(entry.plate.replace("?", "").replace("*", "")) < 5:
            tolerated = 0
        if entry.lookalike_positions is not None:
            tolerated = entry.lookalike_positions
        if differing > tolerated:
            continue
        wild = "?" in entry.plate or "*" in entry.plate
        kind = "pattern" if wild else "lookalike" if differing else "exact"
        if kind in entry.forbidden_hit_kinds:
            continue
        if differing and "lookalike" in entry.forbidden_hit_kinds:
            continue
        types = {read.vehicle_type, entry.vehicle_type}
        found.add((entry.entry_id, kind, differing, types == {"car", "motorcycle"}))
    return found


def listed(entries: Sequence[HotListEntry]) -> HotListTable:
    """A worker's table after these entries came over the topics, each key's record as a whole."""
    table, by_key = HotListTable(), dict[str, list[HotListEntry]]()
    for entry in entries:
        if "?" in entry.plate or "*" in entry.plate:
            table.put_pattern(entry.entry_id.bytes, HotListPattern(entry=entry).to_bytes())
        else:
            by_key.setdefault(entry.match_key, []).append(entry)
            record = HotListRecord(
                match_key=entry.match_key, entries=tuple(by_key[entry.match_key])
            )
            table.put(entry.match_key.encode(), record.to_bytes())
    return table


@settings(max_examples=300, deadline=None)
@given(st.lists(READS, min_size=1, max_size=4), ENTRIES)
def test_the_join_gives_what_a_slow_obvious_reference_gives(
    reads: list[Read], entries: list[HotListEntry]
) -> None:
    table = listed(entries)
    for read in reads:
        key = read.match_key.encode()
        concerned = table.entries(key) if table.concerns(key) else ()
        found = {
            (h.entry.entry_id, h.kind.value, len(h.differing_positions), contradicts(h))
            for h in hits(read, *concerned)
        }
        assert found == obvious(read, entries)
    table.close()


def contradicts(hit: Hit) -> bool:
    return hit.vehicle_contradiction is not None


def test_the_reference_test_uses_the_categories_that_ship() -> None:
    shipped = POLICY.categories
    assert [shipped[n].lookalike_positions for n in ("amber_alert", "stolen_vehicle", "scofflaw")] \
        == [2, 1, 0]  # fmt: skip
    assert Category.model_fields["lookalike_positions"].default == 1
