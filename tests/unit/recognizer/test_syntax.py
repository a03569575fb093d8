"""The order of letters and digits as a prior between look-alikes, never as a rule."""

import dataclasses

import numpy as np
import pytest

from alpr_recognizer.domain import CHARSET, Reading
from alpr_recognizer.forms import has_usual_form
from alpr_recognizer.syntax import likeliest, with_syntax
from tests.unit.recognizer.scenes import reading


def told(text: str, doubts: dict[int, str], jurisdictions: dict[str, float]) -> Reading:
    """A reading that leans to `text` (60 to 40) where `doubts` says what else it may be."""
    one = reading(text, 0.9**6)
    rows = one.probabilities.copy()
    for position, other in doubts.items():
        rows[position] = 1e-6
        rows[position, CHARSET.index(text[position])] = 0.6
        rows[position, CHARSET.index(other)] = 0.4
    return dataclasses.replace(one, probabilities=rows, jurisdictions=jurisdictions)


@pytest.mark.parametrize(
    ("text", "jurisdiction", "usual"),
    [
        ("ABC1234", "BR", True),
        ("ABC1D23", "BR", True),
        ("ABC12D3", "BR", False),
        ("BMW1234", "EU-D", True),
        ("B123MW", "EU-D", False),
        ("AB12CDE", "EU-GB", True),
        ("AB12CDE", "EU-F", False),
        ("AA123ZZ", "EU-F", True),
        ("AO123ZZ", "EU-F", False),
        ("4ABC123", "US-CA", True),
        ("4ABC1Z3", "US-CA", False),
        ("EU402AO", "EU-A", True),
        ("1TOM293", "EU-B", True),
        ("QAE051", "EU-B", True),
        ("1O23456", "EU-CZ", False),
        ("OVA1234", "EU-CZ", True),
        ("07924", "EU-D", True),
        ("BB041042", "EU-D", True),
        ("CD70030", "EU-E", True),
        ("1234OAB", "EU-E", False),
        ("Y280871", "EU-D", True),
        ("OX59CLU", "EU-GB", True),
        ("O926GVB", "EU-GB", False),
        ("1LUX", "EU-GB", True),
        ("131D12345", "EU-IRL", True),
        ("10DO574", "EU-IRL", False),
        ("BK38926", "EU-I", True),
        ("LU8171M", "EU-PL", True),
        ("RJAP750", "EU-PL", True),
        ("DBI47861", "EU-PL", True),
        ("WE1O234", "EU-PL", False),
        ("L0RAFI", "EU-PL", True),
        ("LORAF1", "EU-PL", False),
        ("BN12ABC", "EU-RO", True),
        ("B123OAB", "EU-RO", False),
        ("LJCM294", "EU-SLO", True),
        ("GO24LAB", "EU-SLO", True),
        ("G024LAB", "EU-SLO", False),
        ("34UG6386", "EU-TR", True),
        ("07YKR37", "EU-TR", True),
        ("O7YKR37", "EU-TR", False),
        ("ABC123", "unknown", None),
    ],
)
def test_the_forms_that_jurisdictions_issue(text: str, jurisdiction: str, usual: bool) -> None:
    assert has_usual_form(text, jurisdiction) is usual


def test_a_zero_among_the_letters_becomes_an_o_and_an_o_among_the_digits_a_zero() -> None:
    one = told("JQ012O4", {2: "O", 5: "0"}, {"BR": 0.98})
    assert with_syntax(one).text == "JQO1204"


def test_the_other_character_stays_an_alternative() -> None:
    after = with_syntax(told("JQ01234", {2: "O"}, {"BR": 0.98}))
    assert after.text == "JQO1234"
    assert after.alternatives(2)[0][0] == "0"
    assert after.probabilities.sum(axis=1) == pytest.approx(
        told("JQ01234", {2: "O"}, {}).probabilities.sum(axis=1)
    )
    assert 0 < after.confidence <= 1


def test_where_typefaces_draw_both_alike_the_form_decides_however_sure_the_pixels_are() -> None:
    one = reading("JQ01234", 0.999**7, {2: "O"})
    assert with_syntax(dataclasses.replace(one, jurisdictions={"BR": 0.98})).text == "JQO1234"


def test_clear_pixels_of_other_look_alikes_outweigh_the_prior() -> None:
    one = reading("JQ81234", 0.999**7, {2: "B"})
    assert with_syntax(dataclasses.replace(one, jurisdictions={"BR": 0.98})).text == "JQ81234"


def test_us_plates_are_answered_with_zeros_as_their_registers_write_them() -> None:
    one = dataclasses.replace(reading("GOLFER", 0.99**6), jurisdictions={"US-IL": 0.98})
    assert with_syntax(one).text == "G0LFER"


def test_between_two_countries_that_may_be_it_the_one_whose_forms_explain_the_text_decides() -> (
    None
):
    one = told("O926GVB", {0: "0"}, {"EU-GB": 0.79, "EU-E": 0.18})
    assert with_syntax(one).text == "0926GVB"


def test_a_letter_that_looks_like_a_digit_stays_where_the_country_issues_it() -> None:
    one = told("8AAI733", {3: "1"}, {"EU-B": 0.94})
    assert with_syntax(one).text == "8AAI733"


def test_a_jurisdiction_that_is_not_known_changes_nothing() -> None:
    one = told("JQ01234", {2: "O"}, {"unknown": 0.99})
    assert with_syntax(one) is one
    nobody = told("JQ01234", {2: "O"}, {})
    assert with_syntax(nobody) is nobody


def test_a_stray_character_goes_where_the_usual_length_is_nearly_as_likely() -> None:
    long = dataclasses.replace(reading("1ABC1234", 0.9**8), jurisdictions={"BR": 0.95})
    short = dataclasses.replace(reading("ABC1234", 0.8**8), jurisdictions={"BR": 0.95})
    chosen = likeliest([long, short])
    assert chosen.text == "ABC1234"
    assert len(chosen.probabilities) == 7
    assert chosen.confidence < long.confidence + short.confidence


def test_a_sure_text_of_unusual_length_stays() -> None:
    long = dataclasses.replace(reading("1ABC1234", 0.99**8), jurisdictions={"BR": 0.95})
    short = dataclasses.replace(reading("ABC1234", 0.02), jurisdictions={"BR": 0.95})
    assert likeliest([long, short]).text == "1ABC1234"


def test_agreeing_with_the_form_makes_a_reading_surer_and_disagreeing_less_so() -> None:
    usual = told("JQO1234", {2: "0"}, {"BR": 0.98})
    assert with_syntax(usual).confidence > usual.confidence
    odd = told("JQO12X4", {2: "0"}, {"BR": 0.98})
    assert with_syntax(odd).confidence == pytest.approx(odd.confidence, rel=0.2)


def test_many_doubts_at_once_stay_affordable() -> None:
    rows = np.full((8, len(CHARSET)), 1 / len(CHARSET))
    one = Reading("O0I1B8S5", 1e-6, rows, 1.0, {"BR": 0.5, "EU-D": 0.5})
    assert len(with_syntax(one).text) == 8
