"""Several frames' readings into one."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from alpr_recognizer.domain import NO_READING, Reading
from alpr_recognizer.voting import Votes, VotingRules
from tests.unit.recognizer.scenes import reading


def voted(*readings: Reading, rules: VotingRules = VotingRules()) -> tuple[str, float]:
    votes = Votes(rules)
    for one in readings:
        votes.add(one)
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


def test_one_sharp_frame_is_not_outvoted_by_many_blurred_ones() -> None:
    blurred = [reading(text, 0.02) for text in ("FO05", "TB81", "FYD256", "F0152", "FO0S")]
    text, confidence = voted(*blurred, reading("FYD1256", 0.98))
    assert text == "FYD1256"
    assert confidence > 0.9


def test_nor_by_many_blurred_ones_that_err_alike_as_it_would_be_were_all_weighed_alike() -> None:
    frames = [*[reading("FVD1256", 0.3)] * 6, reading("FYD1256", 0.98)]
    assert voted(*frames)[0] == "FYD1256"
    assert voted(*frames, rules=VotingRules(by_confidence=0))[0] == "FVD1256"


def test_many_sure_frames_outvote_one_that_is_a_little_surer() -> None:
    text, _ = voted(reading("DFL9541", 0.86), *[reading("DFL3541", 0.7)] * 3)
    assert text == "DFL3541"


def test_blurred_frames_that_agree_are_still_worth_something() -> None:
    _, alone = voted(reading("AB1234", 0.3))
    text, together = voted(*[reading("AB1234", 0.3)] * 4)
    assert text == "AB1234"
    assert together > alone


def test_a_plate_cut_short_in_the_surest_frame_is_whole_in_the_vote() -> None:
    whole = [reading("WNN2604", 0.97)] * 3
    text, confidence = voted(reading("WNN260", 0.99), *whole)
    assert text == "WNN2604"
    assert confidence > 0.9


def test_pieces_of_both_ends_make_the_whole_when_a_frame_shows_how_they_join() -> None:
    text, _ = voted(reading("49SF5", 0.7), reading("F5835", 0.7), reading("49SF5835", 0.7))
    assert text == "49SF5835"


def test_a_character_that_a_post_hides_is_taken_from_the_frames_that_show_it() -> None:
    hidden = [reading("642NK", 0.93)] * 2
    text, _ = voted(*[reading("642ENK", 0.8)] * 4, *hidden)
    assert text == "642ENK"


def test_posts_before_different_characters_hide_none_of_them() -> None:
    text, _ = voted(reading("AB124", 0.8), reading("A1234", 0.8), reading("B1234", 0.8),
                    reading("AB1234", 0.6))  # fmt: skip
    assert text == "AB1234"


def test_frames_that_agree_on_the_text_but_doubt_its_length_keep_every_character() -> None:
    doubtful = replace(reading("19012", 0.4), length_certainty=0.4)
    text, confidence = voted(*[doubtful] * 5)
    assert text == "19012"
    assert confidence > 0.4


def test_the_order_of_the_frames_does_not_matter() -> None:
    frames = [reading("AB1234", 0.8), reading("AB134", 0.6), reading("A81234", 0.5)]
    told = {voted(*order) for order in permutations(frames)}
    assert len(told) == 1


def test_what_many_equal_frames_say_is_not_taken_for_that_many_proofs() -> None:
    _, two = voted(*[reading("AB1234", 0.7)] * 2)
    _, eight = voted(*[reading("AB1234", 0.7)] * 8)
    independent = VotingRules(in_common=0)
    _, too_sure = voted(*[reading("AB1234", 0.7)] * 8, rules=independent)
    assert two < eight < too_sure


def test_only_the_surest_readings_are_kept_but_all_are_counted() -> None:
    votes = Votes()
    for confidence in (0.9, *[0.01] * 200):
        votes.add(reading("AB1234", confidence))
    assert votes.count == 201
    assert len(votes._readings) == VotingRules().most
    assert votes.consensus().confidence == pytest.approx(0.9)


def test_it_is_known_how_many_frames_say_what_the_vote_says() -> None:
    votes = Votes()
    assert votes.agreeing == 0
    for text in ("AB1234", "A81234", "AB1234"):
        votes.add(reading(text, 0.8))
    assert votes.agreeing == 2


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
