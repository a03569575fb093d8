"""The Chromium that the browser tests drive, found or installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from alpr_local.folders import install_folder

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HELP = (
    "Chromium is missing and could not be installed, so the browser tests cannot run: install it "
    "(Debian: apt-get install chromium) or put its path into ALPR_BROWSER"
)
_TRY_AGAIN_AFTER_SECONDS = 24 * 3600


def executable() -> Path | None:
    """The browser to drive: $ALPR_BROWSER, one on PATH, or Playwright's own in var/install."""
    given = os.environ.get("ALPR_BROWSER")
    if given:
        return Path(given)
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    own = sorted(_own_folder().glob("chromium-*/chrome-linux*/chrome"))
    return own[-1] if own else None


def install(say: Callable[[str], None] = print) -> Path | None:
    """Find or install a browser; None, and one line that says how to get it, when neither works.

    A failed attempt is remembered for a day: an installation that runs before every test must not
    wait for a network that is not there each time.
    """
    found = executable()
    if found is not None:
        return found
    failed = install_folder() / "no-browser"
    if not failed.exists() or time.time() - failed.stat().st_mtime > _TRY_AGAIN_AFTER_SECONDS:
        say("Chromium: installing it for the browser tests")
        found = _from_debian() or _from_playwright()
        failed.parent.mkdir(parents=True, exist_ok=True)
        failed.touch()
    if found is None:
        say(_HELP)
    else:
        failed.unlink(missing_ok=True)
    return found


def _own_folder() -> Path:
    return install_folder() / "browsers"


def _from_debian() -> Path | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wanted = [
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
        "chromium",
        "fonts-dejavu-core",
    ]
    # The package list of a fresh machine is empty or old; asking for a new one first is slow on
    # others, so it is asked for when the plain attempt failed.
    for commands in ([wanted], [["apt-get", "update"], wanted]):
        if all(_succeeds(command, environment) for command in commands):
            break
    return executable()


def _from_playwright() -> Path | None:
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(_own_folder())}
    # Once more after a hiccup of the network: without a browser its tests are skipped.
    _ = _succeeds(command, environment) or _succeeds(command, environment)
    return executable()


def _succeeds(command: list[str], environment: dict[str, str]) -> bool:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
