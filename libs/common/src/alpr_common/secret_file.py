"""Files of keys: written whole or not at all, so that a reader never sees half of one."""

import contextlib
import os
from pathlib import Path


def write_secret_file(path: Path, text: str, mode: int) -> None:
    """Replace the file, on disk before this returns; one that was there keeps its permissions."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode & 0o777
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
