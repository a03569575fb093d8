"""Signed notes (C2SP signed-note) with Ed25519: a text, and who vouches for it."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_SIGNATURE = "\u2014 "  # em dash, space


class NoteInvalid(Exception):
    """The note is malformed, or not signed by the expected key."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key and its name; `str()` is the form that is handed out (`name+id+key`)."""

    name: str
    public_bytes: bytes

    def __post_init__(self) -> None:
        if not self.name or re.search(r"[\s+]", self.name):
            raise ValueError(f"{self.name!r}: a key's name has no spaces and no plus sign")

    @property
    def key_id(self) -> bytes:
        named = self.name.encode() + b"\n" + _ED25519 + self.public_bytes
        return hashlib.sha256(named).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(_ED25519 + self.public_bytes).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """From `name+id+key`; raises `NoteInvalid`."""
        try:
            name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise NoteInvalid("a verifier key reads name+id+key") from error
        try:
            key = cls(name, raw[1:])
            is_one = raw[:1] == _ED25519 and len(raw) == 33 and key.key_id.hex() == key_id
        except ValueError as error:  # a name that is none, or that UTF-8 cannot spell
            raise NoteInvalid(f"{name!r} names no verifier key") from error
        if not is_one:
            raise NoteInvalid(f"{name!r}: not an Ed25519 verifier key, or its id is wrong")
        return key


@dataclass(frozen=True)
class SignerKey:
    """A named private key."""

    name: str
    private_key: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self.private_key.public_key().public_bytes_raw())


def sign_note(text: str, *signers: SignerKey) -> str:
    """`text` (which ends with a newline) with one signature line per signer."""
    if not text.endswith("\n"):
        raise ValueError("a note's text ends with a newline")
    lines = []
    for signer in signers:
        signature = signer.private_key.sign(text.encode())
        encoded = base64.b64encode(signer.verifier.key_id + signature).decode()
        lines.append(f"{_SIGNATURE}{signer.name} {encoded}\n")
    return f"{text}\n{''.join(lines)}"


def open_note(note: str, key: VerifierKey) -> str:
    """The text, if `key` signed it; raises `NoteInvalid`. Other keys' signatures are ignored."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise NoteInvalid("the note has no signatures")
    text += "\n"
    for line in signatures[:-1].split("\n"):
        found = re.fullmatch(_SIGNATURE + r"(\S+) (\S+)", line)
        if not found:
            raise NoteInvalid("a signature line is malformed")
        try:
            raw = base64.b64decode(found[2], validate=True)
        except (ValueError, binascii.Error) as error:
            raise NoteInvalid("a signature is not base64") from error
        if found[1] == key.name and raw[:4] == key.key_id:
            try:
                Ed25519PublicKey.from_public_bytes(key.public_bytes).verify(raw[4:], text.encode())
            except (InvalidSignature, UnicodeEncodeError) as error:
                raise NoteInvalid(f"the signature of {key.name} is wrong") from error
            return text
    raise NoteInvalid(f"the note is not signed by {key.name} ({key.key_id.hex()})")
