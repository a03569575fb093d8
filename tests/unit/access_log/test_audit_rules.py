"""Each rule by itself: what it points out, and what is like it and is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from alpr_access_log.audit.finding import Finding
from alpr_access_log.audit.records import Lapse, Lists, Looked, Record, Session, by_plate
from alpr_access_log.audit.rules import BY_NAME
from alpr_access_log.audit.rules.own_plates import keys_of
from alpr_access_log.audit.rules.volume import robust_z
from alpr_access_log.audit.shingles import alike, jaccard, shingles
from alpr_common.misuse import MisuseLimits

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NINE = BEGIN + 9 * HOUR


def search(at: datetime, person: str = "ann", **said: Any) -> Record:
    made: dict[str, Any] = {
        "record_id": uuid4(), "occurred_at": at, "service": "access-log", "action": "search",
        "outcome": "done", "person_id": person, "role": "officer", "session_id": "s-1",
        "address": "192.0.2.1", "purpose": "stolen_vehicle", "case_number": "26-000001",
        "suspicion": f"Words {uuid4()}", "plate": "AB12345",
    }  # fmt: skip
    return Record(**(made | said))


def found(rule: str, records: Sequence[Record], **said: Any) -> list[Finding]:
    limits = said.pop("limits", MisuseLimits())
    ordered = sorted(records, key=lambda r: r.occurred_at)
    looked = Looked(ordered, BEGIN, END, limits, **said)
    assert BY_NAME[rule].why_not(looked) is None
    return list(BY_NAME[rule].find(looked))


@pytest.mark.policy("131.6-3b", "131.6-3e")
def test_one_plate_over_days_is_pointed_out_through_look_alikes_and_patterns() -> None:
    spelt = ["BO5123", "805123", "BOS123", "B05?23", "BO5*", "BO5123"]
    records = [search(NINE + n * DAY, plate=plate) for n, plate in enumerate(spelt)]
    (finding,) = found("repeated_plate", records)
    assert len(finding.records) == 6
    assert "6 searches on 6 days" in finding.why
    assert finding.limits["repeated_plate_searches"] == "6"


def test_one_plate_on_one_day_or_with_approvals_is_not_pointed_out() -> None:
    assert not found("repeated_plate", [search(NINE + n * timedelta(minutes=5)) for n in range(9)])
    approved = [search(NINE + n * DAY, is_approved=True) for n in range(9)]
    assert not found("repeated_plate", approved)


def test_searches_of_the_month_before_count_where_the_last_is_inside() -> None:
    records = [search(NINE - 5 * DAY + n * DAY) for n in range(6)]
    (finding,) = found("repeated_plate", records)
    assert len(finding.records) == 6
    assert not found("repeated_plate", records[:-1])


def test_a_pattern_over_two_plates_stands_with_both() -> None:
    records = [search(NINE, plate="AB1"), search(NINE, plate="AB2"), search(NINE, plate="AB?")]
    assert {plate: len(group) for plate, group in by_plate(records).items()} == {"A81": 2, "A82": 2}


@pytest.mark.policy("131.6-3c")
def test_own_plates_are_found_through_patterns_and_when_refused() -> None:
    lists = Lists(is_own_plate=lambda person, key: (person, key) == ("ann", "A812345"))
    records = [
        search(NINE, plate="AB1234?"), search(NINE, plate="AB12345", outcome="refused"),
        search(NINE, "ben", plate="AB12345"), search(NINE, plate="XY1"),
    ]  # fmt: skip
    (finding,) = found("own_plate", records, lists=lists)
    assert (finding.people, len(finding.records)) == (("ann",), 2)
    assert "1 refused" in finding.why


def test_patterns_are_tried_out_up_to_two_unknown_characters() -> None:
    assert list(keys_of("A81")) == ["A81"]
    assert "A815" in set(keys_of("A8?5"))
    assert {"A8", "A8X", "A8XY"} <= set(keys_of("A8*"))
    assert not list(keys_of("A8???"))


@pytest.mark.policy("131.7-3b")
def test_a_case_that_is_on_no_list_is_pointed_out_unless_the_list_is_older() -> None:
    lists = Lists(cases=frozenset({"26000001"}), cases_until=BEGIN + 10 * DAY)
    records = [
        search(NINE, case_number="26 000001"), search(NINE, case_number="99-1"),
        search(NINE + 20 * DAY, case_number="26-777777"),
    ]  # fmt: skip
    (finding,) = found("no_such_case", records, lists=lists)
    assert [r.case_number for r in finding.records] == ["99-1"]
    assert finding.strength == "direct"


def test_without_a_list_a_case_number_of_no_known_format_is_a_weaker_sign() -> None:
    limits = MisuseLimits(case_number_formats=(r"2\d-\d{6}",))
    records = [search(NINE), search(NINE, case_number="asked by chief")]
    (finding,) = found("no_such_case", records, limits=limits)
    assert (len(finding.records), finding.strength) == (1, "weaker")
    bare = Looked(records, BEGIN, END, MisuseLimits())
    assert "neither" in (BY_NAME["no_such_case"].why_not(bare) or "")


def test_one_case_number_for_many_plates_is_pointed_out() -> None:
    records = [search(NINE + n * HOUR, plate=f"CD{n}{n}7") for n in range(13)]
    (finding,) = found("case_of_many_plates", records)
    assert "13 different plates" in finding.why
    assert not found("case_of_many_plates", records[:-1])


def test_a_search_outside_of_listed_shifts_is_pointed_out_and_overtime_is_not() -> None:
    shifts = {"ann": [(NINE, NINE + 8 * HOUR), (NINE + DAY, NINE + DAY + 8 * HOUR)]}
    lists = Lists(shifts=shifts, shifts_from=BEGIN, shifts_to=BEGIN + 5 * DAY)
    records = [
        search(NINE + HOUR), search(NINE + 8.5 * HOUR), search(NINE + 12 * HOUR),
        search(NINE + 10 * DAY), search(NINE + 12 * HOUR, "ben"),
    ]  # fmt: skip
    (finding,) = found("off_shift", records, lists=lists)
    assert [r.occurred_at for r in finding.records] == [NINE + 12 * HOUR]


def month_of_days(person: str = "ann", hour: int = 9) -> list[Record]:
    begin = BEGIN - 25 * DAY
    return [
        search(begin + n * DAY + (hour + h) * HOUR, person, plate=f"EF{n}{h}1")
        for n in range(30)
        for h in (0, 4, 7)
    ]


def test_a_night_of_somebody_who_works_by_day_is_a_weaker_sign() -> None:
    night = [search(BEGIN + 3 * DAY + timedelta(minutes=n), plate=f"N{n}") for n in range(3)]
    (finding,) = found("unusual_hour", [*month_of_days(), *night])
    assert finding.strength == "weaker"
    assert set(finding.records) == set(night)


def test_a_watch_that_has_changed_is_not_an_unusual_hour() -> None:
    changed = [
        search(BEGIN + (7 + n) * DAY + (22 + h) * HOUR, plate=f"W{n}{h}")
        for n in range(2)
        for h in range(2)
    ]
    assert not found("unusual_hour", [*month_of_days(), *changed])


@pytest.mark.policy("131.7-3c")
def test_two_addresses_that_take_turns_are_pointed_out_and_a_move_is_not() -> None:
    def at(minutes: int, place: int, session: str) -> Record:
        return search(
            NINE + timedelta(minutes=minutes), address=f"192.0.2.{place}", session_id=session
        )

    turns = [at(2 * n, n % 2, f"s-{n % 2}") for n in range(5)]
    (finding,) = found("two_places", turns)
    assert finding.strength == "direct"
    assert "took turns 3 times" in finding.why
    moved = [at(0, 1, "s-1"), at(5, 2, "s-2"), at(9, 2, "s-2")]
    assert not found("two_places", moved)
    one_session = [at(2 * n, n % 2, "s-1") for n in range(5)]
    assert not found("two_places", one_session)


def test_sessions_side_by_side_are_a_weaker_sign_if_both_were_used() -> None:
    sessions = [
        Session("s-1", "ann", "192.0.2.1", "192.0.2.1", NINE, NINE + 4 * HOUR),
        Session("s-2", "ann", "192.0.2.2", "192.0.2.2", NINE + HOUR, NINE + 3 * HOUR),
    ]
    records = [
        search(NINE + 1.5 * HOUR), search(NINE + 2 * HOUR, session_id="s-2", address="192.0.2.2"),
    ]  # fmt: skip
    (finding,) = found("overlapping_sessions", records, sessions=sessions)
    assert "120 minutes" in finding.why
    assert not found("overlapping_sessions", records[:1], sessions=sessions)


@pytest.mark.policy("131.7-3b")
def test_copied_words_are_found_whatever_number_was_put_in() -> None:
    said = "The driver of the van was seen leaving the pharmacy after the alarm, note"
    records = [
        search(NINE + n * DAY, plate=f"GH{n}{n}1", case_number=f"26-{n}", suspicion=f"{said} {n}!")
        for n in range(4)
    ]
    (finding,) = found("copied_words", records)
    assert len(finding.records) == 4
    assert finding.words == f"{said} 3!"
    same_case = [search(r.occurred_at, plate=r.plate, suspicion=r.suspicion) for r in records]
    assert not found("copied_words", same_case)


def test_the_same_words_from_several_people_are_one_finding_about_all_of_them() -> None:
    said = "Suspicious vehicle near the scene as described by the reporting party"
    records = [
        search(NINE + n * HOUR, f"p-{n}", case_number=f"26-{n}", suspicion=said) for n in range(3)
    ]
    (finding,) = found("copied_among_people", records)
    assert finding.people == ("p-0", "p-1", "p-2")
    assert not found("copied_among_people", records[:2])


@pytest.mark.policy("131.4")
def test_a_day_with_far_more_searches_than_the_persons_others_is_a_weaker_sign() -> None:
    many = [search(NINE + 20 * DAY + n * timedelta(minutes=2), plate=f"I{n}9") for n in range(40)]
    (finding,) = found("volume_of_day", [*month_of_days(), *many])
    assert finding.strength == "weaker"
    assert len(finding.records) == 40
    assert not found("volume_of_day", month_of_days())


def test_a_month_far_above_the_role_and_above_ones_own_is_a_weaker_sign() -> None:
    others = [r for n in range(5) for r in month_of_days(f"p-{n}")]
    before = [r for r in month_of_days() if r.occurred_at < BEGIN]
    many = [
        search(NINE + n % 25 * DAY + n * timedelta(minutes=1), plate=f"J{n}") for n in range(300)
    ]
    (finding,) = found("volume_of_role", [*others, *before, *many])
    assert finding.people == ("ann",)
    assert "others of the role officer" in finding.why


def test_a_robust_z_is_not_moved_by_one_outlier() -> None:
    assert robust_z(10, [5, 6, 5, 6, 5, 1000], 1.0) < 6
    assert robust_z(60, [5, 6, 5, 6, 5, 6], 1.0) > 6


@pytest.mark.policy("131.1", "131.6-3d")
def test_a_purpose_that_the_role_does_not_have_is_pointed_out() -> None:
    records = [
        search(NINE, role="cso", purpose="criminal_investigation"),
        search(NINE, "ben", role="officer", purpose="criminal_investigation"),
    ]
    (finding,) = found("purpose_out_of_role", records)
    assert finding.people == ("ann",)


@pytest.mark.policy("131.6-1")
def test_what_was_answered_after_a_lapse_and_much_right_before_it_is_pointed_out() -> None:
    lapse = Lapse("ann", "leads", NINE + 10 * DAY, NINE + 11 * DAY)
    after = [search(NINE + 10 * DAY + HOUR)]
    (finding,) = found("after_lapse", after, lapses=[lapse])
    assert finding.strength == "direct"
    rush = [search(NINE + 10 * DAY - n * timedelta(minutes=5), plate=f"K{n}") for n in range(1, 10)]
    (finding,) = found("before_lapse", rush, lapses=[lapse])
    assert finding.strength == "weaker"
    bare = Looked(rush, BEGIN, END, MisuseLimits())
    assert "identity" in (BY_NAME["before_lapse"].why_not(bare) or "")


def test_refusals_for_want_of_training_again_and_again_are_a_weaker_sign() -> None:
    records = [
        search(NINE + n * DAY, outcome="refused", refusal_code="leads-training-lapsed")
        for n in range(3)
    ]
    (finding,) = found("refused_untrained", records)
    assert finding.strength == "weaker"
    assert not found("refused_untrained", records[:2])


@pytest.mark.policy("131.7-3b")
def test_refusals_of_a_reason_and_then_other_words_are_pointed_out() -> None:
    refused = [
        search(NINE + timedelta(minutes=n), outcome="refused", refusal_code="suspicion-too-short",
               suspicion="curious", plate="ab 123 45")
        for n in range(3)
    ]  # fmt: skip
    success = search(NINE + timedelta(minutes=6))
    (finding,) = found("altered_words", [*refused, success])
    assert len(finding.records) == 4
    late = search(NINE + 3 * HOUR)
    assert not found("altered_words", [*refused, late])
    assert not found("altered_words", [*refused[:2], success])


def test_services_are_nobodys_own_sake() -> None:
    records = [search(NINE + n * DAY, role="service") for n in range(9)]
    assert not found("repeated_plate", records)


def test_a_finding_has_the_same_id_however_much_of_its_month_was_seen() -> None:
    records = [search(NINE + n * DAY) for n in range(8)]
    (early,) = found("repeated_plate", records[:6])
    (late,) = found("repeated_plate", records)
    assert early.id_in("IL1", BEGIN) == late.id_in("IL1", BEGIN)
    assert early.id_in("IL1", BEGIN) != early.id_in("IL2", BEGIN)
    assert early.id_in("IL1", BEGIN) != early.id_in("IL1", END)


@pytest.mark.parametrize("similarity", [0.5, 0.56, 0.6, 2 / 3, 0.8, 1.0])
def test_similar_texts_are_found_exactly_as_comparing_all_pairs_would(similarity: float) -> None:
    import random

    rnd = random.Random(7)
    words = [f"w{chr(97 + n)}" for n in range(9)]
    texts = [" ".join(rnd.choice(words) for _ in range(rnd.randrange(1, 9))) for _ in range(150)]
    texts += [f"{text} tail" for text in texts[:20]]
    expected = {
        (a, b)
        for a in range(len(texts))
        for b in range(a)
        if jaccard(shingles(texts[a]), shingles(texts[b])) >= similarity
    }
    groups = alike(texts, similarity)
    together = {n: number for number, group in enumerate(groups) for n in group}
    assert all(a in together and together[a] == together.get(b) for a, b in expected)
    assert set(together) == {n for pair in expected for n in pair}
