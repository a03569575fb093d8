"""Other readers beside ours: what they answer is counted as ours is, and absent ones are told."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from alpr_recognizer.domain import PlateBox
from alpr_recognizer.evaluate_command import NoSuchRival, _rivals
from alpr_recognizer.evaluation import Label
from bench.rivals import Answer, NotInstalled, Seen, figures, report, text_at
from bench.rivals.fast_alpr import run as fast_alpr
from bench.rivals.openalpr import parsed
from bench.rivals.openalpr import run as openalpr
from bench.rivals.tesseract import run as tesseract

LABELS = [
    Label("a.jpg", "us", "ABC0123", PlateBox(10, 10, 60, 30)),
    Label("b.jpg", "eu", "XO12", PlateBox(0, 0, 40, 10)),
]


def rival(_: Path, labels: Sequence[Label]) -> tuple[str, list[Answer]]:
    elsewhere = Seen("WRONG", PlateBox(200, 200, 250, 220))
    first = Answer((elsewhere, Seen("abc-o123", PlateBox(12, 11, 61, 31))), 20.0)
    return "9.9", [first, Answer((Seen("XO12"),), 40.0)][: len(labels)]


def test_what_a_rival_reads_elsewhere_in_the_picture_does_not_count() -> None:
    _, answers = rival(Path(), LABELS)
    assert text_at(LABELS[0], answers[0]) == "ABCO123"
    assert text_at(LABELS[0], Answer((Seen("X", PlateBox(200, 200, 220, 210)),), 1.0)) == ""


def test_a_rival_without_boxes_speaks_for_the_labelled_plate() -> None:
    assert text_at(LABELS[1], Answer((Seen("x o12"),), 1.0)) == "XO12"


def test_a_rival_is_counted_strictly_and_with_o_as_0() -> None:
    found = report(rival, Path(), LABELS)
    assert found["version"] == "9.9"
    assert found["all"]["exact"] == 0.5
    assert found["all"]["exact_o_is_0"] == 1.0
    assert found["regions"]["eu"]["exact"] == 1.0
    assert found["milliseconds"]["p50"] == 30.0
    assert figures(LABELS, ["", ""]).character_error_rate == 1.0


def test_the_answer_of_openalpr_is_understood() -> None:
    corners = [{"x": 238, "y": 362}, {"x": 363, "y": 364}, {"x": 363, "y": 419}]
    line = json.dumps(
        {"processing_time_ms": 124.8, "results": [{"plate": "627WWI", "coordinates": corners}]}
    )
    assert parsed(line) == Answer((Seen("627WWI", PlateBox(238, 362, 363, 419)),), 124.8)


@pytest.mark.parametrize("absent", [openalpr, tesseract, fast_alpr])
def test_what_is_not_installed_says_so_and_is_passed_over(
    absent: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OPENALPR", raising=False)
    monkeypatch.setattr("bench.rivals.fast_alpr._CACHES", (tmp_path / "none",))
    with pytest.raises(NotInstalled):
        absent(tmp_path, LABELS)  # type: ignore[operator]
    assert "skipped" in report(absent, tmp_path, LABELS)  # type: ignore[arg-type]


def test_a_name_without_an_adapter_is_refused() -> None:
    assert _rivals("") is None
    with pytest.raises(NoSuchRival, match="known are openalpr"):
        _rivals("nobody")
