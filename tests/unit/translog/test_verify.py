"""Tampering: 240 seeded trials, most by an attacker who also has signing keys. All are found."""

import pytest

from alpr_translog.tiles import encode_bundle
from alpr_translog.verify import verify_log
from tests.support.tampering import SIGNER, TRIALS, attack, log_files, source


def test_an_untouched_log_verifies_with_its_older_checkpoints() -> None:
    entries = [b"entry %d" % n for n in range(700)]
    held = [log_files(entries[:n])["checkpoint"].decode() for n in (1, 255, 256, 257, 511, 700)]
    report = verify_log(source(log_files(entries)), SIGNER.verifier, held)
    assert report.is_good, report.faults
    assert report.size == 700


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("trial", range(TRIALS))
def test_tampering_with_what_a_held_checkpoint_or_a_key_vouches_for_is_found(trial: int) -> None:
    made = attack(trial)
    report = verify_log(source(made.files), made.key, made.held)
    assert not report.is_good, made.kind


def test_a_log_that_was_not_signed_again_does_not_verify() -> None:
    files = log_files([b"one", b"two", b"three"])
    files["tile/entries/000.p/3"] = encode_bundle([b"one", b"2", b"three"])
    report = verify_log(source(files), SIGNER.verifier)
    assert "does not hash" in report.faults[0]


def test_a_missing_tile_is_named() -> None:
    files = log_files([b"one", b"two"])
    del files["tile/0/000.p/2"]
    assert verify_log(source(files), SIGNER.verifier).faults == ["tile/0/000.p/2: missing"]
