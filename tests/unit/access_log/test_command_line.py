"""What `python -m alpr_access_log` says to who mistypes a command."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("said", "code"), [("--help", 0), ("prune", 2)])
def test_a_word_that_is_no_command_starts_no_service(said: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alpr_access_log", said],
        capture_output=True, text=True, timeout=60, check=False, env={"PATH": ""},
    )  # fmt: skip
    assert done.returncode == code
    assert "rotate-log-key" in (done.stderr if code else done.stdout)
