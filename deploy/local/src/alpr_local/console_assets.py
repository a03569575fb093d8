"""The console's scripts, which its own installer fetches: police networks are closed, so every page
asset is served by the console itself."""

from __future__ import annotations

from collections.abc import Callable

from alpr_local.errors import InstallFailed
from alpr_local.fetching import fetch
from alpr_local.folders import repository


def install(say: Callable[[str], None] = print) -> None:
    """Run services/console/install_assets.sh, which does nothing when they are there."""
    script = repository() / "services" / "console" / "install_assets.sh"
    if not script.exists():
        return
    done = fetch([script])
    if done.returncode != 0:
        raise InstallFailed(f"the console's assets are missing: {done.stderr.strip()[-500:]}")
    if done.stdout.strip():
        say(done.stdout.strip())
