"""Which of the file's keys sign a log: what the file may, and what the log has handed over."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from alpr_access_log.log.key import LogKey, LogKeys, keys_in
from alpr_access_log.log.rotating import RotationImpossible, begin, changing, finish
from alpr_access_log.log.signing import KeyNotHeld, Signing, hand_over_leaf
from alpr_translog.handover import HandOver, HandOverInvalid, hand_over_in

NAME, AGENCY = "alpr.example/log", "IL0222900"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
OLD, NEW, OTHER = (
    LogKey(NAME, Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2, 3)
)
ROOT = b"\x05" * 32


def handed(old: LogKey, new: LogKey, size: int = 7) -> HandOver:
    return HandOver(size, ROOT, old.verifier(AGENCY), new.verifier(AGENCY))


def signers(signing: Signing) -> list[bytes]:
    return [one.verifier.public_bytes for one in signing.signers]


def public(*keys: LogKey) -> list[bytes]:
    return [key.verifier(AGENCY).public_bytes for key in keys]


def test_one_key_signs_alone() -> None:
    signing = Signing.of((OLD,), AGENCY, [])
    assert signers(signing) == public(OLD)
    assert signing.successor is None


def test_of_two_keys_the_first_signs_until_it_has_handed_over_and_then_both() -> None:
    before = Signing.of((OLD, NEW), AGENCY, [])
    assert signers(before) == public(OLD)
    made, then = before.handed_over(7, ROOT)
    assert made == handed(OLD, NEW)
    after = Signing.of((OLD, NEW), AGENCY, [made])
    assert signers(after) == signers(then) == public(NEW, OLD)
    assert after.successor is None
    with pytest.raises(ValueError, match="no key"):
        after.handed_over(8, ROOT)
    assert signers(Signing.of((NEW,), AGENCY, [made])) == public(NEW)


def test_a_key_that_the_log_was_handed_over_to_and_the_file_has_not_signs_nothing() -> None:
    for keys in ((OLD,), (OLD, OTHER)):
        with pytest.raises(KeyNotHeld, match="since entry 7"):
            Signing.of(keys, AGENCY, [handed(OLD, NEW)])


def test_hand_overs_that_are_no_chain_are_none() -> None:
    for second in (handed(OLD, OTHER, 9), handed(NEW, OTHER, 7), handed(NEW, OLD, 9)):
        with pytest.raises(HandOverInvalid):
            Signing.of((OTHER,), AGENCY, [handed(OLD, NEW), second])


def test_the_entry_of_a_hand_over_is_read_as_what_was_decided() -> None:
    made, then = Signing.of((OLD, NEW), AGENCY, []).handed_over(7, ROOT)
    leaf = hand_over_leaf(made, then, AGENCY, NOON)
    assert hand_over_in(leaf.entry, 7) == made
    assert leaf.record_id == hand_over_leaf(made, then, AGENCY, NOON).record_id
    with pytest.raises(HandOverInvalid, match="belongs to entry 7"):
        hand_over_in(leaf.entry, 8)


def test_a_file_has_one_key_or_two_different_ones() -> None:
    assert [k.to_pem() for k in keys_in(f"new\n{NEW.to_pem()}old\n{OLD.to_pem()}", NAME)] == [
        OLD.to_pem(), NEW.to_pem(),
    ]  # fmt: skip
    strange = generate_private_key(SECP256R1())
    pem = strange.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in ("", "no key", OLD.to_pem() * 2, OLD.to_pem() + NEW.to_pem() + OTHER.to_pem(), pem):
        with pytest.raises(ValueError, match="the file holds"):
            keys_in(text, NAME)


def test_a_change_is_begun_and_finished_in_the_file_or_in_a_copy(tmp_path: Path) -> None:
    file, copies = tmp_path / "key.pem", tmp_path / "new"
    file.write_text(OLD.to_pem())
    file.chmod(0o600)
    keys = LogKeys.from_file(file, NAME)
    begin(file, NAME, copies)
    assert keys.now() is keys.now()
    assert len(keys.now()) == 1
    begun = copies / "key.pem"
    assert begun.stat().st_mode & 0o077 == 0
    old, new = changing(begun, NAME)
    assert old.to_pem() == OLD.to_pem()
    # A program that knows of one key reads the first: once handed over to, it can go on.
    assert begun.read_text().index(new.to_pem()) < begun.read_text().index(old.to_pem())
    begun.replace(file)
    assert len(keys.now()) == 2
    with pytest.raises(RotationImpossible):
        begin(file, NAME)
    finish(file, NAME)
    assert [key.to_pem() for key in keys.now()] == [new.to_pem()]
    assert OLD.to_pem() not in file.read_text()
    with pytest.raises(RotationImpossible):
        finish(file, NAME)


def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(OLD.to_pem())
    keys = LogKeys.from_file(file, NAME)
    file.write_text("half a")
    assert [key.to_pem() for key in keys.now()] == [OLD.to_pem()]


@pytest.mark.parametrize("error", [None, UnsupportedAlgorithm("an unknown curve")])
def test_a_key_that_nobody_can_read_is_put_over_it_and_the_old_one_signs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(OLD.to_pem())
    keys = LogKeys.from_file(file, NAME)
    sealed = NEW.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
    )
    file.write_bytes(sealed)
    if error:

        def refuse(*given: object, **named: object) -> None:
            raise error

        monkeypatch.setattr("alpr_access_log.log.key.load_pem_private_key", refuse)
    assert [key.to_pem() for key in keys.now()] == [OLD.to_pem()]
    with pytest.raises(ValueError, match="cannot be read"):
        LogKeys.from_file(file, NAME)


def test_what_seals_evidence_has_one_key(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(OLD.to_pem() + NEW.to_pem())
    with pytest.raises(ValueError, match="more than one"):
        LogKey.from_file(file, NAME)
