"""A process that was started here and is known again, by its pid file, when this program ends and
comes back."""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod

from alpr_local.pidfile import PidFile


class OwnedProcess:
    """Ended by its own pid, never by a name."""

    def __init__(self, pid_file: PidFile) -> None:
        self._pid_file = pid_file
        self._child: subprocess.Popen[bytes] | None = None

    def is_running(self) -> bool:
        return self._pid_file.running() is not None

    def kill(self) -> None:
        """SIGKILL it and all its descendants, as a crash would; returns when they are gone."""
        self._pid_file.kill()
        self._reap()

    def _end(self, by: signal.Signals, patience_seconds: float) -> None:
        """Ask it to end; SIGKILL what is still there after the patience ran out."""
        self._pid_file.end(by, patience_seconds)
        self._reap()

    def _own(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._pid_file.record(child.pid)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=60)
            self._child = None


class OwnedServer(OwnedProcess, ABC):
    """A server with a folder of data. Starting it twice does nothing more; nor does stopping."""

    def start(self, deadline_seconds: float = 120) -> None:
        """Start and wait until it answers. Raises ServerNotReady, with the end of its log."""
        if not self.is_running():
            self._prepare()
            self._own(self._launch())
        self._wait_until_ready(deadline_seconds)

    @abstractmethod
    def stop(self) -> None:
        """End it in such a way that what it stores is consistent."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what it needs on disk, the first time."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _wait_until_ready(self, deadline_seconds: float) -> None:
        """Raises ServerNotReady."""
