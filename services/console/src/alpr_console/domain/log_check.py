"""Checks of the verifiable log, recomputed here from what was fetched: nothing that the log's own
server says of itself is believed. Pure.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOverInvalid, Lineage, hand_over_in
from alpr_translog.merkle import (
    EMPTY_ROOT,
    HashOf,
    ProofInvalid,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from alpr_translog.note import NoteInvalid, VerifierKey
from alpr_translog.tiles import TileMalformed


@dataclass(frozen=True)
class Check:
    """One thing that must hold, whether it does, and what was compared."""

    title: str
    holds: bool
    detail: str


class LogCheckFailed(Exception):
    """A check did not hold, and those after it rest on it."""


class Checks:
    """The checks made so far; the first that fails ends them."""

    def __init__(self) -> None:
        self.made: list[Check] = []

    @property
    def all_hold(self) -> bool:
        return bool(self.made) and all(check.holds for check in self.made)

    def hold(self, title: str, holds: bool, detail: str) -> None:
        """Note one; raises `LogCheckFailed` when it does not hold."""
        self.made.append(Check(title, holds, detail))
        if not holds:
            raise LogCheckFailed(title)

    def opened(self, title: str, note: str, keys: Lineage) -> Checkpoint:
        """The checkpoint in a note that the key of its size signed; raises `LogCheckFailed`."""
        try:
            found = keys.open(note)
        except NoteInvalid as error:
            self.hold(title, False, f"{str(error)[:1].upper()}{str(error)[1:]}.")
            raise AssertionError from error  # `hold` has raised
        self.hold(title, True, f"{found.size} entries, root {found.root.hex()}.")
        return found


def as_pasted(text: str) -> str:
    """A note as it came through a form: line ends of its own, nothing around it."""
    return text.replace("\r\n", "\n").strip("\n \t") + "\n"


def parsed_key(text: str) -> VerifierKey:
    """Raises `NoteInvalid` for what is no verifier key."""
    return VerifierKey.parse(text)


def check_keys(checks: Checks, key: VerifierKey, said: Sequence[Mapping[str, Any]]) -> Lineage:
    """The log's keys, from hand-overs as the server tells of them, that `key` is one of.

    Raises `LogCheckFailed`.
    """
    title = "The log's key was handed over by the one before it"
    try:
        entries = [(int(item["index"]), b64decode(item["entry"])) for item in said]
        found = [hand_over_in(entry, index) for index, entry in entries]
        keys = Lineage.through(key, [one for one in found if one is not None])
    except (HandOverInvalid, KeyError, ValueError, TypeError) as error:
        checks.hold(title, False, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        raise AssertionError from error  # `hold` has raised
    for one in keys.hand_overs:
        old, new = one.old.key_id.hex(), one.new.key_id.hex()
        checks.hold(title, True, f"Entry {one.size}: {old} handed over to {new}; both signed it.")
    return keys


def check_handed_over(
    checks: Checks, keys: Lineage, said: Sequence[Mapping[str, Any]], size: int, hash_of: HashOf
) -> None:
    """That the hand-overs are entries of the log, each over what is before it.

    `hash_of` reads the tiles of the log of `size` entries. Raises `LogCheckFailed`.
    """
    entries = {int(item["index"]): b64decode(item["entry"]) for item in said}
    for one in keys.hand_overs:
        try:
            holds = (
                one.size < size
                and hash_of(0, one.size) == leaf_hash(entries[one.size])
                and root_of(hash_of, one.size) == one.root
            )
        except TileMalformed:
            holds = False
        checks.hold(
            "The hand-over is an entry of the log, over what is before it", holds,
            f"Entry {one.size} of {size}, after the root {one.root.hex()}.",
        )  # fmt: skip


def check_extends(
    checks: Checks, held: Checkpoint, newest: Checkpoint, hash_of: HashOf, path: Sequence[str]
) -> None:
    """That the log still begins with everything that the held checkpoint covers.

    `hash_of` reads the log's tiles, `path` is the server's consistency proof. Both are checked:
    either alone would do, and a server that can forge neither cannot make them differ.
    Raises `LogCheckFailed`.
    """
    checks.hold(
        "The log did not become shorter", held.size <= newest.size,
        f"Held: {held.size} entries. Now: {newest.size}.",
    )  # fmt: skip
    _check_tiles(checks, "The newest checkpoint follows from the log's hashes", newest, hash_of)
    title = "The log still begins with what the held checkpoint covers"
    _check_tiles(checks, title, held, hash_of)
    if held.size == 0:
        return
    proven, detail = True, f"{len(path)} hashes lead from the held root to the newest."
    try:
        hashes = [b64decode(part, validate=True) for part in path]
        verify_consistency(held.size, newest.size, held.root, newest.root, hashes)
    except (ProofInvalid, ValueError) as error:
        proven, detail = False, f"{error}."
    checks.hold("The consistency proof leads from one to the other", proven, detail)


def _check_tiles(checks: Checks, title: str, said: Checkpoint, hash_of: HashOf) -> None:
    try:
        computed = root_of(hash_of, said.size) if said.size else EMPTY_ROOT
    except TileMalformed as error:
        checks.hold(title, False, f"{error}.")
        return
    same = computed == said.root
    detail = f"Computed here: {computed.hex()}."
    if not same:
        detail += f" The checkpoint says: {said.root.hex()}. Entries were changed, removed or added"
        detail += " among those that it covers."
    checks.hold(title, same, detail)


def check_included(
    checks: Checks, record_id: str, answer: Mapping[str, Any], newest: Checkpoint
) -> dict[str, Any]:
    """That a record is an entry of the log; returns what the entry says.

    `answer`: of the inclusion proof's route. Raises `LogCheckFailed`.
    """
    try:
        entry = b64decode(answer["entry"], validate=True)
        said: dict[str, Any] = json.loads(entry)
        index, size = int(answer["index"]), int(answer["size"])
        path = [b64decode(part, validate=True) for part in answer["path"]]
    except (KeyError, ValueError, TypeError) as error:
        checks.hold("The log answers with an entry", False, f"It cannot be read: {error!r}.")
        raise AssertionError from error  # `hold` has raised
    checks.hold(
        "The entry is of the record that was asked for", said.get("record_id") == record_id,
        f"It is entry {index}, of record {said.get('record_id')}.",
    )  # fmt: skip
    proven, detail = True, f"{len(path)} hashes lead from the entry to the newest root."
    try:
        if size != newest.size:
            raise ProofInvalid(f"the proof is for {size} entries, the checkpoint for {newest.size}")
        verify_inclusion(leaf_hash(entry), index, size, path, newest.root)
    except ProofInvalid as error:
        proven, detail = False, f"{error}."
    checks.hold("The entry is in the log that the checkpoint signs", proven, detail)
    _check_texts(checks, said.get("salted_sha256") or {}, answer.get("texts") or {})
    return said


def _check_texts(
    checks: Checks, digests: Mapping[str, str], texts: Mapping[str, Mapping[str, Any]]
) -> None:
    """The texts beside the entry, which it holds as salted hashes so that they can be erased."""
    for name, digest in digests.items():
        title = f"The {name.replace('_', ' ')} is the one that the entry was made from"
        beside = texts.get(name) or {}
        if beside.get("forgotten_at"):
            checks.hold(title, True, "It was erased since; the entry stays true without it.")
            continue
        text, salt = str(beside.get("text") or ""), str(beside.get("salt") or "")
        try:
            computed = hashlib.sha256(bytes.fromhex(salt) + text.encode()).hexdigest()
        except ValueError:
            computed = ""
        checks.hold(title, computed == digest, f"“{text}”")
