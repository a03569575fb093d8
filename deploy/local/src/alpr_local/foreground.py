"""Runs the Procfile's processes in this terminal until Ctrl-C, as the demo does."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO, Protocol

from alpr_local.logs import open_log
from alpr_local.processes import answers_ready, procfile
from alpr_local.stack import Stack
from alpr_local.wiring import process_environment


class _Line(Protocol):
    """honcho's message, which has no types of its own."""

    name: str
    data: bytes | str


class _Logs:
    """What honcho takes for a printer: every line goes to its process's log, and to `on_line`."""

    def __init__(self, stack: Stack, on_line: Callable[[str, str], None] | None) -> None:
        self.width = 0
        self._stack = stack
        self._on_line = on_line
        self._files: dict[str, BinaryIO] = {}

    def write(self, line: _Line) -> None:
        data = line.data if isinstance(line.data, bytes) else line.data.encode()
        if line.name not in self._files:
            self._files[line.name] = open_log(self._stack.logs_folder / f"{line.name}.log")
        self._files[line.name].write(data)
        self._files[line.name].flush()
        if self._on_line is not None:
            self._on_line(line.name, data.decode(errors="replace").rstrip("\n"))

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def run(
    stack: Stack,
    ports: dict[str, int],
    *,
    commands: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    on_ready: Callable[[], None] | None = None,
    on_line: Callable[[str, str], None] | None = None,
) -> int:
    """Run processes (all of the Procfile by default) until one ends or Ctrl-C.

    Returns the exit code of the first that ended; the others are ended with it. `on_ready` is
    called once, in a thread of its own, when every /ready answers 200; `on_line(process, line)` for
    each line that a process writes (it also goes to var/stack/<name>/logs/<process>.log). Call it
    from the main thread: it takes SIGINT and SIGTERM.
    """
    from honcho.manager import Manager

    logs = _Logs(stack, on_line)
    manager = Manager(logs)
    commands = commands or procfile()
    for name, command in commands.items():
        pid_file = stack.folder / "run" / f"{name}.pid"
        recorded = [sys.executable, "-m", "alpr_local.recorded", str(pid_file)]
        # honcho starts a shell; `exec` makes the process it signals the one that does the work.
        line = f"exec {shlex.join([*recorded, *shlex.split(command)])}"
        manager.add_process(name, line, env=process_environment(name, stack, ports, environment))
    ended = threading.Event()
    if on_ready is not None:
        waited_for = [ports[name] for name in commands]
        threading.Thread(target=_wait, args=(waited_for, on_ready, ended), daemon=True).start()
    try:
        manager.loop()
    finally:
        ended.set()
        logs.close()
    return int(manager.returncode or 0)


def _wait(ports: list[int], on_ready: Callable[[], None], ended: threading.Event) -> None:
    while not all(answers_ready(port) for port in ports):
        if ended.wait(0.2):
            return
    on_ready()


def wait_for_interrupt() -> None:
    """Returns when Ctrl-C is pressed."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
