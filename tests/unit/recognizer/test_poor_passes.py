"""The drawn passes that voting is measured on."""

import numpy as np
import pytest
import simplejpeg

from bench._poor_passes import CONDITIONS, drawn_pass
from bench.voting import share


def test_a_pass_is_the_same_every_time_and_another_for_another_seed() -> None:
    one, again, other = (drawn_pass("glare", seed, 3, 2) for seed in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_frame_says_where_its_plates_are(condition: str) -> None:
    drawn = drawn_pass(condition, 5, 1, 2)
    assert len(drawn.plates) == (2 if condition == "two" else 1)
    for frame in drawn.frames:
        height, width, *_ = simplejpeg.decode_jpeg_header(frame.jpeg)
        assert len(frame.boxes) == len(drawn.plates)
        for box in frame.boxes:
            if box is not None:
                assert 0 <= box[0] < box[2] <= width
                assert 0 <= box[1] < box[3] <= height


def test_the_box_is_where_the_plate_was_drawn() -> None:
    (frame, *_) = drawn_pass("clear", 5, 1, 1).frames
    (box,) = frame.boxes
    assert box is not None
    x1, y1, x2, y2 = (round(v) for v in box)
    grey = simplejpeg.decode_jpeg(frame.jpeg, "GRAY")[..., 0].astype(np.float64)
    strokes = np.abs(np.diff(grey, axis=1))
    # Characters have edges, the bodywork under their plate has none.
    assert strokes[y1:y2, x1:x2].mean() > 2 * strokes[y2 + 4 : 2 * y2 - y1, x1:x2].mean()


def test_two_vehicles_come_side_by_side_or_one_after_the_other() -> None:
    beside, behind = drawn_pass("two", 5, 0, 3), drawn_pass("two", 5, 1, 3)
    assert all(None not in frame.boxes for frame in beside.frames)
    assert all(None in frame.boxes for frame in behind.frames)


def test_a_share_has_its_interval() -> None:
    told = share([True] * 9 + [False])
    assert told == {"share": 0.9, "from": 0.596, "to": 0.982}
    assert share([True] * 5)["to"] == 1.0
