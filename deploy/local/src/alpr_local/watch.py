"""Stops a stack whose owner died without stopping it (SIGKILL, a closed terminal, a crash).

The watcher is a process of its own: `python -m alpr_local.watch FOLDER OWNER`. It waits for the
owner's end and then ends everything that has a pid file under FOLDER/run, services before servers.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from alpr_local.locks import locked
from alpr_local.pidfile import PidFile, identity_of

# PostgreSQL takes SIGINT as "end now, in good order"; SIGTERM would wait for clients.
_SERVERS = {"kafka": signal.SIGTERM, "postgres": signal.SIGINT}
_WATCHER = "watcher"
# Beside run/, not in it: everything in run/ is stopped with the stack.
OWNER = "owner.pid"


def start(folder: Path, owner: int) -> None:
    """Watch over `folder` until process `owner` ends, in place of an earlier watcher.

    The caller holds the stack's lock.
    """
    end(folder)
    child = subprocess.Popen(
        [sys.executable, "-m", "alpr_local.watch", str(folder), str(owner)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, cwd="/",
    )  # fmt: skip
    _pid_file(folder, _WATCHER).record(child.pid)
    PidFile(folder / OWNER).record(owner)
    # Reaped by whoever ends it through the pid file; Popen must not warn about it meanwhile.
    child.returncode = 0


def end(folder: Path) -> None:
    """Send the watcher home, its owner having done the work."""
    _pid_file(folder, _WATCHER).kill()


def end_if_orphaned(folder: Path) -> None:
    """Send home a watcher whose owner just died: the stack is wanted again, by somebody else."""
    if PidFile(folder / OWNER).running() is None:
        end(folder)


def stop_services(folder: Path, patience_seconds: float = 10) -> None:
    """End every service process recorded under `folder`."""
    for path in sorted((folder / "run").glob("*.pid")):
        if path.stem not in (*_SERVERS, _WATCHER):
            PidFile(path).end(signal.SIGTERM, patience_seconds)


def stop_everything(folder: Path) -> None:
    """End services and servers recorded under `folder`; strangers with a reused number are left."""
    stop_services(folder, patience_seconds=5)
    for name, how in _SERVERS.items():
        _pid_file(folder, name).end(how, patience_seconds=20)


def _pid_file(folder: Path, name: str) -> PidFile:
    return PidFile(folder / "run" / f"{name}.pid")


def main(folder: Path, owner: int) -> None:
    identity = identity_of(owner)
    while identity is not None and identity_of(owner) == identity:
        time.sleep(1)
    # Who starts the stack again at this moment waits until it is down, rather than taking servers
    # over that are about to end.
    with locked(folder / "lock"):
        stop_everything(folder)
        _pid_file(folder, _WATCHER).clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
