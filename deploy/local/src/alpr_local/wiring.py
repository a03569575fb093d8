"""Which process listens where, and the environment that tells every process about all others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alpr_local.folders import repository
from alpr_local.pidfile import PidFile
from alpr_local.ports import choose_port, forget_port_if_taken, remembered_port
from alpr_local.provisioning import owner_role, runtime_role, services_with_a_schema
from alpr_local.stack import Stack

# Names as in the Procfile. Each has an HTTP port, if only for /live, /ready and /metrics.
PROCESSES = (
    "ingest",
    "recognizer",
    "matcher",
    "matcher-worker",
    "alerts",
    "access-log",
    "identity",
    "console",
)
_CREDENTIALS = (
    "_DATABASE_URL",
    "_PRIVATE_KEY_FILE",
    "_COOKIE_KEY_FILE",
    "_LOG_KEY_FILE",
    "_EVIDENCE_KEY_FILE",
    "_FACTOR_KEY_FILE",
)
_WITH_AN_ADDRESS = ("ingest", "matcher", "alerts", "access-log", "identity", "console")


def variable(process: str) -> str:
    """How a process is called in the names of its variables: `access-log` → `ACCESS_LOG`."""
    return process.upper().replace("-", "_")


def choose_ports() -> dict[str, int]:
    """A free port for every process, by its name in the Procfile."""
    return {process: choose_port() for process in PROCESSES}


def remembered_ports(folder: Path) -> dict[str, int]:
    """The ports of a stack that keeps its addresses from run to run (the demo's bookmarks work)."""
    for name in PROCESSES:
        if PidFile(folder / "run" / f"{name}.pid").running() is None:
            forget_port_if_taken(folder / "ports" / name)
    return {name: remembered_port(folder / "ports" / name) for name in PROCESSES}


def environment(stack: Stack, ports: dict[str, int]) -> dict[str, str]:
    """Every `ALPR_…` variable of every process, `ports` being by Procfile name; for developers and
    tools. A process is started with `process_environment`, which knows less."""
    variables = {
        "ALPR_KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
        "ALPR_OBJECT_STORE_URL": stack.objects_folder.as_uri(),
        "ALPR_TOKEN_PUBLIC_KEY_FILE": str(stack.secrets.token_public_key),
        "ALPR_IDENTITY_TOKEN_PRIVATE_KEY_FILE": str(stack.secrets.token_private_key),
        "ALPR_IDENTITY_SECOND_FACTOR_KEY_FILE": str(stack.secrets.file("second-factor.key")),
        "ALPR_ACCESS_LOG_LOG_KEY_FILE": str(stack.secrets.log_signing_key),
        "ALPR_ACCESS_LOG_EVIDENCE_KEY_FILE": str(stack.secrets.evidence_key),
        "ALPR_ACCESS_LOG_LOG_WITNESS_URL": stack.witness_folder.as_uri(),
        "ALPR_CONSOLE_COOKIE_KEY_FILE": str(stack.secrets.file("console-cookie.key")),
        "ALPR_MODELS_FOLDER": str(repository() / "models"),
        "ALPR_LOG_FORMAT": "json",
        "ALPR_INGEST_SPOOL_FOLDER": str(stack.spool_folder / "ingest"),
        "ALPR_MATCHER_WORKER_DATA_FOLDER": str(stack.work_folder / "matcher-worker"),
    }
    for process, port in ports.items():
        prefix = f"ALPR_{variable(process)}"
        variables[f"{prefix}_HOST"] = "127.0.0.1"
        variables[f"{prefix}_PORT"] = str(port)
        if process in _WITH_AN_ADDRESS:
            variables[f"{prefix}_URL"] = f"http://127.0.0.1:{port}"
    for service in services_with_a_schema():
        prefix = f"ALPR_{service.upper()}"
        variables[f"{prefix}_DATABASE_URL"] = stack.postgres_dsn(runtime_role(service))
        variables[f"{prefix}_MIGRATION_DATABASE_URL"] = stack.postgres_dsn(owner_role(service))
    return variables


def process_environment(
    process: str, stack: Stack, ports: dict[str, int], extra: dict[str, str] | None = None
) -> dict[str, str]:
    """What a process of the Procfile is started with: this process's environment, ours over it.

    A service gets no other service's database, only identity gets the key that signs tokens and
    only access-log the one that signs its log: stored reads have one door, and a process that was
    never given the credentials cannot go round it. Variables of the system that are set in a
    developer's shell do not leak in either.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALPR_")}
    beside_python = str(Path(sys.executable).parent)
    inherited["PATH"] = f"{beside_python}{os.pathsep}{inherited.get('PATH', os.defpath)}"
    # Lines reach the log when they are written, not when a buffer of a killed process was full.
    inherited["PYTHONUNBUFFERED"] = "1"
    told = {
        name: value
        for name, value in environment(stack, ports).items()
        if not name.endswith(_CREDENTIALS) or name.startswith(f"ALPR_{variable(process)}_")
    }
    return {**inherited, **told, **(extra or {})}
