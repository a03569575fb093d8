"""The Go team's own packages (sumdb/tlog, sumdb/note) agree with our log, and find tampering."""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from alpr_translog.handover import claimed_by
from alpr_translog.merkle import consistency_proof, inclusion_proof
from alpr_translog.note import SignerKey
from alpr_translog.tiles import build_tiles, hash_reader
from tests.support.go_program import Ask, built
from tests.support.tampering import (
    NEXT,
    SIGNER,
    TRIALS,
    Files,
    attack,
    hand_over,
    log_files,
    note,
    rotated,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    return built(tmp_path_factory.mktemp("go") / "tlog")


def publish(
    folder: Path, files: Files, entries: list[bytes], held: Sequence[str], seed: int
) -> None:
    """Write the log's files and proofs: inclusion of some leaves, consistency with `held`."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    size = len(entries)
    hash_of = hash_reader(build_tiles(entries).__getitem__, size)
    indexes = random.Random(seed).sample(range(size), min(size, 20))
    sizes = [claimed_by(one, SIGNER.name).size for one in held]
    proofs = {
        "inclusion": [
            {"index": i, "path": _encoded(inclusion_proof(hash_of, i, size))} for i in indexes
        ],
        "consistency": [
            # Of a truncated log there is none to give.
            {
                "held": one,
                "path": _encoded(consistency_proof(hash_of, old, size)) if old <= size else [],
            }
            for one, old in zip(held, sizes, strict=True)
        ],
    }
    (folder / "proofs.json").write_text(json.dumps(proofs))


def _encoded(path: list[bytes]) -> list[str]:
    return [base64.b64encode(part).decode() for part in path]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000])
def test_go_accepts_our_checkpoints_trees_and_proofs(size: int, tmp_path: Path, check: Ask) -> None:
    entries = [b"entry %d" % n for n in range(size)]
    held = [note(entries[:n]) for n in (1, 2, 200, 256, 999) if n <= size]
    publish(tmp_path, log_files(entries), entries, held, size)
    for keys in ((SIGNER.verifier,), (NEXT.verifier, SIGNER.verifier)):
        done = check(tmp_path, *keys)
        assert done.stdout.strip() == f"good {size}", done.stderr
    assert check(tmp_path, NEXT.verifier).returncode == 1


@pytest.mark.parametrize("signers", [(NEXT, SIGNER), (NEXT,)])
@pytest.mark.parametrize("at", [0, 1, 256, 300])
def test_go_follows_a_log_that_was_handed_over_to_another_key(
    at: int, signers: tuple[SignerKey, ...], tmp_path: Path, check: Ask
) -> None:
    entries = rotated([b"entry %d" % n for n in range(400)], at)
    held = [note(entries[:n], SIGNER) for n in (1, 200, 300) if n <= at]
    held += [note(entries[:n], *signers) for n in (302, 400)]
    publish(tmp_path, log_files(entries, *signers), entries, held, at)
    for keys in ((SIGNER.verifier,), (NEXT.verifier,), (SIGNER.verifier, NEXT.verifier)):
        done = check(tmp_path, *keys)
        assert done.stdout.strip() == "good 401", done.stderr


def test_go_agrees_that_a_key_does_not_hand_over_twice(tmp_path: Path, check: Ask) -> None:
    entries = rotated([b"entry %d" % n for n in range(9)], 4)
    entries.append(hand_over(entries))
    publish(tmp_path, log_files(entries, NEXT), entries, [], 0)
    assert "does not sign any more" in check(tmp_path, SIGNER.verifier).stderr


@pytest.mark.policy("131.7-3a")
def test_go_finds_every_tampering_with_what_a_checkpoint_or_a_key_vouches_for(
    tmp_path: Path, check: Ask
) -> None:
    for trial in range(TRIALS):
        made = attack(trial)
        folder = tmp_path / str(trial)
        publish(folder, made.files, made.entries, made.held, trial)
        done = check(folder, made.key)
        assert done.returncode == 1, f"trial {trial}, {made.kind}: {done.stdout}"
        shutil.rmtree(folder)
