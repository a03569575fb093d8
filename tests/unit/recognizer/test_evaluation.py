"""`alpr evaluate`: the counting, and the command on drawn pictures."""

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from alpr_local.demo.scenes import DAY, NIGHT, Pass, render_pass
from alpr_local.folders import repository
from alpr_recognizer.domain import PlateBox, Sighting
from alpr_recognizer.evaluate_command import error_page, evaluate
from alpr_recognizer.evaluation import (
    Label,
    NotLabelled,
    Outcome,
    calibration,
    edit_distance,
    figures,
    read_labels,
)
from alpr_recognizer.settings import Settings
from alpr_recognizer.weights import load_recognizer
from tests.unit.recognizer.scenes import reading

BOX = PlateBox(100, 100, 190, 130)


def outcome(truth: str, read: str | None, *, accepted: bool = True, sure: float = 0.9) -> Outcome:
    sighting = None if read is None else Sighting(BOX, reading(read, sure))
    return Outcome(
        Label("a.jpg", "us", truth, BOX), sighting, accepted and sighting is not None, 10.0, {}, 0
    )


def test_figures_count_what_was_found_read_and_nearly_read() -> None:
    found = figures(
        [
            outcome("AB1234", "AB1234"),
            outcome("AB1230", "AB123O"),
            outcome("AB1234", "AB134"),
            outcome("AB1234", None),
        ]
    )
    assert found.pictures == 4
    assert found.detected == 0.75
    assert found.exact == 0.25
    assert found.exact_o_is_0 == 0.5
    assert found.character_error_rate == pytest.approx((1 + 1 + 6) / 24)
    assert found.by_width == {"70-100 px": {"pictures": 4, "exact": 0.25, "exact_o_is_0": 0.5}}


def test_a_refused_reading_is_found_but_not_read() -> None:
    found = figures([outcome("AB1234", "AB1234", accepted=False)])
    assert (found.detected, found.exact) == (1, 0)


def test_calibration_is_perfect_when_confidence_is_the_share_that_is_right() -> None:
    pairs = [(0.75, n % 4 != 0) for n in range(100)]
    ece, brier = calibration(pairs)
    assert ece == pytest.approx(0)
    assert brier == pytest.approx(0.75 * 0.25)
    assert calibration([(1.0, False)] * 5) == (1, 1)
    assert calibration([]) == (0, 0)


@pytest.mark.parametrize(
    ("a", "b", "errors"), [("", "", 0), ("AB", "", 2), ("AB12", "A12", 1), ("AB12", "A812", 1)]
)
def test_errors_are_insertions_deletions_and_substitutions(a: str, b: str, errors: int) -> None:
    assert edit_distance(a, b) == errors


def test_a_folder_without_labels_is_refused_with_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(NotLabelled, match="columns file, x1"):
        read_labels(tmp_path)
    (tmp_path / "labels.csv").write_text("file,text,x1\na.jpg,AB1,oops\n")
    with pytest.raises(NotLabelled, match="cannot be used"):
        read_labels(tmp_path)


def test_labels_are_normalized_and_rows_without_a_plate_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "file,x1,y1,x2,y2,text,region\na.jpg,1,2,30,40,b-mw 12,eu\nb.jpg,,,,,,eu\n"
    )
    (label,) = read_labels(tmp_path)
    assert (label.text, label.region, label.box) == ("BMW12", "eu", PlateBox(1, 2, 30, 40))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn pictures labelled with what the recognizer finds there, and a wrong one."""
    if not (repository() / "models" / "reader" / "config.json").exists():
        pytest.skip("needs the shipped models")
    folder = tmp_path_factory.mktemp("labelled")
    recognizer = load_recognizer(Settings(threads=1))
    rows = []
    for plate, light, seed in (("BG73914", DAY, 1), ("FM68915", NIGHT, 4)):
        jpeg = list(render_pass(Pass(plate, "US-IL", light, seed, frames=3)))[1]
        (folder / f"{plate}.jpg").write_bytes(jpeg)
        (shown,) = recognizer.recognise([jpeg])
        box = shown.sightings[0].box  # type: ignore[union-attr]
        rows.append([f"{plate}.jpg", box.x1, box.y1, box.x2, box.y2, plate, light.name])
    rows.append([*rows[0][:5], "WRONG77", "day"])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "x1", "y1", "x2", "y2", "text", "region"], *rows])
    return folder


def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(evaluate)
    return app


def test_the_command_prints_json_and_writes_the_page_of_errors(
    labelled: Path, tmp_path: Path
) -> None:
    page = tmp_path / "errors.html"
    done = CliRunner().invoke(command(), [str(labelled), "--json", "--errors", str(page)])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["all"]["pictures"] == 3
    assert found["all"]["exact"] == pytest.approx(2 / 3)
    assert found["regions"]["infrared"]["exact"] == 1
    assert set(found["stages_milliseconds"]) == {"decode", "detect", "crop", "read"}
    assert found["milliseconds"]["p95"] >= found["milliseconds"]["p50"] > 0
    html = page.read_text()
    assert html.count("<figure>") == 1
    assert "WRONG77" in html
    assert "BG73914" in html
    assert "data:image/jpeg;base64," in html


def test_the_command_prints_tables_for_people(labelled: Path) -> None:
    done = CliRunner().invoke(command(), [str(labelled), "--region", "day"])
    assert done.exit_code == 0, done.output
    assert "milliseconds per picture" in done.output
    assert "50.0 %" in done.output


def test_the_command_says_what_is_wrong_with_the_folder(tmp_path: Path) -> None:
    done = CliRunner().invoke(command(), [str(tmp_path)])
    assert done.exit_code == 2
    assert "labels.csv" in done.output.replace("\n", "")  # a terminal breaks lines anywhere


def test_the_page_escapes_what_it_shows(labelled: Path) -> None:
    one = outcome("AB1234", "AB1234", accepted=False)
    label = Label("BG73914.jpg", "us", "XX", BOX)
    page = error_page(labelled, [Outcome(label, one.sighting, False, 1, {}, 0)])
    assert "refused" in page
    assert "<script" not in page
