"""How a log's signing key is followed by the next one, provable from the log alone.

A hand-over is an entry of the log. It holds a statement which both keys signed: these are the old
and the new key, and the log had this size and root when the old key stopped to vouch for it alone.
The entry's index is that size. So whoever trusts either key gets to the other: from the old one
because it named its successor, from the new one because it says whose work it goes on with. Who
has the new key alone cannot change what was before the hand-over.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.note import NoteInvalid, SignerKey, VerifierKey, open_note, sign_note

KIND = "log.key_rotated"
"""Member `kind` of a hand-over's entry, canonical JSON; `statement` is the signed note."""

# The log's keeper looks for both by index, and every verifier has to find the same entries. What
# people type gets into an entry as JSON objects, too, so that the mark alone says nothing: but
# the entry of an access has members that sort before its agency, and begins otherwise.
_BEGINS = b'{"agency_id":'
_MARK = f'"kind":"{KIND}"'.encode()
# No origin has spaces, so that no checkpoint can be taken for a statement nor the other way round.
_FORMAT = "alpr log key hand-over v1"


class HandOverInvalid(Exception):
    """A hand-over that does not hand the log over."""


@dataclass(frozen=True)
class HandOver:
    """`old` vouches for the first `size` entries, `new` signs from entry `size` on, which says so.

    A checkpoint of at most `size` entries counts with `old`'s signature, a larger one with `new`'s.
    """

    size: int
    root: bytes
    old: VerifierKey
    new: VerifierKey

    @property
    def text(self) -> str:
        covered = Checkpoint(self.old.name, self.size, self.root).text
        return f"{_FORMAT}\n{covered}{self.old}\n{self.new}\n"

    def sign(self, old: SignerKey, new: SignerKey) -> str:
        """The statement. Needs both private keys."""
        return sign_note(self.text, old, new)

    @classmethod
    def open(cls, note: str) -> "HandOver":
        """From a statement that both its keys signed; raises `HandOverInvalid`."""
        try:
            text = note.rpartition("\n\n")[0]
            said, _, rest = text.partition("\n")
            lines = rest.split("\n")
            if said != _FORMAT or len(lines) != 5:
                raise HandOverInvalid(f"the statement is no {_FORMAT}")
            old, new = VerifierKey.parse(lines[3]), VerifierKey.parse(lines[4])
            covered = Checkpoint.parse(rest, old.name)
            made = cls(covered.size, covered.root, old, new)
            if new.name != old.name or new == old:
                raise HandOverInvalid("the statement names no two keys of one log")
            if any(open_note(note, key) != made.text for key in (old, new)):
                raise HandOverInvalid("the statement is not spelt as it is signed")
        except NoteInvalid as error:
            raise HandOverInvalid(str(error)) from error
        return made


def hand_over_in(entry: bytes, index: int) -> HandOver | None:
    """The hand-over that the log's entry `index` is; None for any other entry.

    It is one by what its JSON object itself says, and not something within. Raises
    `HandOverInvalid` for one that is not signed by both keys or belongs to another place, and
    nothing else, whatever the entry is.
    """
    if not entry.startswith(_BEGINS) or _MARK not in entry:  # nearly always: parsed in need alone
        return None
    try:
        said = json.loads(entry)
    except (ValueError, RecursionError) as error:
        # Not None: how large and how deep is too much differs, and nobody may overlook one that
        # somebody else can read.
        raise HandOverInvalid(f"entry {index}: begins as a hand-over, and is unreadable") from error
    if said.get("kind") != KIND:
        return None
    statement = said.get("statement")
    try:
        found = HandOver.open(statement if isinstance(statement, str) else "")
    except HandOverInvalid as error:
        raise HandOverInvalid(f"entry {index}: {error}") from error
    if found.size != index:
        raise HandOverInvalid(f"entry {index}: this hand-over belongs to entry {found.size}")
    return found


@dataclass(frozen=True)
class Lineage:
    """A log's keys, from the first to the last, and where each took over."""

    first: VerifierKey
    hand_overs: tuple[HandOver, ...] = ()

    @classmethod
    def through(cls, key: VerifierKey, hand_overs: Sequence[HandOver]) -> "Lineage":
        """The one chain of these hand-overs (in the log's order), of which `key` is a link.

        Raises `HandOverInvalid`: a key hands over once, and to one key.
        """
        if not hand_overs:
            return cls(key)
        for one, after in pairwise(hand_overs):
            if after.old != one.new or after.size <= one.size:
                raise HandOverInvalid(
                    f"entry {after.size}: handed over by {after.old.key_id.hex()}, but since entry "
                    f"{one.size} {one.new.key_id.hex()} signs"
                )
        made = cls(hand_overs[0].old, tuple(hand_overs))
        if len(set(made.keys)) != len(made.keys):
            raise HandOverInvalid("the log was handed over to a key that had handed it over before")
        if key not in made.keys:
            raise HandOverInvalid(
                f"the log's hand-overs neither come from nor lead to {key.name} "
                f"({key.key_id.hex()})"
            )
        return made

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        return (self.first, *(one.new for one in self.hand_overs))

    @property
    def last(self) -> VerifierKey:
        return self.keys[-1]

    def key_at(self, size: int) -> VerifierKey:
        """The key that vouches for a checkpoint of `size` entries."""
        return self.keys[sum(one.size < size for one in self.hand_overs)]

    def open(self, note: str) -> Checkpoint:
        """The checkpoint in a note that the key of its size signed; raises `NoteInvalid`."""
        if not self.hand_overs:
            return Checkpoint.open(note, self.first)
        claimed = claimed_by(note, self.first.name)
        key = self.key_at(claimed.size)
        try:
            return Checkpoint.open(note, key)
        except NoteInvalid as error:
            for one in self.hand_overs:
                if one.size < claimed.size and is_signed(note, one.old):
                    raise NoteInvalid(
                        f"{claimed.size} entries are signed by {one.old.key_id.hex()}, which had "
                        f"handed the log over at entry {one.size}"
                    ) from error
            raise


def claimed_by(note: str, origin: str) -> Checkpoint:
    """What a checkpoint says, its signatures unseen: to learn whose has to be asked for.

    Raises `NoteInvalid`.
    """
    return Checkpoint.parse(note.rpartition("\n\n")[0] + "\n", origin)


def is_signed(note: str, key: VerifierKey) -> bool:
    """Whether the key signed it; that alone does not say that the key still counts."""
    try:
        open_note(note, key)
    except NoteInvalid:
        return False
    return True
