"""One running stack: Kafka, PostgreSQL, roles, secrets and folders, for the demo and for the tests.

    with Stack.local("demo") as stack:
        stack.kafka_bootstrap_servers, stack.postgres_dsn("alpr_ingest")

A stack is its folder, var/stack/<name>: ports, data, logs, secrets and pid files. Whoever opens the
same name finds the same servers, running or not. A stack started with `owned=True` dies with its
starter.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from alpr_local import watch
from alpr_local.errors import ServerNotOurs
from alpr_local.folders import stack_folder
from alpr_local.install import Say, install
from alpr_local.kafka import KafkaServer, delete_topics, run_apart
from alpr_local.locks import locked
from alpr_local.pidfile import PidFile
from alpr_local.ports import forget_port_if_taken
from alpr_local.postgres import PostgresServer
from alpr_local.postgres_binaries import install as postgres_programs
from alpr_local.provisioning import PostgresAddress, Provisioning
from alpr_local.secret_files import SecretFiles

# Our topics and what Faust derives from its app id; nobody else's, should the broker be shared.
_OUR_TOPICS = r"alpr[.-].*"


class GivenServer:
    """A server that something else runs: it can be used, not stopped."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.log_path: Path | None = None

    def _refuse(self) -> NoReturn:
        raise ServerNotOurs(f"{self._what} was given, not started here: it cannot be stopped")

    def start(self, deadline_seconds: float = 60) -> None:
        """Nothing to do: it runs already."""

    def stop(self) -> None:
        self._refuse()

    def kill(self) -> None:
        self._refuse()

    def is_running(self) -> bool:
        return True


class Stack:
    """Addresses, secrets and folders of one Kafka and one PostgreSQL, provisioned and ready."""

    def __init__(
        self,
        folder: Path,
        kafka: KafkaServer | GivenServer,
        postgres: PostgresServer | GivenServer,
        provisioning: Provisioning,
        kafka_bootstrap_servers: str,
        origin: str,
    ) -> None:
        self.folder = folder
        self.kafka = kafka
        self.postgres = postgres
        self.secrets = provisioning.secrets
        self.kafka_bootstrap_servers = kafka_bootstrap_servers
        self.origin = origin
        """Where the servers come from, in words."""
        self._provisioning = provisioning

    @classmethod
    def local(cls, name: str, say: Say = print) -> Stack:
        """The stack of that name on this machine, installed if need be, not started yet."""
        installation = install(say)
        folder = stack_folder(name)
        secrets = SecretFiles(folder / "secrets")
        for server, ports in (
            ("kafka", ("kafka", "kafka-controller")),
            ("postgres", ("postgres",)),
        ):
            if PidFile(folder / "run" / f"{server}.pid").running() is None:
                for port in ports:
                    forget_port_if_taken(folder / f"{port}.port")
        kafka = KafkaServer(folder / "kafka", folder / "logs", installation)
        postgres = PostgresServer(
            folder / "postgres", folder / "logs" / "postgres.log", secrets, installation.postgres
        )
        provisioning = Provisioning(postgres.address, "alpr", secrets, installation.postgres)
        return cls(
            folder, kafka, postgres, provisioning, kafka.bootstrap_servers, "local processes"
        )

    @classmethod
    def given(
        cls, name: str, kafka_bootstrap_servers: str, postgres_admin_dsn: str, origin: str
    ) -> Stack:
        """A stack on servers that run elsewhere; `postgres_admin_dsn` is a superuser's.

        The roles `alpr_*` and a database of this stack's own name are made there.
        """
        folder = stack_folder(name)
        provisioning = Provisioning(
            PostgresAddress.parse(postgres_admin_dsn),
            f"alpr_{name}".replace("-", "_"),
            SecretFiles(folder / "secrets"),
            postgres_programs(),
        )
        return cls(
            folder, GivenServer("Kafka"), GivenServer("PostgreSQL"), provisioning,
            kafka_bootstrap_servers, origin,
        )  # fmt: skip

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def logs_folder(self) -> Path:
        return self.folder / "logs"

    @property
    def objects_folder(self) -> Path:
        """The object store's folder."""
        return self.folder / "objects"

    @property
    def spool_folder(self) -> Path:
        """Where ingest keeps frames while Kafka is away."""
        return self.folder / "spool"

    @property
    def witness_folder(self) -> Path:
        """Copies of the access log's checkpoints, which the database cannot reach."""
        return self.folder / "witness"

    @property
    def work_folder(self) -> Path:
        """What processes keep for themselves and can rebuild."""
        return self.folder / "work"

    @property
    def is_local(self) -> bool:
        """Whether the servers can be stopped, killed and restarted from here."""
        return isinstance(self.kafka, KafkaServer)

    @property
    def database(self) -> str:
        return self._provisioning.database

    def postgres_dsn(self, role: str) -> str:
        """postgresql://… for a runtime role (`alpr_ingest`) or an owner (`alpr_ingest_owner`)."""
        return self._provisioning.dsn(role)

    @property
    def postgres_admin_dsn(self) -> str:
        """postgresql://… of the superuser, connected to the stack's database."""
        address = self._provisioning.address
        return address.dsn(address.superuser, address.password, self.database)

    def start(self, *, owned: bool = False) -> Self:
        """Start what is not running, wait until both answer, bring roles and schemas up to date.

        `owned`: a watcher stops everything of this stack, data staying, when this process ends,
        however it ends. Raises ServerNotReady or ProvisioningFailed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "lock"):
            if owned:
                watch.start(self.folder, os.getpid())
            else:
                watch.end_if_orphaned(self.folder)
            with ThreadPoolExecutor(2) as both:
                for started in [both.submit(self.kafka.start), both.submit(self._start_postgres)]:
                    started.result()
        self.objects_folder.mkdir(exist_ok=True)
        return self

    def _start_postgres(self) -> None:
        self.postgres.start()
        self._provisioning.apply()

    def create_topics(self) -> None:
        """Create the topics of alpr_common.topics that do not exist yet."""
        # Imported late: starting servers needs none of the product.
        from alpr_common.topics import create_topics

        run_apart(create_topics(self.kafka_bootstrap_servers))

    def clear(self) -> None:
        """Back to the state after the first start: empty schemas, no topics, no objects or spools.

        Services of the stack have to be stopped; other connections to the database are cut.
        """
        delete_topics(self.kafka_bootstrap_servers, _OUR_TOPICS)
        self._provisioning.drop_database()
        self._provisioning.apply()
        # The witness too: it would call the log that begins anew a forgery.
        for folder in (
            self.objects_folder, self.spool_folder, self.work_folder, self.witness_folder
        ):  # fmt: skip
            shutil.rmtree(folder, ignore_errors=True)
        self.objects_folder.mkdir(parents=True)

    def stop(self) -> None:
        """Stop services that are left over, then the servers. Data stays."""
        with locked(self.folder / "lock"):
            watch.stop_services(self.folder)
            if isinstance(self.kafka, KafkaServer):
                with ThreadPoolExecutor(2) as both:
                    for stopped in [both.submit(self.kafka.stop), both.submit(self.postgres.stop)]:
                        stopped.result()
            watch.end(self.folder)

    def remove(self) -> None:
        """Stop, and delete the folder with all in it; on given servers, what we made there."""
        self.stop()
        if isinstance(self.postgres, PostgresServer):
            self.postgres.remove()
        else:
            delete_topics(self.kafka_bootstrap_servers, _OUR_TOPICS)
            self._provisioning.drop_database()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start(owned=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


_TEMPORARY = "test-"


def temporary_name() -> str:
    """The name of this process's temporary stack."""
    return f"{_TEMPORARY}{os.getpid()}"


@contextmanager
def temporary_stack(say: Say = print) -> Iterator[Stack]:
    """A local stack that exists while the block runs; nothing of it is left afterwards.

    What earlier runs left, killed before they could tidy up, goes first.
    """
    remove_abandoned(say)
    folder = stack_folder(temporary_name())
    PidFile(folder / watch.OWNER).record(os.getpid())
    stack = Stack.local(folder.name, say)
    try:
        yield stack.start(owned=True)
    finally:
        stack.remove()


def remove_abandoned(say: Say = print) -> list[str]:
    """Stop and delete temporary stacks whose owner is dead; returns their names."""
    abandoned = [
        owner.parent.name
        for owner in stack_folder("").glob(f"{_TEMPORARY}*/{watch.OWNER}")
        if PidFile(owner).running() is None
    ]
    for name in abandoned:
        Stack.local(name, say).remove()
    return abandoned
