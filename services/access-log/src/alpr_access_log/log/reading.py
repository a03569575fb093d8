"""Reading an agency's log: its files as C2SP tlog-tiles has them, and proofs made on the server."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKeys
from alpr_access_log.log.store import StoredCheckpoint, StoredLeaf
from alpr_access_log.log.tree import Span, hash_of, spans_of
from alpr_access_log.log.trust import LogRewritten, fetched, signing_of
from alpr_common.errors import AlprError, NotFound
from alpr_common.postgres import Connection, Database
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import HashOf, consistency_proof, inclusion_proof, leaf_hash
from alpr_translog.note import NoteInvalid, VerifierKey
from alpr_translog.proven import ProvenHandOver
from alpr_translog.tiles import TILE_WIDTH, Bundle, Tile, encode_bundle, parse_path


class NotCoveredYet(AlprError):
    """The entry is stored and waits for its checkpoint."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "No checkpoint covers this entry yet"
    retry_after_seconds = 1


class SizesImpossible(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "There is no such proof"


@dataclass(frozen=True)
class Log:
    """What reading the logs needs."""

    database: Database
    keys: LogKeys


@dataclass(frozen=True)
class File:
    """One file of a log; `is_entries` when it holds what people asked for and not hashes alone."""

    content: bytes
    is_entries: bool


async def checkpoint(log: Log, agency_id: str) -> str:
    """The newest checkpoint, a signed note. Raises `NotFound` for an agency without a log."""
    async with log.database.transaction(agency_id) as connection:
        return (await _newest(connection, agency_id)).note


async def opened(log: Log, agency_id: str) -> tuple[str, Checkpoint]:
    """The newest checkpoint and what it says. Raises `NotFound`, `LogRewritten`, `KeyNotHeld`."""
    async with log.database.transaction(agency_id) as connection:
        signing = await signing_of(connection, log.keys, agency_id)
        note = (await _newest(connection, agency_id)).note
    try:
        return note, signing.lineage.open(note)
    except NoteInvalid as error:
        raise LogRewritten(f"The newest checkpoint: {error}") from error


async def key_at(log: Log, agency_id: str, size: int | None = None) -> VerifierKey:
    """The key that vouches for a tree of `size` entries, else for the newest.

    Raises `LogRewritten`, `KeyNotHeld`.
    """
    async with log.database.transaction(agency_id) as connection:
        lineage = (await signing_of(connection, log.keys, agency_id)).lineage
    return lineage.last if size is None else lineage.key_at(size)


async def hand_overs(log: Log, agency_id: str, size: int | None = None) -> list[dict[str, Any]]:
    """`proven_hand_overs` as they are served."""
    return [one.to_json() for one in await proven_hand_overs(log, agency_id, size)]


async def proven_hand_overs(
    log: Log, agency_id: str, size: int | None = None
) -> list[ProvenHandOver]:
    """The entries by which the log was handed over from one key to the next. With `size` each has
    the proofs that a checkpoint of that size is of the log that was handed over.

    Raises `NotFound`, `SizesImpossible`, `LogRewritten`, `KeyNotHeld`.
    """
    async with log.database.transaction(agency_id) as connection:
        found = await log_store.hand_overs(connection, agency_id)
        lineage = (await signing_of(connection, log.keys, agency_id)).lineage
        at = {one.size for one in lineage.hand_overs}
        taken = [ProvenHandOver(index, entry) for index, entry in found if index in at]
        if size is None:
            return taken
        size = _size(await _newest(connection, agency_id), size)
        return [await _proven(connection, agency_id, one, size) for one in taken]


async def _proven(
    connection: Connection, agency_id: str, one: ProvenHandOver, size: int
) -> ProvenHandOver:
    """With its proofs towards the tree of that size."""
    old, new = sorted((one.index, size))
    consistency: tuple[bytes, ...] = ()
    if old:
        consistency = await _path(connection, agency_id, lambda h: consistency_proof(h, old, new))
    inclusion = None
    if one.index < size:
        inclusion = await _path(
            connection, agency_id, lambda h: inclusion_proof(h, one.index, size)
        )
    return replace(one, consistency=consistency, inclusion=inclusion)


async def file(log: Log, agency_id: str, path: str) -> File:
    """The tile or entry bundle `tile/…`, of any width that the newest checkpoint covers.

    Raises `NotFound` for a path that is misspelt or not covered.
    """
    try:
        named = parse_path(path)
    except ValueError as error:
        raise NotFound(str(error)) from error
    level = 0 if isinstance(named, Bundle) else named.level
    first = named.index * TILE_WIDTH
    async with log.database.transaction(agency_id) as connection:
        size = (await _newest(connection, agency_id)).size
        # Before asking: an index may be of any length, and PostgreSQL's have 64 bits.
        if first + named.width > size >> (8 * level):
            raise NotFound(f"{path} is not part of a tree of {size} entries.")
        if isinstance(named, Tile):
            span = Span(level, first, named.width)
            hashes = (await log_store.hashes(connection, agency_id, [span]))[span]
            found = File(b"".join(hashes), is_entries=False)
            count = len(hashes)
        else:
            entries = await log_store.entries(connection, agency_id, first, named.width)
            found = File(encode_bundle(entries) if entries else b"", is_entries=True)
            count = len(entries)
    if count != named.width:  # for the verifier to say what it thinks of that
        raise NotFound(f"Of {path} {count} are stored.")
    return found


async def inclusion(
    log: Log, agency_id: str, wanted: UUID | int, size: int | None = None
) -> dict[str, Any]:
    """The entry of a record (or at an index), its proof, the checkpoint that it leads to, and the
    texts that the entry holds hashes of. `size` asks for the proof in the tree as it was.

    Raises `NotFound`, `NotCoveredYet`, `SizesImpossible`.
    """
    async with log.database.transaction(agency_id) as connection:
        newest = await _newest(connection, agency_id)
        leaf = await log_store.find_leaf(connection, agency_id, wanted)
        if leaf is None:
            raise NotFound(f"The log has no entry {wanted}.")
        if leaf.index is None or leaf.index >= newest.size:
            raise NotCoveredYet("Entries are covered within a second; ask again.")
        size = _size(newest, size)
        index = leaf.index
        if index >= size:
            raise SizesImpossible(f"Entry {index} is not in a tree of {size} entries.")
        path = await _proof(connection, agency_id, lambda h: inclusion_proof(h, index, size))
        texts = await log_store.texts(connection, agency_id, leaf.record_id)
    return _entry(leaf) | {
        "size": size,
        "path": path,
        "checkpoint": newest.note,
        "texts": {
            t.field: {
                "text": t.text,
                "salt": t.salt.hex() if t.salt else None,
                "forgotten_at": t.forgotten_at,
            }
            for t in texts
        },
    }


async def consistency(
    log: Log, agency_id: str, old_size: int, new_size: int | None = None
) -> dict[str, Any]:
    """That the tree of `old_size` entries is the beginning of that of `new_size` (the newest).

    Raises `NotFound`, `SizesImpossible`.
    """
    async with log.database.transaction(agency_id) as connection:
        newest = await _newest(connection, agency_id)
        new_size = _size(newest, new_size)
        if not 0 < old_size <= new_size:
            raise SizesImpossible(f"There is no proof from {old_size} to {new_size} entries.")
        path = await _proof(
            connection, agency_id, lambda h: consistency_proof(h, old_size, new_size)
        )
    return {
        "old_size": old_size, "new_size": new_size, "path": path, "checkpoint": newest.note
    }  # fmt: skip


def _size(newest: StoredCheckpoint, wanted: int | None) -> int:
    if wanted is None:
        return newest.size
    if not 0 < wanted <= newest.size:
        raise SizesImpossible(f"The newest checkpoint covers {newest.size} entries, not {wanted}.")
    return wanted


async def _newest(connection: Connection, agency_id: str) -> StoredCheckpoint:
    newest = await log_store.newest_checkpoint(connection, agency_id)
    if newest is None:
        raise NotFound("This agency has no log yet.")
    return newest


async def _proof(
    connection: Connection, agency_id: str, prove: Callable[[HashOf], list[bytes]]
) -> list[str]:
    return [b64encode(part).decode() for part in await _path(connection, agency_id, prove)]


async def _path(
    connection: Connection, agency_id: str, prove: Callable[[HashOf], list[bytes]]
) -> tuple[bytes, ...]:
    found = await fetched(connection, agency_id, spans_of(prove))
    return tuple(prove(hash_of(found)))


def _entry(leaf: StoredLeaf) -> dict[str, Any]:
    return {
        "record_id": leaf.record_id,
        "index": leaf.index,
        "entry": b64encode(leaf.entry).decode(),
        "leaf_hash": b64encode(leaf_hash(leaf.entry)).decode(),
    }
