"""The local PostgreSQL server: initialised once, durable, stopped by its own pid."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from alpr_local.errors import ProvisioningFailed, ServerNotReady
from alpr_local.logs import open_log, tail
from alpr_local.owned_process import OwnedServer
from alpr_local.pidfile import PidFile
from alpr_local.ports import remembered_port
from alpr_local.postgres_binaries import data_folder_outside, run_as
from alpr_local.provisioning import PostgresAddress, Provisioning
from alpr_local.secret_files import SecretFiles

_SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # TCP alone: a socket's path in a deep checkout is longer than the 107 bytes it may have.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    # An acknowledged row survives a power cut. These are the defaults; they are said here because
    # test clusters like to turn them off, and what the fault tests prove rests on them.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "max_connections": "200",
    "shared_buffers": "128MB",
}


class PostgresServer(OwnedServer):
    """One cluster under `folder`."""

    def __init__(self, folder: Path, log_path: Path, secrets: SecretFiles, programs: Path) -> None:
        self._folder = folder
        self._secrets = secrets
        self._programs = programs
        super().__init__(PidFile(folder.parent / "run" / "postgres.pid"))
        self.log_path = log_path

    @property
    def address(self) -> PostgresAddress:
        port = remembered_port(self._folder.parent / "postgres.port")
        password = self._secrets.value("postgres-superuser.password")
        return PostgresAddress("127.0.0.1", port, _SUPERUSER, password)

    @property
    def data_folder(self) -> Path:
        """Where the cluster lies: inside the stack's folder if its user can get there."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        if run_as().may_enter(self._folder.parent):
            return self._folder / "data"
        return data_folder_outside(self._folder.parent.name)

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, the cluster is left consistent."""
        self._end(signal.SIGINT, patience_seconds=20)

    def remove(self) -> None:
        """Stop and delete everything stored."""
        self.stop()
        shutil.rmtree(self.data_folder, ignore_errors=True)

    def _prepare(self) -> None:
        data = self.data_folder
        if (data / "PG_VERSION").exists():
            return
        user = run_as()
        shutil.rmtree(data, ignore_errors=True)
        data.parent.mkdir(parents=True, exist_ok=True)
        data.parent.chmod(0o755)
        # Made beside its place and moved there when complete: an interrupted initdb leaves nothing
        # that looks like a cluster.
        with tempfile.TemporaryDirectory(dir=data.parent) as temporary:
            unfinished = Path(temporary) / "data"
            password = Path(temporary) / "password"
            password.touch(mode=0o600)
            password.write_text(self.address.password)
            os.chown(temporary, user.uid, user.gid)
            os.chown(password, user.uid, user.gid)
            done = subprocess.run(
                [
                    str(self._programs / "bin" / "initdb"), "-D", str(unfinished), "-U", _SUPERUSER,
                    "--auth=scram-sha-256", f"--pwfile={password}", "--data-checksums",
                    "-E", "UTF8", "--locale=C.UTF-8",
                ],
                cwd=temporary, env=_environment(), capture_output=True, text=True, check=False,
                **user.options,  # type: ignore[call-overload]
            )  # fmt: skip
            if done.returncode != 0:
                raise ServerNotReady(f"initdb failed: {done.stderr.strip()[-1000:]}")
            unfinished.rename(data)

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {**_SETTINGS, "port": str(self.address.port)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open_log(self.log_path) as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                [str(self._programs / "bin" / "postgres"), "-D", str(self.data_folder), *arguments],
                cwd=self.data_folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
                **run_as().options,  # type: ignore[call-overload]
            )  # fmt: skip
        return process

    def _wait_until_ready(self, deadline_seconds: float) -> None:
        server = Provisioning(self.address, "postgres", self._secrets, self._programs)
        deadline = time.monotonic() + deadline_seconds
        reason = ""
        while time.monotonic() < deadline and self.is_running():
            try:
                server.run("SELECT 1", timeout_seconds=5)
            except ProvisioningFailed as error:
                reason = str(error)
                time.sleep(0.05)
            else:
                return
        state = "does not answer" if self.is_running() else "ended"
        raise ServerNotReady(f"PostgreSQL {state}: {reason}\n{tail(self.log_path)}")


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
