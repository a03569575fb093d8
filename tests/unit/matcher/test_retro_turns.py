"""Whom retro-match asks first, and for how long it leaves alone who could not be asked."""

from datetime import UTC, datetime, timedelta

from alpr_matcher.turns import Turns

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def left_alone_seconds(turns: Turns) -> float:
    return (turns.failed("a", NOW) - NOW).total_seconds()


def test_who_fails_again_and_again_is_left_alone_for_longer_up_to_five_minutes() -> None:
    turns = Turns()
    seconds = [left_alone_seconds(turns) for _ in range(2000)]
    assert seconds[:8] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert set(seconds[8:]) == {300}


def test_an_answer_makes_earlier_failures_forgotten() -> None:
    turns = Turns()
    turns.failed("a", NOW)
    turns.failed("a", NOW)
    turns.answered("a")
    assert turns.not_before("a", NOW) == NOW
    assert left_alone_seconds(turns) == 5


def test_whoever_was_asked_longest_ago_is_asked_first() -> None:
    turns = Turns()
    for n, agency_id in enumerate(("c", "a", "b")):
        turns.asked(agency_id, NOW + timedelta(seconds=n))
    assert turns.in_turn({"a", "b", "c", "d"}) == ["d", "c", "a", "b"]


def test_who_did_not_fail_may_be_asked_at_once_and_others_when_their_time_is_over() -> None:
    turns = Turns()
    until = turns.failed("a", NOW)
    assert turns.not_before("a", NOW) == until > NOW
    assert turns.not_before("a", until) == until
    assert turns.not_before("b", NOW) == NOW
