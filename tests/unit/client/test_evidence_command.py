"""`alpr evidence verify`: clear lines, and 0 for a good package alone."""

import zipfile
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from alpr_client.command import GROUP
from alpr_client.evidence_command import app
from alpr_evidence.package import Contents, Custody, LogProof, seal
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import leaf_hash
from alpr_translog.note import SignerKey

SEAL = SignerKey("agency.example/evidence", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
LOG = SignerKey("agency.example/log", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    checkpoint = Checkpoint(LOG.name, 1, leaf_hash(b"entry")).sign(LOG)
    contents = Contents(
        inventory_number="EV-2026-000017", case_number="26-000123", agency_id="IL0222900",
        prepared_by="Alex Kim", prepared_at=NOW, files={"reads/r1.json": b'{"plate": "BG73914"}'},
        custody=[Custody(NOW, "Alex Kim", "packed")], checkpoint=checkpoint,
        proofs=[LogProof(0, b"entry", ())],
    )  # fmt: skip
    seal(tmp_path / "package.zip", contents, SEAL)
    return tmp_path / "package.zip"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", *arguments])


@pytest.mark.policy("131.7-2")
def test_a_good_package_is_told_with_what_it_is(package: Path, tmp_path: Path) -> None:
    key = tmp_path / "seal.vkey"
    key.write_text(f"{SEAL.verifier}\n")
    done = run(str(package), "--key", str(key), "--log-key", str(LOG.verifier))
    assert done.exit_code == 0, done.output
    for word in ("GOOD", "EV-2026-000017", "26-000123", "IL0222900", "1 entries"):
        assert word in done.output


@pytest.mark.policy("131.7-2")
def test_a_changed_package_is_told_file_by_file(package: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.zip"
    with zipfile.ZipFile(package) as bag, zipfile.ZipFile(spoilt, "w") as out:
        for name in bag.namelist():
            out.writestr(name, bag.read(name).replace(b"BG73914", b"BG73915"))
    done = run(str(spoilt), "--key", str(SEAL.verifier), "--log-key", str(LOG.verifier))
    assert done.exit_code == 1
    assert "data/reads/r1.json: changed" in done.output
    assert "BAD" in done.output


def test_what_cannot_be_checked_is_not_good(package: Path, tmp_path: Path) -> None:
    for arguments in (
        (str(package), "--key", str(SEAL.verifier)),
        (str(package), "--key", "nonsense"),
        (str(tmp_path / "missing.zip"), "--key", str(SEAL.verifier)),
    ):
        assert run(*arguments).exit_code == 1


def test_the_alpr_command_offers_it() -> None:
    (found,) = entry_points(group=GROUP, name="evidence")
    assert found.load() is app
