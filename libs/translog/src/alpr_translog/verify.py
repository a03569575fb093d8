"""Checks a whole log offline, from its files alone: checkpoint, tiles and entries.

What a held checkpoint (seen earlier, kept elsewhere) covers cannot be edited, removed, reordered or
forked without being found here, even by somebody who has the database and the signing key.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import HashOf, leaf_hash, root_of
from alpr_translog.note import NoteInvalid, VerifierKey
from alpr_translog.tiles import (
    TileMalformed,
    bundles_of,
    decode_bundle,
    hash_reader,
    parse_path,
    tiles_over,
)

Fetch = Callable[[str], bytes]
"""Gives the file of that path (`checkpoint`, `tile/0/000.p/5`); raises FileNotFoundError."""


@dataclass
class Report:
    """What was checked and what is wrong; the log is good when `faults` is empty."""

    size: int = 0
    root: bytes = b""
    held: list[tuple[int, bool]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.faults


def folder_source(folder: Path) -> Fetch:
    """A log that was copied into a folder."""

    def fetch(path: str) -> bytes:
        if path != "checkpoint":
            parse_path(path)
        return (folder / path).read_bytes()

    return fetch


def verify_log(fetch: Fetch, key: VerifierKey, held: Sequence[str] = ()) -> Report:
    """Check all that the log's own checkpoint covers, and each held checkpoint against it."""
    report = Report()
    try:
        current = Checkpoint.open(fetch("checkpoint").decode(), key)
    except (NoteInvalid, FileNotFoundError, UnicodeDecodeError) as error:
        report.faults.append(f"checkpoint: {error}")
        return report
    report.size, report.root = current.size, current.root
    # Hashed as they come: a log of millions of entries need not fit into memory.
    tiles = tiles_over([leaf_hash(entry) for entry in _entries(fetch, current.size, report)])
    if report.faults:
        return report
    for tile, expected in tiles.items():
        try:
            if fetch(tile.path) != expected:
                report.faults.append(f"{tile.path}: does not hash to what the entries say")
        except FileNotFoundError:
            report.faults.append(f"{tile.path}: missing")
    hash_of = hash_reader(tiles.__getitem__, current.size)
    if root_of(hash_of, current.size) != current.root:
        report.faults.append("checkpoint: its root is not that of the entries")
    for note in held:
        _check_held(note, key, hash_of, current, report)
    return report


def _entries(fetch: Fetch, size: int, report: Report) -> Iterator[bytes]:
    for bundle in bundles_of(size):
        try:
            yield from decode_bundle(fetch(bundle.path), bundle.width)
        except (FileNotFoundError, TileMalformed) as error:
            report.faults.append(f"{bundle.path}: {error}")


def _check_held(
    note: str, key: VerifierKey, hash_of: HashOf, current: Checkpoint, report: Report
) -> None:
    try:
        old = Checkpoint.open(note, key)
    except NoteInvalid as error:
        report.faults.append(f"held checkpoint: {error}")
        return
    if old.size > current.size:
        report.faults.append(
            f"held checkpoint of {old.size} entries: the log has only {current.size}: truncated"
        )
        report.held.append((old.size, False))
        return
    good = root_of(hash_of, old.size) == old.root
    report.held.append((old.size, good))
    if not good:
        report.faults.append(
            f"held checkpoint of {old.size} entries: the log no longer begins with them"
        )
