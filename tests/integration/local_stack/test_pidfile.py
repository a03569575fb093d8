"""A pid file names one process for ever, never whoever has its number later."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from alpr_local.pidfile import PidFile, identity_of


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_a_recorded_process_is_found_while_it_lives(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    file = PidFile(tmp_path / "sleeper.pid")
    file.record(sleeper.pid)
    found = file.running()
    assert found is not None
    assert found.pid == sleeper.pid


def test_a_process_that_was_given_the_number_later_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    file = PidFile(tmp_path / "sleeper.pid")
    file.path.write_text(json.dumps({"pid": sleeper.pid, "started": "another boot:1"}))
    assert file.running() is None
    file.kill()
    file.path.write_text(json.dumps({"pid": sleeper.pid, "started": "another boot:1"}))
    file.end(signal.SIGTERM, patience_seconds=1)
    assert sleeper.poll() is None


def test_a_dead_process_is_nobody_even_before_its_parent_noticed(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    file = PidFile(tmp_path / "sleeper.pid")
    file.record(sleeper.pid)
    psutil.Process(sleeper.pid).kill()
    psutil.Process(sleeper.pid).wait(10)
    assert file.running() is None
    assert identity_of(sleeper.pid) is None


@pytest.mark.parametrize("content", ["", "17", "{}", '{"pid": "x", "started": ""}', "[]"])
def test_a_pid_file_that_says_nothing_sensible_names_nobody(tmp_path: Path, content: str) -> None:
    file = PidFile(tmp_path / "sleeper.pid")
    file.path.write_text(content)
    assert file.running() is None


def test_a_process_that_ignores_the_signal_is_killed_when_patience_ends(tmp_path: Path) -> None:
    stubborn = subprocess.Popen(
        ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], stdout=subprocess.PIPE
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    file = PidFile(tmp_path / "stubborn.pid")
    file.record(stubborn.pid)
    file.end(signal.SIGTERM, patience_seconds=0.3)
    assert identity_of(stubborn.pid) is None
    stubborn.stdout.close()
    stubborn.wait()
