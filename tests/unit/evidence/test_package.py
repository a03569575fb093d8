"""Evidence packages: sealed, checked offline, and every change found (131.7-2)."""

import random
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_evidence.bag import read_bag, tag_files
from alpr_evidence.package import Contents, Custody, LogProof, seal
from alpr_evidence.verify import verify_package
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import inclusion_proof, root_of
from alpr_translog.note import SignerKey
from alpr_translog.tiles import build_tiles, hash_reader

SEAL = SignerKey("agency.example/evidence", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
LOG = SignerKey("agency.example/log", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


def contents() -> Contents:
    entries = [b"entry %d" % n for n in range(300)]
    hash_of = hash_reader(build_tiles(entries).__getitem__, len(entries))
    checkpoint = Checkpoint(LOG.name, len(entries), root_of(hash_of, len(entries)))
    return Contents(
        inventory_number="INV-2026-000017",
        case_number="26-000123",
        agency_id="IL0222900",
        prepared_by="Sergeant Alex Kim",
        prepared_at=NOW,
        files={"reads/r1.json": b'{"plate": "BG73914"}', "pictures/r1.jpg": bytes(range(256)) * 40},
        custody=[Custody(NOW, "Sergeant Alex Kim", "packed and sealed")],
        checkpoint=checkpoint.sign(LOG),
        proofs=[
            LogProof(i, entries[i], tuple(inclusion_proof(hash_of, i, len(entries))))
            for i in (3, 299)
        ],
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    target = tmp_path / "package.zip"
    seal(target, contents(), SEAL)
    return target


@pytest.mark.policy("131.7-2")
def test_a_sealed_package_is_good_without_any_server(package: Path) -> None:
    report = verify_package(package, SEAL.verifier, LOG.verifier)
    assert report.is_good, report.faults
    assert report.inventory_number == "INV-2026-000017"
    assert report.log_entries == 2
    assert report.info["Source-Organization"] == "IL0222900"


def test_the_same_contents_give_the_same_file(tmp_path: Path, package: Path) -> None:
    seal(tmp_path / "again.zip", contents(), SEAL)
    assert (tmp_path / "again.zip").read_bytes() == package.read_bytes()


def test_a_package_is_never_overwritten(package: Path) -> None:
    with pytest.raises(FileExistsError):
        seal(package, contents(), SEAL)


def test_without_the_logs_key_the_proofs_count_as_unchecked(package: Path) -> None:
    assert "verifier key" in verify_package(package, SEAL.verifier).faults[0]


@pytest.mark.policy("131.7-2")
def test_a_seal_of_somebody_else_is_no_seal(package: Path) -> None:
    other = SignerKey(SEAL.name, Ed25519PrivateKey.generate())
    assert not verify_package(package, other.verifier, LOG.verifier).is_good


@pytest.mark.policy("131.7-2")
@pytest.mark.parametrize("seed", range(40))
def test_any_file_that_is_changed_removed_added_or_swapped_is_found(
    seed: int, package: Path, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    with zipfile.ZipFile(package) as bag:
        files = {name: bag.read(name) for name in bag.namelist()}
    names = sorted(files)
    victim, other = rng.sample(names, 2)
    match seed % 4:
        case 0:
            at = rng.randrange(len(files[victim]))
            changed = bytearray(files[victim])
            changed[at] ^= 1 << rng.randrange(8)
            files[victim] = bytes(changed)
        case 1:
            del files[victim]
        case 2:
            files[f"INV-2026-000017/data/extra-{seed}.txt"] = b"planted"
        case _:
            files[victim], files[other] = files[other], files[victim]
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(forged, "w") as bag:
        for name, data in files.items():
            bag.writestr(name, data)
    assert not verify_package(forged, SEAL.verifier, LOG.verifier).is_good


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"x" * 100])
def test_what_is_no_zip_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "no.zip"
    file.write_bytes(content)
    assert "zip" in verify_package(file, SEAL.verifier).faults[0]


@pytest.mark.parametrize("path", ["data/../../etc/passwd", "/data/x", "data/a\nb", "other/x"])
def test_a_path_that_leaves_the_bag_is_not_packed(path: str) -> None:
    with pytest.raises(ValueError):
        tag_files({path: b""}, [])


def test_the_bag_is_one_that_bagit_readers_know(package: Path) -> None:
    bag = read_bag(package)
    assert bag.faults == ()
    assert bag.tags["bagit.txt"].startswith(b"BagIt-Version: 1.0\n")
    assert set(bag.payload) >= {"data/custody.json", "data/log/checkpoint", "data/reads/r1.json"}
