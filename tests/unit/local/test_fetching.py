"""What downloads is tried a second time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from alpr_local.fetching import fetch

_FAILING = """
import sys
from pathlib import Path
tries = Path(sys.argv[1])
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
print(len(tries.read_text()))
sys.exit("the connection broke off" if len(tries.read_text()) <= int(sys.argv[2]) else 0)
"""


@pytest.mark.parametrize(("hiccups", "tries", "code"), [(0, 1, 0), (1, 2, 0), (2, 2, 1)])
def test_a_download_that_breaks_off_is_tried_once_more_and_one_that_does_so_again_is_told(
    tmp_path: Path, hiccups: int, tries: int, code: int
) -> None:
    done = fetch([sys.executable, "-c", _FAILING, tmp_path / "tries", str(hiccups)])
    assert (done.stdout, done.returncode) == (f"{tries}\n", code)
    assert ("the connection broke off" in done.stderr) == bool(code)
