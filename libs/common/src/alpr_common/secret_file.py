"""Files of keys: written whole or not at all, so that a reader never sees half of one."""

import contextlib
import os
from pathlib import Path


def write_secret_file(path: Path, text: str, mode: int) -> None:
    """Replace the file, on disk before this returns; one that was there keeps its permissions, and
    its owner and group as far as this process may give files away."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    old = None
    with contextlib.suppress(FileNotFoundError):
        old = path.stat()
    temporary.unlink(missing_ok=True)
    # Nobody else's until it has its owner and group.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if old is not None:
            mode = old.st_mode & 0o777
            _give(descriptor, old)
        os.fchmod(descriptor, mode)  # not when it is opened: the umask would take from it
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    _sync_folder(path.parent)


def _give(descriptor: int, old: os.stat_result) -> None:
    """The operator's command runs as root, perhaps; the service that reads the file does not."""
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, -1, old.st_gid)  # one's own groups need no privilege
        os.fchown(descriptor, old.st_uid, -1)


def _sync_folder(folder: Path) -> None:
    """Without it a crash may bring the old file back, which the log was handed over from."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
