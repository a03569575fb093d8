"""Nothing outlives its owner; nothing is installed twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alpr_local.folders import repository, stack_folder
from alpr_local.install import install
from alpr_local.pidfile import PidFile
from alpr_local.ports import forget_port_if_taken, remembered_port
from alpr_local.stack import Stack, remove_abandoned, temporary_name
from tests.support.servers import engine_answers, given_servers
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        given_servers() is not None or engine_answers(), reason="starts no local servers here"
    ),
]

_HOLD_A_STACK = """
import sys
from alpr_local.stack import temporary_stack
with temporary_stack() as stack:
    print(stack.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD_A_STACK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=repository(),
    )
    yield process
    # A test that failed half-way still closes its standard input, at which the stack is removed.
    if process.poll() is None:
        process.communicate(timeout=120)


def _name(holder: subprocess.Popen[str]) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def _running(folder: Path) -> list[str]:
    return [path.stem for path in (folder / "run").glob("*.pid") if PidFile(path).running()]


def test_a_stack_leaves_no_process_and_no_file_behind(holder: subprocess.Popen[str]) -> None:
    folder = stack_folder(_name(holder))
    assert set(_running(folder)) == {"kafka", "postgres", "watcher"}
    pids = [PidFile(path).running() for path in (folder / "run").glob("*.pid")]
    holder.communicate(timeout=120)
    assert holder.returncode == 0
    assert not folder.exists()
    assert not any(process.is_running() for process in pids if process)


def test_the_servers_of_a_killed_run_end_and_the_next_run_removes_their_data(
    holder: subprocess.Popen[str],
) -> None:
    folder = stack_folder(_name(holder))
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate(timeout=60)
    wait_until(lambda: not _running(folder), 120, what="servers and watcher are gone")
    assert folder.name in remove_abandoned()
    assert not folder.exists()


def test_a_second_installation_is_a_matter_of_an_instant() -> None:
    first = install()
    said: list[str] = []
    assert install(said.append) == first
    assert said == [], "nothing is fetched nor unpacked"


def test_a_stopped_stack_keeps_its_ports_but_yields_one_that_was_taken(tmp_path: Path) -> None:
    file = tmp_path / "kafka.port"
    port = remembered_port(file)
    forget_port_if_taken(file)
    assert remembered_port(file) == port
    with socket.create_server(("127.0.0.1", port)):
        forget_port_if_taken(file)
        assert remembered_port(file) != port


def test_a_stack_that_is_started_again_right_after_its_owner_was_killed_stays_up() -> None:
    # Not called like a temporary one: another run would remove it while it has no owner.
    name = f"again-{temporary_name()}"
    first = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\n"
            "from alpr_local.stack import Stack\n"
            "Stack.local(sys.argv[1]).start(owned=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)",
            name,
        ],
        cwd=repository(),
        check=False,
    )
    assert first.returncode == -signal.SIGKILL
    stack = Stack.local(name)
    try:
        stack.start(owned=True)
        # Longer than an orphaned watcher takes to notice and to stop what it watches.
        with pytest.raises(AssertionError):
            wait_until(lambda: len(_running(stack.folder)) < 3, 4)
    finally:
        stack.remove()
    assert not stack.folder.exists()
