"""Development secrets are made once, whoever is first, and everybody has the same."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from alpr_identity.signing_keys import rotate
from alpr_local.secret_files import SecretFiles

TOGETHER = 8


def public_half(private: Path) -> bytes:
    key = load_pem_private_key(private.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def all_at_once(make: Callable[[], bytes]) -> set[bytes]:
    """What so many threads get that ask in the same moment."""
    ready = threading.Barrier(TOGETHER)

    def ask() -> bytes:
        ready.wait(30)
        return make()

    with ThreadPoolExecutor(TOGETHER) as threads:
        return {one.result() for one in [threads.submit(ask) for _ in range(TOGETHER)]}


@pytest.mark.parametrize("round_", range(10))
def test_threads_that_make_one_secret_at_once_all_get_the_same(tmp_path: Path, round_: int) -> None:
    secrets = SecretFiles(tmp_path / "secrets")
    (value,) = all_at_once(lambda: secrets.value("cookie.key").encode())
    assert secrets.value("cookie.key").encode() == value
    assert len(all_at_once(lambda: secrets.log_signing_key.read_bytes())) == 1
    (public,) = all_at_once(lambda: secrets.token_public_key.read_bytes())
    assert public_half(secrets.token_private_key) == public
    names = {file.name for file in secrets.folder.iterdir()}
    assert names == {
        "cookie.key", "log-signing-key.pem", "token-private-key.pem", "token-public-key.pem",
    }  # fmt: skip


_ASKING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from alpr_identity.signing_keys import rotate
from alpr_local.secret_files import SecretFiles
secrets = SecretFiles(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(secrets.value("cookie.key"), secrets.token_public_key.read_text().split("\\n")[1])
"""


@pytest.mark.slow  # four interpreters
def test_processes_that_make_one_secret_at_once_all_get_the_same(tmp_path: Path) -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", _ASKING, str(tmp_path / "secrets")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for one in asking:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    for one in asking:
        assert one.stdin
        one.stdin.write("go\n")
        one.stdin.flush()
    assert len({one.communicate(timeout=60)[0] for one in asking}) == 1
    assert all(one.returncode == 0 for one in asking)


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path / "secrets")
    for file in (secrets.file("cookie.key"), secrets.evidence_key, secrets.token_private_key):
        assert file.stat().st_mode & 0o777 == 0o600
    assert secrets.folder.stat().st_mode & 0o777 == 0o700


def test_a_public_key_without_its_private_one_is_made_anew_with_it(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path / "secrets")
    before = secrets.token_public_key.read_bytes()
    secrets.token_private_key.unlink()
    assert secrets.token_public_key.read_bytes() != before
    assert secrets.token_public_key.read_bytes() == public_half(secrets.token_private_key)


def test_keys_that_were_changed_stay_as_the_change_left_them(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path)
    private, public = secrets.token_private_key, secrets.token_public_key
    rotate(private, public, 2, datetime.now(UTC))
    changed = public.read_bytes()
    assert SecretFiles(tmp_path).token_public_key.read_bytes() == changed
    assert changed.count(b"BEGIN PUBLIC KEY") == 2


def test_what_a_process_left_that_was_killed_while_it_wrote_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    (tmp_path / "cookie.key.left.new").write_text("half a sec")
    secrets = SecretFiles(tmp_path)
    assert len(secrets.value("cookie.key")) == 43
