"""Knows a process again by more than its number.

A pid file outlives its process, and the number is given to somebody else sooner or later. A process
is therefore recorded with the boot and the clock tick it started in; a process that differs in
either is a stranger and is never signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_ORPHANS_PATIENCE_SECONDS = 2


@dataclass(frozen=True)
class ProcessIdentity:
    """`started` is opaque: equal for one process for all its life, different for any other."""

    pid: int
    started: str


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of a living process; None when there is none (a zombie counts as none)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessIdentity(pid, _started(process))
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


def _started(process: psutil.Process) -> str:
    if sys.platform != "linux":
        return f"{process.create_time():.3f}"
    # Ticks since boot rather than wall-clock time: a corrected clock must not turn our own broker
    # into a stranger. The command's name (field 2) may hold spaces, so the fields count from ')'.
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return f"{boot}:{fields[19]}"


@dataclass(frozen=True)
class PidFile:
    """One recorded process."""

    path: Path

    def record(self, pid: int) -> None:
        """Write the process down, whole or not at all. A process that is gone already is not."""
        identity = identity_of(pid)
        if identity is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        temporary.write_text(json.dumps({"pid": identity.pid, "started": identity.started}))
        temporary.replace(self.path)

    def running(self) -> psutil.Process | None:
        """The recorded process while it lives; None when it ended or its number is a stranger's."""
        try:
            recorded = json.loads(self.path.read_text())
            identity = ProcessIdentity(int(recorded["pid"]), str(recorded["started"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        if identity_of(identity.pid) != identity:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(identity.pid)
        return None

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def end(self, how: signal.Signals, patience_seconds: float) -> None:
        """Send `how`, wait, and SIGKILL the whole family where that was not enough.

        The family (children of children, whatever session they made for themselves) is listed
        before the signal: PostgreSQL's backends leave their parent's process group, and a killed
        parent no longer names its children.
        """
        process = self.running()
        if process is not None:
            family = _family(process)
            _signal(process, how)
            _, alive = psutil.wait_procs([process], timeout=patience_seconds)
            if not alive:
                # A parent that ended in good order may still have children on their way out.
                _, alive = psutil.wait_procs(family, timeout=_ORPHANS_PATIENCE_SECONDS)
            for member in {*alive, *_still_running(family)}:
                _signal(member, signal.SIGKILL)
            psutil.wait_procs([process, *family], timeout=10)
        self.clear()

    def kill(self) -> None:
        """SIGKILL the process and all its descendants at once, as a crash of the machine would."""
        process = self.running()
        if process is not None:
            family = [process, *_family(process)]
            for member in family:
                _signal(member, signal.SIGKILL)
            psutil.wait_procs(family, timeout=10)
        self.clear()


def _family(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    # psutil compares creation times here, so a number that was given away does not count.
    return [process for process in processes if process.is_running()]


def _signal(process: psutil.Process, how: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
