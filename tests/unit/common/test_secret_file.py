"""A file of keys is replaced whole, by one that whoever read the old one can read."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from alpr_common.secret_file import write_secret_file


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_file_that_was_there_keeps_its_permissions_and_a_new_one_has_those_that_were_said(
    tmp_path: Path,
) -> None:
    file = tmp_path / "key.pem"
    write_secret_file(file, "one", 0o644)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("one", 0o644)
    file.chmod(0o640)
    write_secret_file(file, "two", 0o600)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("two", 0o640)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_replaces_stays_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("one")
    os.chown(file, 12345, 23456)
    file.chmod(0o600)
    write_secret_file(file, "two", 0o644)
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o600)


@pytest.mark.parametrize("may_give", [True, False])
def test_owner_and_group_are_kept_as_far_as_one_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_give: bool
) -> None:
    given: list[tuple[int, int]] = []

    def fchown(descriptor: int, uid: int, gid: int) -> None:
        if uid != -1 and not may_give:
            raise PermissionError
        given.append((uid, gid))

    file = tmp_path / "key.pem"
    file.write_text("one")
    old = file.stat()
    monkeypatch.setattr(os, "fchown", fchown)
    write_secret_file(file, "two", 0o600)
    assert given == [(-1, old.st_gid), *([(old.st_uid, -1)] if may_give else [])]
    assert file.read_text() == "two"


def test_the_folder_is_on_disk_too_after_the_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.pem"
    synced: list[tuple[int, bool]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, file.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_secret_file(file, "one", 0o600)
    assert synced == [(file.stat().st_ino, False), (tmp_path.stat().st_ino, True)]
