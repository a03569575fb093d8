"""Service processes for tests: one by one, from the same Procfile as the demo's.

services = Services(stack)
ingest = services.start("ingest")              # waits until /ready answers 200
ingest.kill(); ingest.restart()
second = services.start("matcher-worker", instance="second")
services.stop_all()
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil

from alpr_local.errors import LocalStackError, ServerNotReady
from alpr_local.folders import local_folder, repository
from alpr_local.logs import open_log, tail
from alpr_local.owned_process import OwnedProcess
from alpr_local.pidfile import PidFile
from alpr_local.ports import choose_port
from alpr_local.stack import Stack
from alpr_local.wiring import choose_ports, environment, process_environment, variable


def procfile() -> dict[str, str]:
    """Command line by process name, from deploy/local/Procfile."""
    from honcho.environ import parse_procfile

    parsed = parse_procfile((local_folder() / "Procfile").read_text())
    return {str(name): str(command) for name, command in parsed.processes.items()}


class ServiceProcess(OwnedProcess):
    """One process of the Procfile: started, waited for, killed, restarted at the same address."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: dict[str, str],
        port: int,
        pid_file: PidFile,
        log_path: Path,
    ) -> None:
        self.name = name
        self.port = port
        self.log_path = log_path
        self.environment = environment
        self._command = command
        self._log_since_bytes = 0
        super().__init__(pid_file)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        process = self._pid_file.running()
        return process.pid if process else None

    def start(self, *, wait: bool = True, deadline_seconds: float = 180) -> Self:
        """Start if it does not run; wait for /ready unless told not to. Raises ServerNotReady."""
        if not self.is_running():
            self._reap()
            with open_log(self.log_path) as log:
                self._log_since_bytes = log.tell()
                child = subprocess.Popen(
                    self._command, env=self.environment, cwd=repository(),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
            self._own(child)
        if wait:
            self.wait_until_ready(deadline_seconds)
        return self

    def is_ready(self) -> bool:
        """Whether GET /ready answers 200 now."""
        return answers_ready(self.port)

    def wait_until_ready(self, deadline_seconds: float = 180) -> None:
        """Raises ServerNotReady, with the end of the log, when it ends or the deadline passes."""
        deadline = time.monotonic() + deadline_seconds
        while not self.is_ready():
            ended = not self.is_running()
            if ended or time.monotonic() > deadline:
                state = "ended" if ended else f"was not ready within {deadline_seconds} s"
                said = tail(self.log_path, 60, since_bytes=self._log_since_bytes)
                raise ServerNotReady(f"{self.name} {state}:\n{said}")
            time.sleep(0.1)

    def terminate(self, patience_seconds: float = 15) -> None:
        """SIGTERM; SIGKILL what is still there after the patience ran out."""
        self._end(signal.SIGTERM, patience_seconds)

    def signal_end(self) -> None:
        """SIGTERM without waiting."""
        process = self._pid_file.running()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    def restart(self, *, deadline_seconds: float = 180) -> Self:
        """Terminate if it runs, start again at the same address, wait until ready."""
        self.terminate()
        return self.start(deadline_seconds=deadline_seconds)


class Services:
    """The service processes of one stack.

    Addresses are fixed at construction, so that a process can start before those it talks to.
    """

    def __init__(
        self,
        stack: Stack,
        environment: dict[str, str] | None = None,
        *,
        ports: dict[str, int] | None = None,
    ) -> None:
        self.stack = stack
        self.ports = ports or choose_ports()
        """By Procfile name; chosen anew for each object unless given (`remembered_ports`)."""
        self.environment = dict(environment or {})
        """Extra variables for every process."""
        self._commands = procfile()
        self._processes: dict[str, ServiceProcess] = {}

    def url(self, name: str) -> str:
        """The base address of a process, whether or not it runs."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def environment_for_tools(self) -> dict[str, str]:
        """Every variable of the stack, for a command that a test runs itself."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ALPR_")}
        return {**inherited, **environment(self.stack, self.ports), **self.environment}

    def start(
        self,
        name: str,
        *,
        instance: str = "",
        environment: dict[str, str] | None = None,
        wait: bool = True,
        deadline_seconds: float = 180,
    ) -> ServiceProcess:
        """Start a process of the Procfile and wait until it is ready.

        `instance` names a further one of the same kind, with a port and a data folder of its own.
        `environment` goes over the stack's. Starting a name that runs returns it as it is; one that
        was stopped comes back with the environment given now. Raises ServerNotReady.
        """
        key = f"{name}-{instance}" if instance else name
        if key not in self._processes:
            self._processes[key] = self._new_process(name, key)
        process = self._processes[key]
        if not process.is_running():
            process.environment = self._variables(name, process, environment or {})
        return process.start(wait=wait, deadline_seconds=deadline_seconds)

    def _new_process(self, name: str, key: str) -> ServiceProcess:
        if name not in self._commands:
            raise LocalStackError(f"deploy/local/Procfile has no process {name}")
        return ServiceProcess(
            key,
            shlex.split(self._commands[name]),
            {},
            self.ports[name] if key == name else choose_port(),
            PidFile(self.stack.folder / "run" / f"{key}.pid"),
            self.stack.logs_folder / f"{key}.log",
        )

    def _variables(
        self, name: str, process: ServiceProcess, extra: dict[str, str]
    ) -> dict[str, str]:
        own = {f"ALPR_{variable(name)}_PORT": str(process.port)}
        if process.name != name:
            own["ALPR_MATCHER_WORKER_DATA_FOLDER"] = str(self.stack.work_folder / process.name)
            own["ALPR_INGEST_SPOOL_FOLDER"] = str(self.stack.spool_folder / process.name)
        return process_environment(
            name, self.stack, self.ports, {**self.environment, **own, **extra}
        )

    def get(self, name: str, instance: str = "") -> ServiceProcess:
        """A process that was started before, running or not. Raises KeyError."""
        return self._processes[f"{name}-{instance}" if instance else name]

    def start_all(self, *names: str, deadline_seconds: float = 180) -> None:
        """Start several (all of the Procfile when none is named) at once, then wait for each."""
        started = [self.start(name, wait=False) for name in names or self._commands]
        for process in started:
            process.wait_until_ready(deadline_seconds)

    def stop_all(self) -> None:
        """End all of them: SIGTERM to everyone first, so that they end side by side."""
        for process in self._processes.values():
            process.signal_end()
        for process in self._processes.values():
            process.terminate()
        self._processes.clear()


def answers_ready(port: int) -> bool:
    """Whether GET /ready on loopback answers 200. No proxy of the environment is asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
