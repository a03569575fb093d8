"""Where things lie in the checkout."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def repository() -> Path:
    """The checkout's root. `ALPR_REPOSITORY` names it where this package runs from elsewhere."""
    given = os.environ.get("ALPR_REPOSITORY")
    return Path(given).resolve() if given else Path(__file__).resolve().parents[4]


def local_folder() -> Path:
    """deploy/local: the Procfile and the servers' configuration."""
    return repository() / "deploy" / "local"


def install_folder() -> Path:
    """What `alpr_local install` puts into the checkout."""
    return repository() / "var" / "install"


def stack_folder(name: str) -> Path:
    """One stack's data, logs, secrets and pid files."""
    return repository() / "var" / "stack" / name


def checkout_digest() -> str:
    """Tells apart what several checkouts of one user keep outside themselves."""
    return hashlib.sha256(str(repository()).encode()).hexdigest()[:12]
