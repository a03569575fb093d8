"""Free ports that stay ours between a stop and the next start."""

from __future__ import annotations

import fcntl
import random
import socket
from io import FileIO
from pathlib import Path

from alpr_local.folders import repository

# Below the range that Linux takes for outgoing connections (32768 up): while a broker is down, no
# client socket of anybody can be given its port.
_LOWEST, _HIGHEST = 20_000, 32_000

_given: set[int] = set()
_leases: FileIO | None = None


def choose_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on now, and that no process of this checkout is given while this one
    lives: between the choice and the listening, or while a server is down, it looks free."""
    for _ in range(200):
        port = random.randint(_LOWEST, _HIGHEST)
        if _is_ours(port) and is_free(port, host):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST} on {host}")


def _is_ours(port: int) -> bool:
    """Take the port before anybody else does; False when somebody has it."""
    global _leases
    if port in _given:
        return False
    if _leases is None:
        folder = repository() / "var"
        folder.mkdir(exist_ok=True)
        _leases = FileIO(folder / "ports.lock", "a")
    try:
        # The byte of that number: such a lock ends with its process, whatever becomes of it.
        fcntl.lockf(_leases, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _given.add(port)
    return True


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do it: old connections that are winding down take no port away.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def remembered_port(path: Path) -> int:
    """The port kept in `path`, chosen and written there the first time."""
    if path.exists():
        return int(path.read_text())
    port = choose_port()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(port))
    return port


def forget_port_if_taken(path: Path) -> None:
    """Let go of a port kept in `path` that somebody else listens on now.

    Only for a server of ours that does not run: its address may change between two runs, but must
    not be a stranger's.
    """
    if path.exists() and not is_free(int(path.read_text())):
        path.unlink()
