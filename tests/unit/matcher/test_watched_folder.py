"""What the watched folder leaves beside a file that it has imported."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alpr_matcher.folder import _move

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def dropped(tmp_path: Path) -> Path:
    (tmp_path / "done").mkdir()
    path = tmp_path / "list.csv"
    path.write_text("plate,category,reason\n")
    return path


def test_a_file_is_moved_beside_its_report_and_nothing_else_is_left(dropped: Path) -> None:
    _move(dropped, "done", {"added": 3}, NOW)
    moved, report = sorted((dropped.parent / "done").iterdir())
    assert (moved.name, moved.read_text()) == (
        "20260504T120000000000-list.csv", "plate,category,reason\n",
    )  # fmt: skip
    assert report.name == f"{moved.name}.report.json"
    assert json.loads(report.read_text()) == {"outcome": "done", "added": 3}
    assert [path.name for path in dropped.parent.iterdir()] == ["done"]


def test_half_a_report_is_none(dropped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As whoever waits for it finds it at the moment at which it is written, or the disk full."""

    def half(path: Path, text: str, *_: object) -> None:
        path.write_bytes(text.encode()[: len(text) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="no space left"):
        _move(dropped, "done", {"added": 3}, NOW)
    assert list(dropped.parent.glob("*/*.report.json")) == []
    assert dropped.exists(), "it is imported again"
    monkeypatch.undo()
    _move(dropped, "done", {"added": 3}, NOW)
    assert len(list((dropped.parent / "done").iterdir())) == 2
