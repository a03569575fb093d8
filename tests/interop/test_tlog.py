"""The Go team's own packages (sumdb/tlog, sumdb/note) agree with our log, and find tampering."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import consistency_proof, inclusion_proof
from alpr_translog.tiles import build_tiles, hash_reader
from tests.support.tampering import SIGNER, TRIALS, attack, log_files

pytestmark = pytest.mark.slow

Check = Callable[[Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Runs the Go program on a folder."""
    if shutil.which("go") is None:
        pytest.skip("needs Go, which is not installed")
    program = tmp_path_factory.mktemp("go") / "tlog"
    source = Path(__file__).parent / "tlog"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=source, check=True)

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), str(folder), str(SIGNER.verifier)],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )

    return run


def publish(folder: Path, entries: list[bytes], held: Sequence[str], seed: int) -> None:
    """Write the log's files and proofs: inclusion of some leaves, consistency with `held`."""
    for path, data in log_files(entries).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    size = len(entries)
    hash_of = hash_reader(build_tiles(entries).__getitem__, size)
    indexes = random.Random(seed).sample(range(size), min(size, 20))
    olds = [Checkpoint.open(note, SIGNER.verifier) for note in held]
    proofs = {
        "inclusion": [
            {"index": i, "path": _encoded(inclusion_proof(hash_of, i, size))} for i in indexes
        ],
        "consistency": [
            {
                "old_size": old.size,
                "old_root": base64.b64encode(old.root).decode(),
                # Of a truncated log there is none to give.
                "path": _encoded(consistency_proof(hash_of, old.size, size))
                if old.size <= size
                else [],
            }
            for old in olds
        ],
    }
    (folder / "proofs.json").write_text(json.dumps(proofs))


def _encoded(path: list[bytes]) -> list[str]:
    return [base64.b64encode(part).decode() for part in path]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000])
def test_go_accepts_our_checkpoints_trees_and_proofs(
    size: int, tmp_path: Path, check: Check
) -> None:
    entries = [b"entry %d" % n for n in range(size)]
    held = [
        log_files(entries[:n])["checkpoint"].decode() for n in (1, 2, 200, 256, 999) if n <= size
    ]
    publish(tmp_path, entries, held, size)
    done = check(tmp_path)
    assert done.stdout.strip() == f"good {size}", done.stderr


@pytest.mark.policy("131.7-3a")
def test_go_finds_every_tampering_with_what_a_held_checkpoint_covers(
    tmp_path: Path, check: Check
) -> None:
    for trial in range(TRIALS):
        held, attacked = attack(trial)
        folder = tmp_path / str(trial)
        publish(folder, attacked, [held], trial)
        done = check(folder)
        assert done.returncode == 1, f"trial {trial}: {done.stdout}"
        shutil.rmtree(folder)
