"""Processes in a terminal: ready, logged, and all ended by one Ctrl-C or by one that ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alpr_local.folders import repository
from alpr_local.pidfile import identity_of
from alpr_local.stack import Stack
from tests.support import small_service

pytestmark = pytest.mark.integration

# In a process of its own: it takes the signals of the main thread.
_RUN = """
import json, os, signal, sys
from alpr_local import foreground
from alpr_local.pidfile import PidFile
from alpr_local.stack import Stack
from alpr_local.wiring import choose_ports

# A shell that runs the tests in the background has interrupts ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
name, service, on_ready = sys.argv[1:]
stack = Stack.local(name)
ports = choose_ports()
commands = {each: f"python {service} {ports[each]}" for each in ("ingest", "console")}
pids = {}

def ready():
    for each in commands:
        process = PidFile(stack.folder / "run" / f"{each}.pid").running()
        pids[each] = process.pid if process else 0
    if on_ready == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    else:
        os.kill(pids["ingest"], signal.SIGKILL)

code = foreground.run(stack, ports, commands=commands, on_ready=ready)
print(json.dumps({"code": code, "pids": pids}))
"""


@pytest.mark.parametrize(("end", "code"), [("interrupt", 130), ("one ends", -9)])
def test_all_processes_end_together(local_stack: Stack, end: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, local_stack.name, str(small_service.__file__), end],
        cwd=repository(),
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["code"] == code
    assert len(told["pids"]) == 2
    assert all(pid and identity_of(pid) is None for pid in told["pids"].values())
    assert "GET /ready" in Path(local_stack.logs_folder / "ingest.log").read_text()
