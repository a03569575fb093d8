"""Signed notes and checkpoints."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.note import NoteInvalid, SignerKey, VerifierKey, open_note, sign_note

SIGNER = SignerKey("alpr.example/log", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))


def test_a_signed_note_opens_with_its_key() -> None:
    assert open_note(sign_note("hello\n", SIGNER), SIGNER.verifier) == "hello\n"


def test_a_note_with_other_signatures_opens_with_each_key() -> None:
    other = SignerKey("witness", Ed25519PrivateKey.generate())
    note = sign_note("hello\n", other, SIGNER)
    assert open_note(note, SIGNER.verifier) == open_note(note, other.verifier) == "hello\n"


def test_a_changed_text_is_found() -> None:
    note = sign_note("size 5\n", SIGNER).replace("5", "6", 1)
    with pytest.raises(NoteInvalid, match="is wrong"):
        open_note(note, SIGNER.verifier)


def test_another_key_of_the_same_name_does_not_open_it() -> None:
    other = SignerKey(SIGNER.name, Ed25519PrivateKey.generate())
    with pytest.raises(NoteInvalid, match="not signed by"):
        open_note(sign_note("hello\n", other), SIGNER.verifier)


def test_a_verifier_key_is_handed_out_as_text() -> None:
    assert VerifierKey.parse(str(SIGNER.verifier)) == SIGNER.verifier
    with pytest.raises(NoteInvalid):
        VerifierKey.parse(str(SIGNER.verifier).replace("+", "+0", 1))


@pytest.mark.parametrize("name", ["", "two words", "a line\u2028b", "\ud800", "\u2014 x"])
@pytest.mark.parametrize("raw", [b"", b"\x01" + b"k" * 32, b"\x02" + b"k" * 32])
def test_what_names_no_verifier_key_is_none(name: str, raw: bytes) -> None:
    with pytest.raises(NoteInvalid) as refused:
        VerifierKey.parse(f"{name}+00000000+{b64encode(raw).decode()}")
    assert str(refused.value).encode()  # it can be told, also of a name that UTF-8 cannot spell


def test_a_text_that_nobody_can_have_signed_is_not_signed() -> None:
    note = sign_note("hello\n", SIGNER).replace("hello", "\ud800")
    with pytest.raises(NoteInvalid, match="is wrong"):
        open_note(note, SIGNER.verifier)


def test_a_checkpoint_opens_as_what_was_signed() -> None:
    checkpoint = Checkpoint(SIGNER.name, 42, b"\x01" * 32)
    assert Checkpoint.open(checkpoint.sign(SIGNER), SIGNER.verifier) == checkpoint


def test_a_checkpoint_of_another_log_is_refused() -> None:
    note = Checkpoint("another/log", 42, b"\x01" * 32).sign(SIGNER)
    with pytest.raises(NoteInvalid, match="no checkpoint of"):
        Checkpoint.open(note, SIGNER.verifier)
