"""Checkpoints (C2SP tlog-checkpoint): the size and root of a log, signed by it."""

import base64
import binascii
import re
from dataclasses import dataclass

from alpr_translog.note import NoteInvalid, SignerKey, VerifierKey, open_note, sign_note


@dataclass(frozen=True)
class Checkpoint:
    """What a log commits to: its first `size` entries hash to `root`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, *signers: SignerKey) -> str:
        return sign_note(self.text, *signers)

    @classmethod
    def open(cls, note: str, key: VerifierKey, origin: str | None = None) -> "Checkpoint":
        """The checkpoint in a note that `key` signed; raises `NoteInvalid`.

        `origin` defaults to the key's name, as the specification recommends.
        """
        return cls.parse(open_note(note, key), origin or key.name)

    @classmethod
    def parse(cls, text: str, origin: str) -> "Checkpoint":
        """What a text says, whoever signed it or not; raises `NoteInvalid`."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[0] != origin:
            raise NoteInvalid(f"this is no checkpoint of {origin}")
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
            raise NoteInvalid("the checkpoint's size is malformed")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (ValueError, binascii.Error) as error:
            raise NoteInvalid("the checkpoint's root is not base64") from error
        if len(root) != 32:
            raise NoteInvalid("the checkpoint's root is not a SHA-256 hash")
        return cls(lines[0], int(lines[1]), root)
