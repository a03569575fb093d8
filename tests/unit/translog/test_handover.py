"""A log whose signing key was changed: any of its keys leads to the others, and no forged one."""

import json

import pytest

from alpr_translog.handover import HandOver, HandOverInvalid, Lineage, hand_over_in
from alpr_translog.merkle import EMPTY_ROOT
from alpr_translog.note import NoteInvalid, SignerKey, VerifierKey
from alpr_translog.verify import verify_log
from tests.support.tampering import (
    NEXT,
    SIGNER,
    THIEF,
    hand_over,
    log_files,
    note,
    root,
    rotated,
    source,
)

THIRD = THIEF
ENTRIES = [b"entry %d" % n for n in range(600)]
ONCE = rotated(ENTRIES, 300)
TWICE = [*ONCE, hand_over(ONCE, NEXT, THIRD), b"the last"]


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("key", [SIGNER, NEXT])
@pytest.mark.parametrize("signers", [(NEXT, SIGNER), (SIGNER, NEXT), (NEXT,)])
def test_either_key_leads_through_the_hand_over(
    key: SignerKey, signers: tuple[SignerKey, ...]
) -> None:
    held = [
        note(ONCE[:1], SIGNER),
        note(ONCE[:300], SIGNER),
        note(ONCE[:301], NEXT, SIGNER),
        note(ONCE[:302], NEXT),
    ]
    report = verify_log(source(log_files(ONCE, *signers)), key.verifier, held)
    assert report.is_good, report.faults
    assert report.held == [(1, True), (300, True), (301, True), (302, True)]
    assert report.lineage is not None
    assert [one.size for one in report.lineage.hand_overs] == [300]


@pytest.mark.parametrize("key", [SIGNER, NEXT, THIRD])
def test_a_log_that_was_handed_over_twice_in_a_row_is_checked_with_each_of_its_keys(
    key: SignerKey,
) -> None:
    held = [note(TWICE[:7], SIGNER), note(TWICE[:600], NEXT), note(TWICE[:602], THIRD)]
    report = verify_log(source(log_files(TWICE, THIRD)), key.verifier, held)
    assert report.is_good, report.faults
    assert report.lineage is not None
    assert report.lineage.keys == (SIGNER.verifier, NEXT.verifier, THIRD.verifier)
    assert len(report.held) == 3


def test_a_log_can_begin_with_its_hand_over() -> None:
    entries = rotated(ENTRIES[:5], 0)
    for key in (SIGNER, NEXT):
        assert verify_log(source(log_files(entries, NEXT)), key.verifier).is_good
    assert HandOver(0, EMPTY_ROOT, SIGNER.verifier, NEXT.verifier).root == root([])


def test_a_key_counts_from_its_hand_over_on_and_no_longer_than_to_the_next() -> None:
    made = [hand_over_in(entry, n) for n, entry in enumerate(TWICE)]
    lineage = Lineage.through(NEXT.verifier, [one for one in made if one])
    sizes = {0: SIGNER, 300: SIGNER, 301: NEXT, 601: NEXT, 602: THIRD, 9999: THIRD}
    assert {n: lineage.key_at(n) for n in sizes} == {n: k.verifier for n, k in sizes.items()}
    with pytest.raises(NoteInvalid, match="had handed the log over at entry 300"):
        lineage.open(note(ONCE[:301], SIGNER))
    with pytest.raises(NoteInvalid, match="not signed by"):
        lineage.open(note(ONCE[:300], NEXT))


def test_a_log_does_not_return_to_a_key_that_it_left() -> None:
    again = [*ONCE, hand_over(ONCE, NEXT, SIGNER)]
    (fault,) = verify_log(source(log_files(again, SIGNER)), SIGNER.verifier).faults
    assert "had handed it over before" in fault


def statement() -> str:
    return str(json.loads(ONCE[300])["statement"])


@pytest.mark.parametrize(
    "bent",
    [
        "",
        "x",
        statement().replace("hand-over v1", "hand-over v2"),
        statement().replace("\n300\n", "\n299\n"),
        statement().replace("\n300\n", "\n0300\n"),
        statement().replace(str(NEXT.verifier), str(THIEF.verifier)),
        statement().replace(str(NEXT.verifier), str(SIGNER.verifier)),
        statement().rsplit("\u2014", 1)[0],
        statement().replace("\n\n", "\nmore\n\n"),
        note(ONCE[:300], SIGNER, NEXT),
        HandOver(
            300, root(ONCE[:300]), SIGNER.verifier, VerifierKey("b", NEXT.verifier.public_bytes)
        ).sign(SIGNER, SignerKey("b", NEXT.private_key)),
    ],
)
def test_a_statement_that_was_bent_hands_nothing_over(bent: str) -> None:
    assert HandOver.open(statement()).new == NEXT.verifier
    with pytest.raises(HandOverInvalid):
        HandOver.open(bent)
    said = {"agency_id": "IL0222900", "kind": "log.key_rotated", "statement": bent}
    entry = json.dumps(said, separators=(",", ":")).encode()
    with pytest.raises(HandOverInvalid, match="entry 300"):
        hand_over_in(entry, 300)


def broken(statement: object) -> bytes:
    said = {"agency_id": "b", "kind": "log.key_rotated", "statement": statement}
    return json.dumps(said, separators=(",", ":")).encode()


def named(name: str) -> str:
    return statement().replace(str(NEXT.verifier), str(NEXT.verifier).replace(NEXT.name, name))


DEEP = broken(["@"]).replace(b'"@"', b"[" * 20_000 + b"]" * 20_000)
BROKEN = [
    broken(named("two words")), broken(named("")), broken(named("\ud800")), broken(None),
    broken({"a": []}), broken("\ud800" + statement()), DEEP, broken("x")[:-1],
    broken("x").replace(b'"x"', b"1" * 5000),
]  # fmt: skip


@pytest.mark.parametrize("entry", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_hand_over_is_a_fault_of_the_log_and_of_nothing_else(entry: bytes) -> None:
    with pytest.raises(HandOverInvalid, match="entry 2"):
        hand_over_in(entry, 2)
    (fault,) = verify_log(source(log_files([b"a", b"b", entry])), SIGNER.verifier).faults
    assert fault.startswith("entry 2: ")
    assert fault.encode()


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"log.key_rotated",
        b'["log.key_rotated"]',
        b'{"kind":"access","action":"log.key_rotated"}',
        b'{"kind":"access","case_number":"\\"kind\\":\\"log.key_rotated\\""}',
        b'"kind":"log.key_rotated"',
        b'["kind":"log.key_rotated"]',
        b'{"kind":"access","query":{"kind":"log.key_rotated","statement":""}}',
        b'{"agency_id":"b","facts":{"kind":"log.key_rotated"},"kind":"other","statement":""}',
        b'{"agency_id":"b","facts":{"kind":"log.key_rotated"},"statement":""}',
        b'{"agency_id":"b","Kind":"log.key_rotated","x":{"kind":"log.key_rotated"}}',
        b'{"action":"search","agency_id":"b","kind":"log.key_rotated","statement":""}',
        b'{"kind":"log.key_rotated","statement":""}',
        b' {"agency_id":"b","kind":"log.key_rotated","statement":""}',
    ],
)
def test_an_entry_that_only_mentions_it_is_no_hand_over(entry: bytes) -> None:
    assert hand_over_in(entry, 0) is None


def test_a_key_that_has_nothing_to_do_with_the_log_leads_nowhere() -> None:
    (fault,) = verify_log(source(log_files(ONCE, NEXT)), THIEF.verifier).faults
    assert "neither come from nor lead to" in fault


def test_a_checkpoint_with_an_invented_size_is_not_looked_for_bundle_by_bundle() -> None:
    files = log_files(ONCE, NEXT)
    asked: list[str] = []

    def fetch(path: str) -> bytes:
        asked.append(path)
        return source(files)(path)

    files["checkpoint"] = files["checkpoint"].replace(b"\n601\n", b"\n999999999999\n")
    faults = verify_log(fetch, SIGNER.verifier).faults
    assert "not signed by" in faults[0]
    assert len(asked) < 6
