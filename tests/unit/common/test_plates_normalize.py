"""Plate text: written down one way, folded where characters look alike."""

from __future__ import annotations

import doctest
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_common import plates
from alpr_common.plates import (
    LOOKALIKES,
    differing_positions,
    looks_alike,
    match_key,
    normalize,
)

CHARACTERS = string.ascii_uppercase + string.digits
PLATES = st.text(CHARACTERS, min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("ab 12-34", "AB1234"),
        ("KÖ·AB 12", "KOAB12"),
        ("Straße 1", "STRASSE1"),
        ("SØR 7", "SOR7"),
        ("ÆØÅ-1", "AEOA1"),
        ("Łódź 5", "LODZ5"),
        ("ＡＢ１２", "AB12"),
        ("1ª", "1A"),
        ("\t A\n1 ", "A1"),
        ("", ""),
        ("—·-", ""),
    ],
)
def test_plates_are_written_down_one_way(written: str, normalized: str) -> None:
    assert normalize(written) == normalized


@given(st.text(max_size=40))
def test_normalized_text_has_only_capitals_and_digits_and_stays_as_it_is(text: str) -> None:
    once = normalize(text)
    assert set(once) <= set(CHARACTERS)
    assert normalize(once) == once


@given(PLATES)
def test_case_and_separators_do_not_matter(plate: str) -> None:
    assert normalize("-".join(plate.lower())) == plate


@pytest.mark.parametrize("group", ["0ODQ", "1IL", "2Z", "5S", "8B", "6G"])
def test_the_characters_that_look_alike_are_these(group: str) -> None:
    assert group in LOOKALIKES
    assert {match_key(c) for c in group} == {group[0]}


def test_no_character_is_in_two_groups() -> None:
    together = "".join(LOOKALIKES)
    assert len(together) == len(set(together))
    assert len(LOOKALIKES) == 6


@given(PLATES)
def test_a_match_key_folds_once_and_keeps_the_length(plate: str) -> None:
    key = match_key(plate)
    assert match_key(key) == key
    assert len(key) == len(plate)
    assert all(looks_alike(a, b) for a, b in zip(plate, key, strict=True))


@given(PLATES, st.data())
def test_texts_have_one_key_exactly_when_every_position_looks_alike(
    plate: str, data: st.DataObject
) -> None:
    other = data.draw(st.text(CHARACTERS, min_size=len(plate), max_size=len(plate)))
    alike = all(looks_alike(a, b) for a, b in zip(plate, other, strict=True))
    assert (match_key(plate) == match_key(other)) is alike


@given(PLATES, st.data())
def test_differing_positions_are_where_a_look_alike_was_put(
    plate: str, data: st.DataObject
) -> None:
    groups = {c: group for group in LOOKALIKES for c in group}
    other = "".join(data.draw(st.sampled_from(groups.get(c, c))) for c in plate)
    places = differing_positions(plate, other)
    assert match_key(plate) == match_key(other)
    assert all((i in places) == (plate[i] != other[i]) for i in range(len(plate)))
    assert differing_positions(plate, plate) == ()


def test_texts_of_different_length_cannot_be_compared_by_position() -> None:
    with pytest.raises(ValueError):
        differing_positions("AB1", "AB12")


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(plates).failed == 0
