"""What a search must say before the door opens, and what it may ask."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from alpr_access_log import domain, refusals
from alpr_access_log.domain import Position, Query
from alpr_access_log.search_sql import spans
from alpr_common.errors import AlprError
from alpr_common.policy import CLAUSES, Policy

POLICY = Policy()
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SAID: dict[str, Any] = {
    "purpose": "stolen_vehicle",
    "case_number": "26-000123",
    "suspicion": "White van left the scene of the burglary",
    "attested": True,
}


def reason(**changed: Any) -> domain.Reason:
    return domain.checked_reason(**(SAID | changed), policy=POLICY)


def query(**changed: Any) -> Query:
    said: dict[str, Any] = {
        "plate": "AB12345",
        "lookalike": False,
        "from_at": NOON - timedelta(hours=1),
        "to_at": NOON,
        "camera_ids": [],
    }
    return domain.checked_query(**(said | changed), policy=POLICY)


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("missing", [None, "", "  "])
def test_a_search_without_a_purpose_is_refused(missing: str | None) -> None:
    with pytest.raises(refusals.PurposeMissing) as refused:
        reason(purpose=missing)
    assert refused.value.clause == "131.7-3a"


@pytest.mark.policy("131.1")
def test_a_purpose_that_is_not_the_agencys_is_refused() -> None:
    with pytest.raises(refusals.PurposeUnknown) as refused:
        reason(purpose="curiosity")
    assert refused.value.clause == "131.1"


@pytest.mark.policy("131.7-3b")
def test_a_search_without_a_case_number_is_refused() -> None:
    with pytest.raises(refusals.CaseNumberMissing) as refused:
        reason(case_number="  ")
    assert refused.value.clause == "131.7-3b"


@pytest.mark.policy("131.7-3b")
def test_a_search_without_suspicion_in_words_is_refused() -> None:
    with pytest.raises(refusals.SuspicionMissing) as refused:
        reason(suspicion=None)
    assert refused.value.clause == "131.7-3b"


@pytest.mark.policy("131.7-3b")
def test_spaces_do_not_make_a_suspicion_longer() -> None:
    with pytest.raises(refusals.SuspicionTooShort) as refused:
        reason(suspicion="car" + " " * 40 + "x")
    assert refused.value.clause == "policy file"


@pytest.mark.policy("131.6-3b")
@pytest.mark.policy("131.6-3c")
@pytest.mark.policy("131.6-3d")
@pytest.mark.policy("131.6-3e")
@pytest.mark.parametrize("attested", [None, False])
def test_a_search_without_the_attestation_is_refused(attested: bool | None) -> None:
    with pytest.raises(refusals.NotAttested) as refused:
        reason(attested=attested)
    assert refused.value.clause == "131.6-3b"
    for clause in ("131.6-3b", "131.6-3c", "131.6-3d", "131.6-3e"):
        assert clause in refused.value.detail


def test_every_refusal_cites_a_clause_that_the_policy_has() -> None:
    classes = [c for c in vars(refusals).values() if isinstance(c, type)]
    cited = {c.clause for c in classes if issubclass(c, AlprError) and c.clause}
    assert cited <= CLAUSES.keys()


@pytest.mark.policy("131.6-3b")
@pytest.mark.parametrize(
    "again",
    [
        "White van left the scene of the burglary",
        "  white VAN left the scene, of the burglary. ",
    ],
)
def test_a_copy_of_the_previous_suspicion_is_refused_however_punctuated(again: str) -> None:
    with pytest.raises(refusals.SuspicionCopied):
        domain.refuse_copied_suspicion(again, SAID["suspicion"])


def test_another_suspicion_or_the_first_one_is_not_a_copy() -> None:
    domain.refuse_copied_suspicion(SAID["suspicion"], None)
    domain.refuse_copied_suspicion("The same van was seen near the bank", SAID["suspicion"])


@pytest.mark.policy("131.6-3d")
@pytest.mark.parametrize("plate", [None, "", "   "])
def test_a_sweep_without_a_plate_is_refused(plate: str | None) -> None:
    with pytest.raises(refusals.PlateMissing):
        query(plate=plate)


@pytest.mark.policy("131.6-3e")
@pytest.mark.parametrize("plate", ["*", "?????", "A*", "*1?2*"])
def test_a_pattern_that_names_too_few_characters_is_refused(plate: str) -> None:
    with pytest.raises(refusals.WildcardTooWide):
        query(plate=plate)


@pytest.mark.parametrize("plate", ["---", "1234567890123", "ABCDEF??1234567*"])
def test_text_that_cannot_be_a_plate_is_refused(plate: str) -> None:
    with pytest.raises(refusals.PlateMalformed):
        query(plate=plate)


@pytest.mark.parametrize(
    ("written", "asked"),
    [("ab-12 345", "AB12345"), ("ab?1**2", "AB?1*2"), ("*bö 12*", "*BO12*")],
)
def test_a_plate_is_normalized_around_its_wildcards(written: str, asked: str) -> None:
    assert query(plate=written).plate == asked


def test_an_exact_plate_is_looked_for_as_written() -> None:
    asked = query(plate="BOI 5").plate_question
    assert asked is not None
    assert (asked.column, asked.equal) == ("plate", "BOI5")


def test_a_lookalike_search_folds_the_plate() -> None:
    asked = query(plate="BOI5", lookalike=True).plate_question
    assert asked is not None
    assert (asked.column, asked.equal) == ("match_key", "8015")


def test_a_wildcard_search_is_a_pattern_within_the_range_of_its_prefix() -> None:
    asked = query(plate="AB?12*").plate_question
    assert asked is not None
    assert (asked.equal, asked.like, asked.low) == (None, "AB_12%", "AB")
    assert asked.low <= "ABX12ZZZ" < asked.high
    assert not asked.low <= "AC012" < asked.high


def test_a_lookalike_pattern_folds_its_letters_alone() -> None:
    asked = query(plate="*BO?1", lookalike=True).plate_question
    assert asked is not None
    assert (asked.column, asked.like, asked.low) == ("match_key", "%80_1", "")


@pytest.mark.parametrize(
    ("from_at", "to_at"), [(None, NOON), (NOON, None), (NOON, NOON), (NOON, NOON - timedelta(1))]
)
def test_a_search_without_a_time_window_is_refused(
    from_at: datetime | None, to_at: datetime | None
) -> None:
    with pytest.raises(refusals.WindowMalformed):
        query(from_at=from_at, to_at=to_at)


def test_a_window_longer_than_the_policy_allows_is_refused() -> None:
    longest = timedelta(days=POLICY.search_window_max_days)
    query(from_at=NOON - longest, to_at=NOON)
    with pytest.raises(refusals.WindowTooLong):
        query(from_at=NOON - longest - timedelta(seconds=1), to_at=NOON)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_larger_than_the_policy_allows_is_refused(limit: int) -> None:
    with pytest.raises(refusals.LimitTooLarge):
        domain.checked_limit(limit, POLICY)


def test_a_query_comes_back_from_its_record_unchanged() -> None:
    asked = query(plate="AB?12*", lookalike=True, camera_ids=["b", "a", "b"])
    assert Query.from_record(asked.to_record()) == asked
    assert asked.camera_ids == ("a", "b")


def test_a_cursor_comes_back_to_the_microsecond() -> None:
    position = Position(uuid4(), datetime(1969, 5, 4, 1, 2, 3, 456789, tzinfo=UTC), uuid4())
    assert Position.of(position.cursor) == position


@pytest.mark.parametrize("cursor", ["", "x", "ä" * 20, "AAAA=AAAA", "A" * 53, "A" * 60, "!" * 54])
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(refusals.CursorInvalid):
        Position.of(cursor)


@pytest.mark.parametrize(
    ("pattern", "pairs"),
    [
        ("AB1*", None),
        ("*2345", ("23", "34", "45", "5$")),
        ("A*23O", ("23", "30", "^A", "0$")),
        ("*A1B*", ("18", "A1")),
        ("AB?45", ("45", "5$", "A8", "^A")),
        ("*1*2*3*", ()),
    ],
)
def test_a_pattern_is_looked_up_by_neighbours_unless_its_start_says_all(
    pattern: str, pairs: tuple[str, ...] | None
) -> None:
    asked = query(plate=pattern).plate_question
    assert asked is not None
    assert asked.pairs == (None if pairs is None else tuple(sorted(pairs)))


def test_a_pattern_is_asked_for_day_by_day_and_then_in_longer_spans() -> None:
    asked = query(plate="*A1B*", from_at=NOON - timedelta(days=20), to_at=NOON)
    found = list(spans(asked, None))
    assert found[0] == (NOON.replace(hour=0), NOON)
    assert [end for _, end in found[1:]] == [start for start, _ in found[:-1]]
    assert found[-1][0] == asked.from_at
    assert [end.date() - start.date() for start, end in found[1:4]] == [
        timedelta(days=n) for n in (2, 4, 8)
    ]


def test_a_further_page_of_a_pattern_begins_where_the_last_ended() -> None:
    asked = query(plate="*A1B*", from_at=NOON - timedelta(days=3), to_at=NOON)
    after = Position(uuid4(), NOON - timedelta(days=2), uuid4())
    assert next(spans(asked, after))[1] == after.captured_at + timedelta(microseconds=1)
    first = datetime(1, 1, 1, tzinfo=UTC)
    oldest = replace(asked, from_at=first, to_at=first + timedelta(days=5))
    assert list(spans(oldest, None))[-1][0] == first


@pytest.mark.policy("131.6-3d")
def test_a_sweep_has_bounds_in_time_and_space() -> None:
    circle = domain.Circle(41.84, -87.95, 5000)
    assert query(plate=None, area=circle).subject == "sweep"
    # The square around the largest circle is the largest box.
    assert query(plate=None, area=circle.box).area == circle.box
    too_wide: list[dict[str, Any]] = [
        {"area": domain.Circle(41.84, -87.95, 5001)},
        {"area": domain.Box(41.0, -88.0, 42.0, -87.99)},
        {"area": circle, "from_at": NOON - timedelta(hours=25)},
        {"camera_ids": [f"cam-{n}" for n in range(11)]},
    ]
    for wide in too_wide:
        with pytest.raises(refusals.SweepTooWide):
            query(plate=None, **wide)


def test_what_a_search_asked_is_read_back_from_its_record() -> None:
    for area in (None, domain.Circle(41.84, -87.95, 300), domain.Box(41.8, -88.0, 41.9, -87.9)):
        asked = query(area=area, jurisdictions=["WI", "IL"], hit=False)
        assert Query.from_record(asked.to_record()) == asked


@pytest.mark.policy("131.6-3e")
def test_lookalikes_and_patterns_are_the_same_plate_again() -> None:
    for one, other in [
        ("AB123", "AB123"),
        ("ABO12", "AB012"),
        ("AB1*", "AB123"),
        ("A?123", "AB123"),
    ]:
        assert domain.asks_for_the_same(one, other)
        assert domain.asks_for_the_same(other, one)
    assert not domain.asks_for_the_same("AB123", "AB124")
    assert not domain.asks_for_the_same("AB*", "CD*")
    previous = ["AB123", "AB12?", None, "XY999"]
    domain.refuse_repetition(query(plate="AB123"), previous, Policy(plate_searches_per_day_max=3))
    with pytest.raises(refusals.RepeatNeedsApproval):
        domain.refuse_repetition(
            query(plate="AB123"), previous, Policy(plate_searches_per_day_max=2)
        )


def test_a_convoy_question_comes_back_from_its_record_unchanged() -> None:
    asked = domain.checked_convoy(
        query(plate="BOI5", from_at=NOON - timedelta(days=1), to_at=NOON),
        domain.Convoy(within_seconds=60, cameras=3),
        POLICY,
    )
    assert Query.from_record(asked.to_record()) == asked
    assert asked.subject == "convoy:BOI5"


@pytest.mark.policy("131.6-3e")
@pytest.mark.parametrize(
    ("plate", "within_seconds", "cameras", "refusal"),
    [
        ("BOI*", 60, 3, refusals.ConvoyMalformed),
        ("BOI5", 121, 3, refusals.ConvoyTooWide),
        ("BOI5", 0, 3, refusals.ConvoyTooWide),
        ("BOI5", 60, 2, refusals.ConvoyTooWide),
    ],
)
def test_a_convoy_has_one_plate_and_bounds(
    plate: str, within_seconds: int, cameras: int, refusal: type[refusals.SearchRefused]
) -> None:
    asked = query(plate=plate, from_at=NOON - timedelta(days=1), to_at=NOON)
    with pytest.raises(refusal):
        domain.checked_convoy(asked, domain.Convoy(within_seconds, cameras), POLICY)
