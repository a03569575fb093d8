"""Which privacy masks are taken: outlines that never meet themselves; their inside is covered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr_ingest.domain import Polygon
from alpr_ingest.handlers import CameraDetails
from alpr_ingest.masks import refuse_masks_that_cross_themselves, sides_that_meet
from alpr_ingest.pictures import burn_in
from alpr_ingest.refusals import MaskCrossesItself

SQUARE: Polygon = ((0, 0), (1, 0), (1, 1), (0, 1))
BOW_TIE: Polygon = ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))


@pytest.mark.policy("131.6-3a")
@pytest.mark.parametrize(
    "mask",
    [
        BOW_TIE,
        SQUARE * 2,  # twice around the same: nothing of it would be covered
        ((0.5, 0), (0.8, 1), (0, 0.4), (1, 0.4), (0.2, 1)),  # a star in one stroke
        ((0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)),  # a corner on another side
        ((0, 0), (0.5, 0.5), (1, 0), (1, 1), (0.5, 0.5), (0, 1)),  # one corner twice
        ((0, 0), (1, 0), (0.5, 0), (0, 1)),  # back over its own line
        ((0.5, 0), (0, 1), (0, 0), (1, 0)),  # the same, around the end of the list
        ((0, 0), (0.5, 0.5), (1, 1)),  # a line
        ((0, 0), (1, 1), (0, 0)),
        ((0.3, 0.3),) * 3,
    ],
)
def test_a_mask_whose_outline_meets_itself_is_refused(mask: Polygon) -> None:
    with pytest.raises(MaskCrossesItself) as refused:
        CameraDetails(privacy_masks=(SQUARE, mask))
    assert refused.value.clause == "131.6-3a"
    assert refused.value.extra["mask"] == 2
    assert "Mask 2 of 2" in refused.value.detail


@pytest.mark.parametrize(
    "mask",
    [
        SQUARE,
        tuple(reversed(SQUARE)),
        (*SQUARE, SQUARE[0]),  # the first corner again as the last
        ((0, 0), (0, 0), (1, 0), (1, 0), (1, 1)),
        ((0, 0), (0.5, 0), (1, 0), (1, 1)),  # a corner in the middle of a straight side
        ((0, 0), (1, 0), (1, 1), (0.5, 0.2), (0, 1)),  # a hook
        ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0.9), (0.9, 0.9), (0.9, 0.1), (0, 0.1)),  # a clasp
    ],
)
def test_a_mask_whose_outline_never_meets_itself_is_taken(mask: Polygon) -> None:
    assert sides_that_meet(mask) is None
    refuse_masks_that_cross_themselves([mask])


def test_the_sides_that_meet_are_named_by_the_corners_where_they_begin() -> None:
    assert sides_that_meet(BOW_TIE) == (1, 3)
    assert sides_that_meet((BOW_TIE[0], *BOW_TIE)) == (1, 4)


_FRACTION = st.integers(0, 8).map(lambda eighths: eighths / 8)


@pytest.mark.policy("131.6-3a")
@given(st.lists(st.tuples(_FRACTION, _FRACTION), min_size=3, max_size=9))
def test_what_lies_within_a_mask_that_is_taken_is_black(corners: list[tuple[float, float]]) -> None:
    mask = tuple(corners)
    if sides_that_meet(mask) is not None:
        return
    size = 81
    pixels = np.full((size, size, 3), 255, np.uint8)
    burn_in(pixels, [mask])
    for row in range(0, size, 7):
        for column in range(0, size, 7):
            if _winds_around(mask, column / (size - 1), row / (size - 1)):
                assert pixels[row, column].max() == 0, (row, column)


def _winds_around(mask: Polygon, x: float, y: float) -> bool:
    """Whether the outline goes round a point, however often, by the angles it is seen under."""
    angles = [math.atan2(b - y, a - x) for a, b in mask]
    turned = [math.remainder(angles[n] - angles[n - 1], math.tau) for n in range(len(angles))]
    if any(abs(abs(part) - math.pi) < 1e-9 for part in turned):
        return False  # on the outline itself
    return abs(sum(turned)) > math.pi
