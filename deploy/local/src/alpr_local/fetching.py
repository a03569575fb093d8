"""Programs that download."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def fetch(
    command: Sequence[str | Path], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it, and once more if it fails: a network has hiccups, and these programs go on with what
    they have already. Its own environment unless one is given; the last run is returned."""
    for _ in range(2):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode == 0:
            break
    return done
