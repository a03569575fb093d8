"""The spool's files: written so that a file either is whole or does not exist. Blocking.

A frame is `<number>_<camera_id>.frame`: magic, lengths, SHA-256, then a JSON header and the
picture. It is written under a `.tmp` name, synced, renamed, and the folder is synced: a `.tmp`
that is found was never acknowledged to anybody.
"""

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

log = structlog.get_logger()

_MAGIC = b"ALPRSPL1"
_PREFIX = struct.Struct(">8sII32s")
_NAME = re.compile(r"(\d{20})_([A-Za-z0-9][A-Za-z0-9._-]*)\.frame")


class TornFrame(Exception):
    """A spooled file is not what was written."""


class SpoolInUse(Exception):
    """Another process has the spool's folder."""


@dataclass(frozen=True)
class OutgoingFrame:
    """One message for the frames' topic."""

    camera_id: str
    jpeg: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def spooled_size(self) -> int:
        """Bytes on disk, near enough for a limit (headers grow by a third as Base64)."""
        return _PREFIX.size + len(self.jpeg) + sum(64 + 2 * len(v) for _, v in self.headers)


@dataclass(frozen=True)
class SpoolEntry:
    """A place in the spool; numbers follow the order of acceptance."""

    number: int
    camera_id: str
    size: int
    spooled_at: datetime

    @property
    def name(self) -> str:
        return f"{self.number:020d}_{self.camera_id}.frame"


def lock_folder(folder: Path, patience_seconds: float) -> int:
    """Make the folder and take it for this process, until the descriptor closes or the process
    ends; raises `SpoolInUse` when another keeps it for longer than the patience."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sync_folder(folder.parent)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES) or time.monotonic() > deadline:
                os.close(descriptor)
                raise SpoolInUse(f"{folder} is used by another process") from error
            time.sleep(0.1)


def recover(folder: Path) -> tuple[list[SpoolEntry], int]:
    """What waits in the folder, in order, and how many unfinished writes were cleared away."""
    entries, unfinished = [], 0
    for file in folder.iterdir():
        if file.suffix == ".tmp":
            log.warning("spool.unfinished_write_removed", file=file.name)
            file.unlink()
            unfinished += 1
        elif named := _NAME.fullmatch(file.name):
            kept = file.stat()
            spooled_at = datetime.fromtimestamp(kept.st_mtime, UTC)
            entries.append(SpoolEntry(int(named[1]), named[2], kept.st_size, spooled_at))
    return sorted(entries, key=lambda e: e.number), unfinished


def write(folder: Path, entry: SpoolEntry, frame: OutgoingFrame) -> None:
    """Durable when it returns; raises `OSError`, and then nothing of the frame is left."""
    header = json.dumps(
        {
            "camera_id": frame.camera_id,
            "headers": [[n, base64.b64encode(v).decode()] for n, v in frame.headers],
        }
    ).encode()
    digest = hashlib.sha256(header)
    digest.update(frame.jpeg)
    prefix = _PREFIX.pack(_MAGIC, len(header), len(frame.jpeg), digest.digest())
    temporary, final = folder / f"{entry.number:020d}.tmp", folder / entry.name
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            for part in (prefix, header, frame.jpeg):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(final)
        sync_folder(folder)
    except OSError:
        for left in (temporary, final):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        raise


def read(folder: Path, entry: SpoolEntry) -> OutgoingFrame:
    """The frame as it was written; raises `TornFrame`, or `OSError` when the disk does not give
    it."""
    try:
        data = (folder / entry.name).read_bytes()
    except FileNotFoundError as error:
        raise TornFrame(f"{entry.name} is gone") from error
    if len(data) < _PREFIX.size:
        raise TornFrame(f"{entry.name} is shorter than its prefix")
    magic, header_length, jpeg_length, digest = _PREFIX.unpack_from(data)
    if magic != _MAGIC or len(data) != _PREFIX.size + header_length + jpeg_length:
        raise TornFrame(f"{entry.name} has {len(data)} bytes, which is not what it says")
    content = memoryview(data)[_PREFIX.size :]
    if hashlib.sha256(content).digest() != digest:
        raise TornFrame(f"{entry.name} does not agree with its checksum")
    header = json.loads(bytes(content[:header_length]))
    return OutgoingFrame(
        header["camera_id"],
        bytes(content[header_length:]),
        tuple((name, base64.b64decode(value)) for name, value in header["headers"]),
    )


def remove(folder: Path, entry: SpoolEntry) -> None:
    # Not synced: a file that a power cut brings back is sent twice, under the same id.
    (folder / entry.name).unlink(missing_ok=True)


def set_aside(folder: Path, entry: SpoolEntry) -> None:
    """Keep a torn file for whoever looks into it, out of the way."""
    with contextlib.suppress(FileNotFoundError):
        (folder / entry.name).rename(folder / f"{entry.name}.torn")


def forget_torn(folder: Path, before: float) -> int:
    """Remove torn files that were written before then (seconds since 1970); how many there were.

    A torn file can hold a whole picture still: it is kept for no longer than a message that could
    not be handled.
    """
    forgotten = 0
    for file in folder.glob("*.frame.torn"):
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mtime < before:
                file.unlink()
                log.warning("spool.torn_file_removed", file=file.name)
                forgotten += 1
    return forgotten


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
