"""Log files of servers and services."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_LARGEST_BYTES = 20 * 1024 * 1024


def open_log(path: Path) -> BinaryIO:
    """Open for appending; a file that grew beyond 20 MB becomes `<name>.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def tail(path: Path, lines: int = 20) -> str:
    """The last lines, for an error message; empty when there is no log."""
    try:
        content = path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(content.splitlines()[-lines:])
