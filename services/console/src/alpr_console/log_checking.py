"""The use cases of checking an agency's log: fetch its files and proofs, then recompute here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from alpr_console.domain.log_check import (
    Checks,
    LogCheckFailed,
    as_pasted,
    check_extends,
    check_handed_over,
    check_included,
    check_keys,
    parsed_key,
)
from alpr_console.session import Session
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import Lineage, is_signed
from alpr_translog.merkle import HashOf, root_of
from alpr_translog.note import NoteInvalid, VerifierKey
from alpr_translog.tiles import Tile, TileMalformed, hash_reader

NEWEST = "The newest checkpoint is signed by the log's key"
HELD = "The checkpoint that you hold is signed by the log's key"


@dataclass(frozen=True)
class LogShown:
    """What the server says of the agency's log; only the signature was checked."""

    key: str
    note: str
    checkpoint: Checkpoint | None
    """None: the newest checkpoint is not signed by the key that the server gives."""


@dataclass
class Verdict:
    """What was checked, and what the entry says that was looked for."""

    checks: Checks = field(default_factory=Checks)
    entry: dict[str, Any] | None = None
    own_key: bool = False
    """Whether the key came from the person and not from the server that is checked."""

    @property
    def holds(self) -> bool:
        return self.checks.all_hold


async def look(session: Session) -> LogShown:
    """The log's key and newest checkpoint; raises `Refused`."""
    key = (await session.get("access-log", _path(session, "key"))).text.strip()
    note = (await session.get("access-log", _path(session, "checkpoint"))).text
    try:
        return LogShown(key, note, Checkpoint.open(note, parsed_key(key)))
    except NoteInvalid:
        return LogShown(key, note, None)


async def check_held(session: Session, shown: LogShown, held_note: str, key: str) -> Verdict:
    """Whether the log extends a checkpoint that somebody kept. Raises `Refused`."""
    verdict = Verdict(own_key=bool(key.strip()))
    checks, held_note = verdict.checks, as_pasted(held_note)
    try:
        keys = await _keys(session, checks, key or shown.key, [shown.note, held_note])
        newest = checks.opened(NEWEST, shown.note, keys.lineage)
        held = checks.opened(HELD, held_note, keys.lineage)
        await _check_handed_over(session, checks, keys, newest.size)
        path: list[str] = []
        if 0 < held.size <= newest.size:
            sizes = {"old_size": held.size, "new_size": newest.size}
            proof = await session.call(
                "access-log", "GET", _path(session, "proofs/consistency"), params=sizes
            )
            path = proof["path"]
        sizes_of = [newest.size, held.size] if held.size <= newest.size else []
        hash_of = await _hashes(session, newest.size, sizes_of)
        check_extends(checks, held, newest, hash_of, path)
    except LogCheckFailed:
        pass  # the checks say which
    return verdict


async def check_record(session: Session, shown: LogShown, record_id: UUID, key: str) -> Verdict:
    """Whether an access record is in the log. Raises `Refused`."""
    verdict = Verdict(own_key=bool(key.strip()))
    path, asked = _path(session, "proofs/inclusion"), {"record_id": str(record_id)}
    answer = await session.call("access-log", "GET", path, params=asked)
    try:
        note = str(answer["checkpoint"])
        keys = await _keys(session, verdict.checks, key or shown.key, [note])
        newest = verdict.checks.opened(NEWEST, note, keys.lineage)
        await _check_handed_over(session, verdict.checks, keys, newest.size)
        verdict.entry = check_included(verdict.checks, str(record_id), answer, newest)
    except LogCheckFailed:
        pass  # the checks say which
    return verdict


@dataclass(frozen=True)
class _Keys:
    """The log's keys, and the entries that say so, as the server tells of them."""

    lineage: Lineage
    said: list[dict[str, Any]] = field(default_factory=list)


async def _keys(session: Session, checks: Checks, text: str, notes: Sequence[str]) -> _Keys:
    """Those that lead from the given key to the ones that signed. The server is only asked where
    the given one is not enough."""
    key = _key(checks, text)
    if all(is_signed(note, key) for note in notes):
        return _Keys(Lineage(key))
    answer = await session.call("access-log", "GET", _path(session, "hand-overs"))
    return _Keys(check_keys(checks, key, answer["items"]), answer["items"])


async def _check_handed_over(session: Session, checks: Checks, keys: _Keys, size: int) -> None:
    places = [one.size for one in keys.lineage.hand_overs if one.size < size]
    hash_of = await _hashes(session, size, places, places)
    check_handed_over(checks, keys.lineage, keys.said, size, hash_of)


def _key(checks: Checks, text: str) -> VerifierKey:
    try:
        return parsed_key(text)
    except NoteInvalid as error:
        checks.hold("The key can be read", False, f"{error}.")
        raise AssertionError from error  # `hold` has raised


async def _hashes(
    session: Session, size: int, sizes: Sequence[int], leaves: Sequence[int] = ()
) -> HashOf:
    """The log's hashes from its tiles, those that the roots of these sizes are made of, and those
    of these leaves."""
    tiles: dict[Tile, bytes] = {}
    hash_of = hash_reader(tiles.__getitem__, size)
    wanted: list[Callable[[], object]] = [partial(root_of, hash_of, one) for one in sizes]
    wanted += [partial(hash_of, 0, index) for index in leaves]
    for compute in wanted:
        while True:
            try:
                compute()
            except KeyError as missing:
                tile: Tile = missing.args[0]
                tiles[tile] = (await session.get("access-log", _path(session, tile.path))).content
                continue
            except TileMalformed:
                pass  # for the check to say
            break
    return hash_of


def _path(session: Session, name: str) -> str:
    return f"/v1/log/{quote(session.principal.agency_id, safe='')}/{name}"
