"""Evidence packages after the log's key was changed (131.7-2): any of its keys leads to the one
that signed, by hand-overs that are proven to be of the package's own log."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_evidence.package import Contents, LogProof, seal
from alpr_evidence.verify import Beside, Report, log_size, verify_package
from alpr_translog.handover import HandOverInvalid
from alpr_translog.merkle import HashOf, ProofInvalid, consistency_proof, inclusion_proof
from alpr_translog.note import SignerKey, VerifierKey
from alpr_translog.proven import Consistency, ProvenHandOver, read, to_json
from alpr_translog.tiles import build_tiles, hash_reader
from tests.support.tampering import NEXT, SIGNER, THIEF, hand_over, note
from tests.unit.evidence.test_package import NOW

pytestmark = pytest.mark.policy("131.7-2")

SEAL = SignerKey("agency.example/evidence", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
THIRD = SignerKey(SIGNER.name, Ed25519PrivateKey.from_private_bytes(b"\x0a" * 32))
FIRST_AT, SECOND_AT, END = 37, 61, 90


def whole_log() -> list[bytes]:
    """Handed over from SIGNER to NEXT at entry 37, and to THIRD at entry 61."""
    entries = [b"entry %d" % n for n in range(FIRST_AT)]
    entries.append(hand_over(entries, SIGNER, NEXT))
    entries += [b"entry %d" % n for n in range(len(entries), SECOND_AT)]
    entries.append(hand_over(entries, NEXT, THIRD))
    return entries + [b"entry %d" % n for n in range(len(entries), END)]


LOG = whole_log()


def hashes(entries: list[bytes]) -> HashOf:
    return hash_reader(build_tiles(entries).__getitem__, len(entries))


def proven(at: int, size: int, entries: list[bytes] = LOG) -> ProvenHandOver:
    old, new = sorted((at, size))
    inclusion = None
    if at < size:
        inclusion = tuple(inclusion_proof(hashes(entries[:size]), at, size))
    path = tuple(consistency_proof(hashes(entries[:new]), old, new))
    return ProvenHandOver(at, entries[at], path, inclusion)


def packed(
    folder: Path, entries: list[bytes], *signers: SignerKey,
    hand_overs: tuple[ProvenHandOver, ...] | None = None,
) -> Path:  # fmt: skip
    """A package sealed when the log had those entries; it carries the hand-overs among them."""
    size = len(entries)
    if hand_overs is None:
        places = [at for at in (FIRST_AT, SECOND_AT) if at < size]
        hand_overs = tuple(proven(at, size, entries) for at in places)
    proofs = [LogProof(3, entries[3], tuple(inclusion_proof(hashes(entries), 3, size)))]
    contents = Contents(
        "EV-2026-000017", "26-000123", "IL0222900", "Alex Kim", NOW, {"reads/r.json": b"{}"}, (),
        note(entries, *signers), proofs, hand_overs,
    )  # fmt: skip
    path = folder / f"{size}-{len(list(folder.iterdir()))}.zip"
    seal(path, contents, SEAL)
    return path


def check(package: Path, key: VerifierKey | None, beside: Beside | None = None) -> Report:
    return verify_package(package, SEAL.verifier, key, beside or Beside())


def faults(package: Path, key: VerifierKey | None, beside: Beside | None = None) -> str:
    found = check(package, key, beside).faults
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("key", [SIGNER, NEXT, THIRD])
def test_a_package_carries_what_leads_from_every_earlier_key_to_its_own(
    key: SignerKey, tmp_path: Path
) -> None:
    package = packed(tmp_path, LOG, THIRD)
    report = check(package, key.verifier)
    assert report.is_good, report.faults
    assert report.log_entries == 1
    assert report.lineage is not None
    assert report.lineage.last == THIRD.verifier
    assert "neither come from nor lead to" in faults(package, THIEF.verifier)


@pytest.mark.parametrize("key", [SIGNER, NEXT, THIRD])
@pytest.mark.parametrize("size", [1 + 3, FIRST_AT, FIRST_AT + 1, 50, SECOND_AT, SECOND_AT + 1])
def test_one_sealed_before_verifies_with_a_later_key_and_proven_hand_overs(
    size: int, key: SignerKey, tmp_path: Path
) -> None:
    signed_by = SIGNER if size <= FIRST_AT else NEXT if size <= SECOND_AT else THIRD
    package = packed(tmp_path, LOG[:size], signed_by)
    assert log_size(package) == size
    since = read(to_json([proven(FIRST_AT, size), proven(SECOND_AT, size)]))
    report = check(package, key.verifier, Beside(since))
    assert report.is_good, report.faults
    alone = check(package, signed_by.verifier)
    assert alone.is_good, alone.faults


def test_without_the_hand_over_since_it_is_said_what_is_missing(tmp_path: Path) -> None:
    package = packed(tmp_path, LOG[:30], SIGNER)
    assert "hand-overs" in faults(package, NEXT.verifier)
    bare = ProvenHandOver(FIRST_AT, LOG[FIRST_AT])
    assert "size=30" in faults(package, NEXT.verifier, Beside([bare]))
    assert check(package, SIGNER.verifier, Beside([bare])).is_good  # not needed, and not wrong


def test_what_a_stolen_key_signed_after_it_had_handed_over_is_found(tmp_path: Path) -> None:
    """The thief has the old key and the seal's key, and packs a log that never was."""
    forged = [b"forged %d" % n for n in range(30)]
    package = packed(tmp_path, forged, SIGNER)
    since = [proven(FIRST_AT, 30)]
    assert "handed over another log" in faults(package, NEXT.verifier, Beside(since))


def test_what_the_new_key_rewrote_of_the_time_before_it_is_found(tmp_path: Path) -> None:
    rewritten = [b"rewritten" if n == 3 else entry for n, entry in enumerate(LOG[:50])]
    package = packed(tmp_path, rewritten, NEXT)
    assert "handed over another log" in faults(package, SIGNER.verifier)
    left_out = packed(tmp_path, rewritten, NEXT, hand_overs=())
    assert "not signed by" in faults(left_out, SIGNER.verifier)


def test_a_hand_over_that_the_old_key_did_not_sign_leads_nowhere(tmp_path: Path) -> None:
    before = LOG[:FIRST_AT]
    entries = [*before, hand_over(before, SIGNER, THIEF, forger=THIEF), *LOG[FIRST_AT + 1 : 50]]
    package = packed(tmp_path, entries, THIEF)
    assert "signature" in faults(package, SIGNER.verifier)


def test_two_hand_overs_at_one_place_are_a_fork(tmp_path: Path) -> None:
    package = packed(tmp_path, LOG[:30], SIGNER)
    other = replace(proven(FIRST_AT, 30), entry=hand_over(LOG[:FIRST_AT], SIGNER, THIEF))
    given = Beside([proven(FIRST_AT, 30), other])
    assert "two different" in faults(package, NEXT.verifier, given)


@pytest.mark.parametrize("size", [30, 50])
def test_hand_overs_that_are_changed_anywhere_do_not_verify(size: int, tmp_path: Path) -> None:
    """Each hash and the entry, bit by bit in places, left out, swapped and repeated."""
    key, signer = (NEXT, SIGNER) if size == 30 else (SIGNER, NEXT)
    package = packed(tmp_path, LOG[:size], signer, hand_overs=())
    true = proven(FIRST_AT, size)
    assert check(package, key.verifier, Beside([true])).is_good
    for changed in _changed(true):
        report = check(package, key.verifier, Beside([changed]))
        assert not report.is_good, changed


def _changed(true: ProvenHandOver) -> list[ProvenHandOver]:
    changed = [replace(true, index=true.index + 1), replace(true, consistency=None)]
    entry = true.entry
    # Of an entry that the package's tree does not hold its signed statement alone counts.
    begin = 0 if true.inclusion is not None else entry.index(b'"statement":"') + 13
    end = len(entry) if true.inclusion is not None else entry.index(b'","version"')
    changed += [
        replace(true, entry=entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :])
        for at in range(begin, end, 7)
    ]
    for name in ("consistency", "inclusion"):
        path = getattr(true, name)
        if path is None:
            continue
        flipped = [
            (*path[:n], bytes([path[n][0] ^ 1]) + path[n][1:], *path[n + 1 :])
            for n in range(len(path))
        ]
        for other in (*flipped, path[1:], path[:-1], path[::-1], (*path, path[0]), ()):
            if other != path:
                changed.append(replace(true, **{name: other}))
    return changed


def test_a_held_checkpoint_has_to_agree_with_the_packages(tmp_path: Path) -> None:
    package = packed(tmp_path, LOG[:50], NEXT)
    for size, signer in ((50, NEXT), (20, SIGNER), (END, THIRD)):
        held = note(LOG[:size], signer)
        old, new = sorted((size, 50))
        path = tuple(consistency_proof(hashes(LOG[:new]), old, new))
        since = (proven(SECOND_AT, 50),)
        report = check(
            package, SIGNER.verifier, Beside(since, [held], [Consistency(old, new, path)])
        )
        assert report.is_good, report.faults
        assert report.held == [size]
        if size != 50:
            assert "proof of consistency" in faults(package, SIGNER.verifier, Beside(since, [held]))
    other = [b"other", *LOG[1:50]]
    assert "another log" in faults(package, SIGNER.verifier, Beside((), [note(other, NEXT)]))


def test_a_held_checkpoint_stands_in_for_the_logs_key(tmp_path: Path) -> None:
    carrying = packed(tmp_path, LOG[:50], NEXT)
    report = check(carrying, None, Beside((), [note(LOG[:50], NEXT)]))
    assert report.is_good, report.faults
    before = note(LOG[:20], SIGNER)
    path = Consistency(20, 50, tuple(consistency_proof(hashes(LOG[:50]), 20, 50)))
    assert check(carrying, None, Beside((), [before], [path])).is_good
    # A package of before any hand-over, held by whoever has a later checkpoint and no key at all.
    bare = packed(tmp_path, LOG[:30], SIGNER)
    path = Consistency(30, 50, tuple(consistency_proof(hashes(LOG[:50]), 30, 50)))
    assert check(bare, None, Beside((), [note(LOG[:50], NEXT)], [path])).is_good
    forged = packed(tmp_path, [b"forged %d" % n for n in range(30)], THIEF)
    assert not check(forged, None, Beside((), [note(LOG[:50], NEXT)], [path])).is_good
    assert "more than what is held" in faults(bare, None, Beside((), [note(LOG[:20], SIGNER)]))
    assert "verifier key" in faults(bare, None)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"nonsense", b"\xff", b'{"items": 7}', b'{"items": [7]}',
        b'{"items": [{"index": -1, "entry": ""}]}', b'{"items": [{"index": 1, "entry": "?"}]}',
        b'{"items": [{"index": 1, "entry": "", "consistency": {}}]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_list_of_hand_overs_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(HandOverInvalid):
        read(content)
    with pytest.raises(ProofInvalid):
        Consistency.read(content)


def test_an_ordinary_entry_is_no_hand_over(tmp_path: Path) -> None:
    package = packed(tmp_path, LOG[:30], SIGNER)
    said = json.loads(to_json([proven(3, 30)]))
    assert said["items"][0]["index"] == 3
    given = Beside(read(json.dumps(said).encode()))
    assert "is no hand-over" in faults(package, SIGNER.verifier, given)
