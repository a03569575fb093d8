"""The local Kafka broker: one KRaft node on loopback, logs kept, stopped by its own pid."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import signal
import socket
import string
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from alpr_local.errors import ServerNotReady
from alpr_local.folders import local_folder
from alpr_local.install import Installation
from alpr_local.logs import open_log, tail
from alpr_local.owned_process import OwnedServer
from alpr_local.pidfile import PidFile
from alpr_local.ports import remembered_port

T = TypeVar("T")

# For a broker that lives minutes on a small machine: start fast, stay small.
_JVM_OPTIONS = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class KafkaServer(OwnedServer):
    """One broker under `folder`."""

    def __init__(
        self,
        folder: Path,
        logs: Path,
        installation: Installation,
        jvm_options: tuple[str, ...] = (),
    ) -> None:
        self._folder = folder
        self._logs = logs
        self._installation = installation
        self._jvm_options = jvm_options
        super().__init__(PidFile(folder.parent / "run" / "kafka.pid"))
        self.log_path = logs / "kafka.log"

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{remembered_port(self._folder.parent / 'kafka.port')}"

    def stop(self) -> None:
        """Controlled shutdown."""
        self._end(signal.SIGTERM, patience_seconds=30)

    def remove(self) -> None:
        """Stop and delete everything stored."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> None:
        """Write the configuration and, the first time, the storage's identity."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        template = string.Template((local_folder() / "kafka" / "server.properties").read_text())
        configuration = template.substitute(
            port=self.bootstrap_servers.rpartition(":")[2],
            controller_port=remembered_port(self._folder.parent / "kafka-controller.port"),
            data_folder=data,
        )
        (self._folder / "server.properties").write_text(configuration)
        if (data / "meta.properties").exists():
            return
        # One id in 64 would begin with a dash and be taken for an option.
        identity = (
            base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().strip("=").replace("-", "A")
        )
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t", identity, "-c", self._properties),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise ServerNotReady(f"Kafka's storage cannot be formatted: {done.stderr[-1000:]}")

    @property
    def _properties(self) -> str:
        return str(self._folder / "server.properties")

    def _java(self, *arguments: str) -> list[str]:
        # Named in a fixed order: the class archive is refused for any other class path.
        jars = sorted(str(path) for path in self._installation.kafka_jars.glob("*.jar"))
        archive = self._installation.class_archive
        shared = [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto"] if archive.exists() else []
        return [
            str(self._installation.java), *_JVM_OPTIONS, *shared, *self._jvm_options,
            f"-Dlog4j2.configurationFile={local_folder() / 'kafka' / 'log4j2.xml'}",
            f"-Dalpr.log.folder={self._logs}", "-cp", ":".join(jars), *arguments,
        ]  # fmt: skip

    def _launch(self) -> subprocess.Popen[bytes]:
        self._logs.mkdir(parents=True, exist_ok=True)
        with open_log(self._logs / "kafka.out") as log:
            return subprocess.Popen(
                self._java("kafka.Kafka", self._properties), cwd=self._folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def _wait_until_ready(self, deadline_seconds: float) -> None:
        try:
            wait_for_kafka(self.bootstrap_servers, deadline_seconds, self.is_running)
        except ServerNotReady as error:
            logs = f"{tail(self._logs / 'kafka.out')}\n{tail(self.log_path)}"
            raise ServerNotReady(f"{error}\n{logs}") from None


def wait_for_kafka(
    bootstrap_servers: str, deadline_seconds: float, is_running: Callable[[], bool] = lambda: True
) -> None:
    """Wait until a broker answers a metadata request with itself in it.

    Raises ServerNotReady at the deadline, or at once when `is_running` says that it ended.
    """
    deadline = time.monotonic() + deadline_seconds
    reason = "no connection"
    while time.monotonic() < deadline and is_running():
        try:
            # A bare connection first: the client library logs every refused one as an error.
            _connect(bootstrap_servers)
            run_apart(_metadata(bootstrap_servers))
        except Exception as error:  # noqa: BLE001  (whatever it says, it is not ready)
            reason = str(error)
            time.sleep(0.1)
        else:
            return
    state = "does not answer" if is_running() else "ended"
    raise ServerNotReady(f"Kafka {state}: {reason}")


def _connect(bootstrap_servers: str) -> None:
    host, _, port = bootstrap_servers.rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()


async def _metadata(bootstrap_servers: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        if not cluster["brokers"]:
            raise ServerNotReady("no broker is registered yet")
    finally:
        await admin.close()


async def _delete_topics(bootstrap_servers: str, pattern: re.Pattern[str], seconds: float) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        deadline = time.monotonic() + seconds
        while topics := [name for name in await admin.list_topics() if pattern.match(name)]:
            if time.monotonic() > deadline:
                raise ServerNotReady(f"topics are still there after {seconds} s: {topics}")
            await admin.delete_topics(topics)
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


def delete_topics(bootstrap_servers: str, pattern: str, deadline_seconds: float = 30) -> None:
    """Delete every topic whose whole name matches; committed offsets of theirs go with them."""
    run_apart(_delete_topics(bootstrap_servers, re.compile(f"^(?:{pattern})$"), deadline_seconds))


def run_apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to its end in a thread with a loop of its own: callers may be inside a running loop."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
