"""A real S3 server as a process of its own (moto, from PyPI): for tests of the object store."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alpr_local.errors import InstallFailed
from alpr_local.fetching import fetch
from alpr_local.folders import install_folder, repository
from alpr_local.locks import locked
from alpr_local.logs import open_log
from alpr_local.owned_process import OwnedProcess
from alpr_local.pidfile import PidFile
from alpr_local.ports import choose_port

_SERVE = "import sys; from moto.server import main; main(sys.argv[1:])"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


def install_s3_server(say: Callable[[str], None] = print) -> Path:
    """The folder with its packages, installed (locked, with hashes) on the first call.

    Not in the environment: it wants other versions than the services. Raises InstallFailed.
    """
    lock = repository() / "requirements" / "s3.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = install_folder() / f"s3-{digest}"
    with locked(install_folder() / "s3.lock"):
        if not folder.exists():
            say("an S3 server for tests: installing from requirements/s3.txt")
            _install(lock, folder)
    return folder


def _install(lock: Path, folder: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "packages"
        done = fetch(
            [
                uv, "pip", "install", "--quiet", "--require-hashes", "--target", unfinished,
                "-r", lock, "--python", sys.executable,
            ]
        )  # fmt: skip
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise InstallFailed(f"moto did not install: {done.stderr.strip()[-300:]}")
        unfinished.rename(folder)


class S3Server(OwnedProcess):
    """Listens on loopback, keeps everything in memory."""

    def __init__(self, packages: Path, folder: Path) -> None:
        super().__init__(PidFile(folder / "s3.pid"))
        self._packages, self._folder = packages, folder
        self.port = choose_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it as its object store."""
        return {**_CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "AWS_ALLOW_HTTP": "true"}

    def start(self) -> None:
        """Start it, at the same address again after it ended; it answers a little later."""
        with open_log(self._folder / "s3.log") as log:
            child = subprocess.Popen(
                [sys.executable, "-c", _SERVE, "-H", "127.0.0.1", "-p", str(self.port)],
                env={**os.environ, **_CREDENTIALS, "PYTHONPATH": str(self._packages)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self._own(child)


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A started server whose log and pid lie in `folder`; ended with the block."""
    server = S3Server(install_s3_server(), folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
