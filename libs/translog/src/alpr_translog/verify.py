"""Checks a whole log offline, from its files alone: checkpoint, tiles and entries.

What a held checkpoint (seen earlier, kept elsewhere) covers cannot be edited, removed, reordered or
forked without being found here, even by somebody who has the database and the signing key. Where
the key was changed the log says so itself (`handover`): any one of its keys is enough.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOver, HandOverInvalid, Lineage, claimed_by, hand_over_in
from alpr_translog.merkle import HashOf, leaf_hash, root_of
from alpr_translog.note import NoteInvalid, VerifierKey, open_note
from alpr_translog.tiles import (
    TILE_WIDTH,
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
    lineage: Lineage | None = None
    """The log's keys; None while it is not known which they are."""
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
    """Check all that the log's own checkpoint covers, and each held checkpoint against it.

    `key` is the log's, or was, or took over since: the others are found by the log's hand-overs.
    """
    report = Report()
    try:
        note = fetch("checkpoint").decode()
        current = claimed_by(note, key.name)
    except (NoteInvalid, FileNotFoundError, UnicodeDecodeError) as error:
        report.faults.append(f"checkpoint: {error}")
        return report
    unsigned = _unsigned(note, key)
    if unsigned is None:
        report.size, report.root = current.size, current.root
    leaf_hashes, hand_overs = _read(fetch, current.size, report, is_signed=unsigned is None)
    if unsigned and (report.faults or not hand_overs):
        report.faults.insert(0, f"checkpoint: {unsigned}")
    lineage = None if report.faults else _lineage(note, key, hand_overs, report)
    if lineage is None:
        return report
    report.size, report.root, report.lineage = current.size, current.root, lineage
    tiles = tiles_over(leaf_hashes)
    for tile, expected in tiles.items():
        try:
            if fetch(tile.path) != expected:
                report.faults.append(f"{tile.path}: does not hash to what the entries say")
        except FileNotFoundError:
            report.faults.append(f"{tile.path}: missing")
    hash_of = hash_reader(tiles.__getitem__, current.size)
    if root_of(hash_of, current.size) != current.root:
        report.faults.append("checkpoint: its root is not that of the entries")
    for one in hand_overs:
        if root_of(hash_of, one.size) != one.root:
            report.faults.append(
                f"entry {one.size}: {one.old.key_id.hex()} handed over another log than these "
                f"{one.size} entries"
            )
    for held_note in held:
        _check_held(held_note, lineage, hash_of, current, report)
    return report


def _unsigned(note: str, key: VerifierKey) -> str | None:
    """Why the key did not sign; it may be an earlier one, or a later."""
    try:
        open_note(note, key)
    except NoteInvalid as error:
        return str(error)
    return None


def _read(
    fetch: Fetch, size: int, report: Report, *, is_signed: bool
) -> tuple[list[bytes], list[HandOver]]:
    """Hashes of all entries, and the hand-overs among them.

    Hashed as they come: a log of millions of entries need not fit into memory.
    """
    leaf_hashes: list[bytes] = []
    hand_overs: list[HandOver] = []
    for bundle in bundles_of(size):
        try:
            for n, entry in enumerate(decode_bundle(fetch(bundle.path), bundle.width)):
                found = hand_over_in(entry, bundle.index * TILE_WIDTH + n)
                hand_overs += [found] if found else []
                leaf_hashes.append(leaf_hash(entry))
        except HandOverInvalid as error:
            report.faults.append(str(error))
            break
        except (FileNotFoundError, TileMalformed) as error:
            report.faults.append(f"{bundle.path}: {error}")
            # A size that nobody vouches for may be made up: no looking for a million bundles.
            if not is_signed:
                break
    return leaf_hashes, hand_overs


def _lineage(
    note: str, key: VerifierKey, hand_overs: Sequence[HandOver], report: Report
) -> Lineage | None:
    """The log's keys, of which the right one signed its checkpoint."""
    try:
        found = Lineage.through(key, hand_overs)
        found.open(note)
    except HandOverInvalid as error:
        report.faults.append(str(error))
    except NoteInvalid as error:
        report.faults.append(f"checkpoint: {error}")
    else:
        return found
    return None


def _check_held(
    note: str, lineage: Lineage, hash_of: HashOf, current: Checkpoint, report: Report
) -> None:
    try:
        old = lineage.open(note)
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
