"""Roles, schemas and privileges in PostgreSQL: deploy/local/postgres/*.sql, run with psql.

psql rather than a driver, so that the containers' init script runs the very same files.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from alpr_local.errors import ProvisioningFailed
from alpr_local.folders import local_folder
from alpr_local.secret_files import SecretFiles


@dataclass(frozen=True)
class PostgresAddress:
    """Where a server listens and who its superuser is."""

    host: str
    port: int
    superuser: str
    password: str

    @classmethod
    def parse(cls, dsn: str) -> PostgresAddress:
        """From postgresql://user:password@host:port/…"""
        parts = urlsplit(dsn)
        return cls(
            parts.hostname or "127.0.0.1", parts.port or 5432,
            unquote(parts.username or "postgres"), unquote(parts.password or ""),
        )  # fmt: skip

    def dsn(self, role: str, password: str, database: str) -> str:
        """postgresql://role:password@host:port/database"""
        user = f"{quote(role, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{user}@{self.host}:{self.port}/{database}"


def services_with_a_schema() -> tuple[str, ...]:
    """The one table: deploy/local/postgres/services.txt."""
    lines = (local_folder() / "postgres" / "services.txt").read_text().splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def runtime_role(service: str) -> str:
    return f"alpr_{service}"


def owner_role(service: str) -> str:
    return f"alpr_{service}_owner"


@dataclass(frozen=True)
class Provisioning:
    """Brings one server's database to its wanted state; every call can be repeated."""

    address: PostgresAddress
    database: str
    secrets: SecretFiles
    programs: Path
    """The folder that holds PostgreSQL's bin/."""

    def password(self, role: str) -> str:
        return self.secrets.value(f"{role}.password")

    def dsn(self, role: str) -> str:
        """Where a runtime or owner role signs in."""
        return self.address.dsn(role, self.password(role), self.database)

    def apply(self) -> None:
        """Database, roles, schemas, privileges. Raises ProvisioningFailed, saying why."""
        self._psql("postgres", "database.sql", {"database": self.database}, {})
        for service in services_with_a_schema():
            self._psql(
                self.database,
                "service.sql",
                {"service": service},
                {
                    "ALPR_OWNER_PASSWORD": self.password(owner_role(service)),
                    "ALPR_RUNTIME_PASSWORD": self.password(runtime_role(service)),
                },
            )

    def drop_database(self) -> None:
        """Drop the database with everything in it, whoever is connected."""
        self.run(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')

    def run(self, statement: str, database: str = "postgres", timeout_seconds: float = 60) -> str:
        """One statement as superuser; its rows, unaligned, one a line."""
        return self._call(database, ["-c", statement], {}, timeout_seconds)

    def _psql(
        self, database: str, script: str, variables: dict[str, str], secret: dict[str, str]
    ) -> None:
        arguments = [f"--set={name}={value}" for name, value in variables.items()]
        file = local_folder() / "postgres" / script
        self._call(database, [*arguments, "-f", str(file)], secret, 60)

    def _call(
        self, database: str, arguments: list[str], secret: dict[str, str], timeout_seconds: float
    ) -> str:
        environment = {
            "PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "5",
            "PGHOST": self.address.host, "PGPORT": str(self.address.port),
            "PGUSER": self.address.superuser, "PGPASSWORD": self.address.password, **secret,
        }  # fmt: skip
        psql = self.programs / "bin" / "psql"
        try:
            done = subprocess.run(
                [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments],
                env=environment, capture_output=True, text=True, check=False,
                timeout=timeout_seconds, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ProvisioningFailed(f"PostgreSQL gave no answer in {timeout_seconds} s") from None
        if done.returncode != 0:
            raise ProvisioningFailed(done.stderr.strip())
        return done.stdout.strip()
