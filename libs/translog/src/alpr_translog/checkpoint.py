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

    def sign(self, signer: SignerKey) -> str:
        return sign_note(self.text, signer)

    @classmethod
    def open(cls, note: str, key: VerifierKey, origin: str | None = None) -> "Checkpoint":
        """The checkpoint in a note that `key` signed; raises `NoteInvalid`.

        `origin` defaults to the key's name, as the specification recommends.
        """
        lines = open_note(note, key).split("\n")
        expected = origin or key.name
        if len(lines) < 4 or lines[0] != expected:
            raise NoteInvalid(f"this is no checkpoint of {expected}")
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
            raise NoteInvalid("the checkpoint's size is malformed")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (ValueError, binascii.Error) as error:
            raise NoteInvalid("the checkpoint's root is not base64") from error
        if len(root) != 32:
            raise NoteInvalid("the checkpoint's root is not a SHA-256 hash")
        return cls(lines[0], int(lines[1]), root)
