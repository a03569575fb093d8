"""A file whose content holds until the file changes: keys are changed without a restart."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What `parse` makes of a file, made anew when the file changes.

    Raises whatever reading or `parse` raises at first. Later a file that cannot be read or parsed
    (half a deployment, a slip of the hand) is logged, and what held before holds on: everybody
    refused at once is no better than a key that was to go a moment ago.
    """

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path, self._parse = path, parse
        self._stamp = self._stamped()
        self._content = parse(path.read_text())

    def content(self) -> T:
        """What holds now. Looks at the file's stamp, which costs microseconds, each time."""
        try:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._content = self._parse(self._path.read_text())
                self._stamp = stamp
                log.info("file.changed", path=str(self._path))
        except (OSError, ValueError) as error:
            log.error("file.unusable", path=str(self._path), error=repr(error))
        return self._content

    def _stamped(self) -> tuple[int, int, int]:
        # The inode as well: a mounted secret is changed by swapping a link within one moment.
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size
