"""Plates drawn without fonts."""

import numpy as np
import pytest

from alpr_training.plate_art import JURISDICTIONS, GlyphStyle, plain, render_plate, serial
from alpr_training.plate_art.glyphs import CHARSET, glyph_mask
from alpr_training.plate_art.jurisdictions import separated


def test_every_jurisdiction_draws_a_plate_of_the_asked_height() -> None:
    rng = np.random.default_rng(1)
    for code, entry in JURISDICTIONS.items():
        text = plain(serial(entry, rng))
        image = render_plate(text, code, height_px=40, rng=rng)
        assert image.dtype == np.uint8
        assert image.shape[0] == 40
        assert image.shape[2] == 3
        assert image.std() > 20, f"{code} shows nothing"


def test_the_same_seed_draws_the_same_plate() -> None:
    first = render_plate("ABC123", "US-IL", height_px=50, rng=np.random.default_rng(7))
    second = render_plate("ABC123", "US-IL", height_px=50, rng=np.random.default_rng(7))
    assert np.array_equal(first, second)


def test_an_unknown_jurisdiction_is_refused() -> None:
    with pytest.raises(KeyError):
        render_plate("ABC123", "US-ZZ", height_px=50, rng=np.random.default_rng(7))


@pytest.mark.parametrize("variant", [0, 1, 2, 3])
def test_no_two_characters_of_a_style_look_the_same(variant: int) -> None:
    style = GlyphStyle(variants=(variant,))
    drawn: dict[str, bytes] = {}
    for char in CHARSET:
        mask = glyph_mask(char, style)
        assert mask.max() > 200
        drawn[char] = mask.tobytes() + bytes(str(mask.shape), "ascii")
    alike = {a + b for a in drawn for b in drawn if a < b and drawn[a] == drawn[b]}
    assert alike <= {"1I"}, "only a bare 1 and a bare I may share their one stroke"


def test_separators_never_become_part_of_the_text() -> None:
    rng = np.random.default_rng(3)
    for entry in JURISDICTIONS.values():
        for _ in range(20):
            text = plain(serial(entry, rng, vanity=0.2))
            assert text.isalnum()
            assert plain(separated(text, entry, rng)) == text
