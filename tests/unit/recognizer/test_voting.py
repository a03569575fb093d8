"""Several frames' readings into one."""

import numpy as np
import pytest

from alpr_recognizer.domain import NO_READING
from alpr_recognizer.voting import Votes
from tests.unit.recognizer.scenes import reading


def voted(*readings: object) -> tuple[str, float]:
    votes = Votes()
    for one in readings:
        votes.add(one)  # type: ignore[arg-type]
    consensus = votes.consensus()
    return consensus.text, consensus.confidence


def test_one_reading_is_its_own_consensus() -> None:
    text, confidence = voted(reading("AB1234", 0.83))
    assert text == "AB1234"
    assert confidence == pytest.approx(0.83)


def test_agreeing_frames_make_it_surer() -> None:
    _, alone = voted(reading("AB1234", 0.7))
    text, together = voted(*[reading("AB1234", 0.7)] * 4)
    assert text == "AB1234"
    assert together > alone + 0.15


def test_a_single_bad_frame_is_outvoted() -> None:
    text, _ = voted(reading("AB1234", 0.8), reading("A81Z34", 0.5), reading("AB1234", 0.8))
    assert text == "AB1234"


def test_frames_that_err_in_different_places_agree_on_the_truth() -> None:
    text, _ = voted(reading("AB1Z34", 0.6), reading("A81234", 0.6), reading("AB123A", 0.6))
    assert text == "AB1234"


def test_a_character_missing_from_one_frame_is_found_in_the_others() -> None:
    text, _ = voted(reading("AB1234", 0.8), reading("AB134", 0.6), reading("AB1234", 0.8))
    assert text == "AB1234"


def test_a_character_that_one_frame_alone_invented_is_left_out() -> None:
    text, _ = voted(reading("AB1234", 0.8), reading("IAB1234", 0.6), reading("AB1234", 0.8))
    assert text == "AB1234"


def test_a_missing_first_frame_character_comes_in_when_later_frames_have_it() -> None:
    text, _ = voted(reading("AB134", 0.5), *[reading("AB1234", 0.8)] * 3)
    assert text == "AB1234"


def test_doubt_survives_voting_as_alternatives() -> None:
    votes = Votes()
    votes.add(reading("AB0234", 0.6, {2: "O"}))
    votes.add(reading("ABO234", 0.6, {2: "0"}))
    consensus = votes.consensus()
    ((other, probability), *_) = consensus.alternatives(2)
    assert {consensus.text[2], other} == {"0", "O"}
    assert probability == pytest.approx(0.5, abs=0.05)


def test_a_frame_that_says_nothing_does_not_vote() -> None:
    votes = Votes()
    votes.add(NO_READING)
    votes.add(reading("AB1234", 0.8))
    assert votes.count == 1
    assert votes.consensus().text == "AB1234"


def test_every_position_is_a_distribution_after_voting() -> None:
    votes = Votes()
    for text in ("AB1234", "AB134", "A81234"):
        votes.add(reading(text, 0.6))
    consensus = votes.consensus()
    assert consensus.probabilities.sum(axis=1) == pytest.approx(np.ones(len(consensus.text)))
    assert 0 < consensus.confidence < 1


def test_jurisdictions_are_voted_on_too() -> None:
    votes = Votes()
    for _ in range(4):
        votes.add(reading("AB1234", 0.8))
    assert votes.consensus().jurisdictions["us-il"] > 0.95
