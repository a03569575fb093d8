"""Synthetic samples: reproducible, and with truths that fit what is drawn."""

from pathlib import Path

import numpy as np
import pytest

from alpr_training.pool import jurisdiction_of, load_pool, usable_text
from alpr_training.synth.camera import Shot, reader_crop

pytest.importorskip("PIL", reason="fonts are read with Pillow (requirements/gpu.txt)")

from alpr_training.synth.lettering import FontsMissing, plate_fonts
from alpr_training.synth.press import Press
from alpr_training.synth.scene import Views


@pytest.fixture(scope="module")
def press() -> Press:
    try:
        plate_fonts()
    except FontsMissing as missing:
        pytest.skip(str(missing))
    return Press(seed=3)


def test_the_press_repeats_itself_for_the_same_seed(press: Press) -> None:
    again = Press(seed=3)
    for number in range(12):
        first = press.plate(np.random.default_rng(number))
        second = again.plate(np.random.default_rng(number))
        assert first.text == second.text
        assert np.array_equal(first.image, second.image)


def test_us_texts_write_every_round_letter_as_zero(press: Press) -> None:
    plates = [press.plate(np.random.default_rng(n)) for n in range(200)]
    assert any(p.jurisdiction.startswith("US") for p in plates)
    assert not any("O" in p.text for p in plates if p.jurisdiction.startswith("US"))


def test_a_reader_crop_has_the_readers_size_and_shows_something(press: Press) -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        crop = reader_crop(press.plate(rng).image, (48, 160), Shot(synthetic=True), rng)
        assert crop.shape == (48, 160)
        assert crop.dtype == np.uint8


def test_views_keep_their_boxes_inside_and_repeat(press: Press) -> None:
    views = Views(1, None, press, 320)
    seen = 0
    for number in range(40):
        view = views.view(number)
        assert view.image.shape == (320, 320, 3)
        assert np.all(view.boxes >= 0)
        assert np.all(view.boxes <= 320)
        seen += len(view.boxes)
        assert np.array_equal(view.image, views.view(number).image)
    assert seen > 10


def test_label_faults_are_repaired_or_left_out() -> None:
    assert usable_text("IRONY", "us-ny") == "IR0NY"
    assert usable_text("ASK3990", "br") == "MBK3990"
    assert usable_text("0", "us-vt") == ""
    assert usable_text("LO RAFI", "eu-pl") == "LORAFI"
    assert jurisdiction_of("eu-pl") == "EU-PL"
    assert jurisdiction_of("eu") is None
    assert jurisdiction_of("mixed") is None


def test_a_pool_is_read_by_kind_and_split(tmp_path: Path) -> None:
    columns = "source,split,file,width,height,x1,y1,x2,y2,text,region,license,kind,orig,note"
    rows = [
        "a,train,c.jpg,9,9,,,,,AB12,us-il,x,crop,,",
        "b,val,s.jpg,9,9,1,2,3,4,,mixed,x,scene,,",
        "b,val,s.jpg,9,9,5,6,7,8,,mixed,x,scene,,",
        "n,val,n.jpg,9,9,,,,,,none,x,negative,,",
    ]
    (tmp_path / "labels.csv").write_text("\n".join([columns, *rows]))
    pool = load_pool(tmp_path)
    assert [c.jurisdiction for c in pool.crops] == ["US-IL"]
    held_out = pool.of_split("val")
    assert [c.text for c in held_out.crops] == []
    assert [len(scene.boxes) for scene in held_out.scenes] == [2]
    assert held_out.scenes[0].boxes[1][2] == 7.0
    assert len(held_out.negatives) == 1
