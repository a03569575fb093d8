"""Log files of servers and services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

_LARGEST_BYTES = 20 * 1024 * 1024


def open_log(path: Path) -> BinaryIO:
    """Open for appending; a file that grew beyond 20 MB becomes `<name>.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def tail(path: Path, lines: int = 20, *, since_bytes: int = 0) -> str:
    """The last lines as a person reads them, for an error message; empty when there is no log.

    `since_bytes` leaves out what an earlier start wrote.
    """
    try:
        with path.open("rb") as log:
            log.seek(since_bytes)
            content = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    readable = "\n".join(map(_readable, content.splitlines()))
    return "\n".join(readable.splitlines()[-lines:])


def _readable(line: str) -> str:
    """A line of JSON as level and text: a traceback within it becomes lines again."""
    try:
        said = json.loads(line)
        text = str(said.pop("event"))
    except (ValueError, AttributeError, KeyError, TypeError):
        return line
    level = said.pop("level", "")
    if "exception" in said:
        text += f"\n{said.pop('exception')}"
    left_out = ("timestamp", "service")
    rest = " ".join(f"{name}={value}" for name, value in said.items() if name not in left_out)
    return " ".join(part for part in (f"[{level}]", text.rstrip(), rest) if part)
