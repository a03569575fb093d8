"""The Go program that looks at logs as the Go team's own packages do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from alpr_local.fetching import fetch

_SOURCE = Path(__file__).parent.parent / "interop" / "tlog"

Ask = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs it on a folder with verifier keys."""


def built(program: Path) -> Ask:
    """Build it there, fetching its module the first time; skips where Go is not installed."""
    if shutil.which("go") is None:
        pytest.skip("needs Go, which is not installed")
    # Go itself tries no download a second time.
    done = fetch(["go", "-C", str(_SOURCE), "build", "-o", str(program), "."])
    assert done.returncode == 0, done.stderr

    def ask(folder: Path, *keys: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), str(folder), *map(str, keys)],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )

    return ask
