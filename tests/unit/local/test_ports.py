"""A port is one process's from its choice on, not from when somebody listens there."""

from __future__ import annotations

import subprocess
import sys

from alpr_local.ports import choose_port
from alpr_local.wiring import choose_ports

_CHOOSING = """
import sys
from alpr_local import ports
ports._LOWEST, ports._HIGHEST = map(int, sys.argv[1:])
print(ports.choose_port())
"""
_NOBODY_ELSES = (19_000, 19_999)


def chosen_elsewhere(lowest: int, highest: int) -> subprocess.CompletedProcess[str]:
    """What another process gets that may choose between these."""
    command = [sys.executable, "-c", _CHOOSING, str(lowest), str(highest)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_port_that_was_chosen_is_given_to_no_other_process_although_nobody_listens_yet() -> None:
    port = choose_port()
    assert "no free port" in chosen_elsewhere(port, port).stderr


def test_the_port_of_a_process_that_has_ended_is_anybodys() -> None:
    gone = int(chosen_elsewhere(*_NOBODY_ELSES).stdout)
    assert chosen_elsewhere(gone, gone).stdout == f"{gone}\n"


def test_one_process_is_given_a_port_once() -> None:
    ports = [port for _ in range(20) for port in choose_ports().values()]
    assert len(set(ports)) == len(ports)
