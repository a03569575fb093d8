"""`alpr evidence verify` after the log's key was changed: hand-overs from a file or the log."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alpr_client.evidence_command import app
from alpr_translog.merkle import consistency_proof
from alpr_translog.proven import to_json
from tests.support.tampering import NEXT, SIGNER, note
from tests.unit.evidence.test_package_over_hand_overs import (
    END,
    FIRST_AT,
    LOG,
    SEAL,
    THIRD,
    hashes,
    packed,
    proven,
)

pytestmark = pytest.mark.policy("131.7-2")
SIZE = 30


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Sealed before the first hand-over."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return packed(folder, LOG[:SIZE], SIGNER)


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    """An address that answers as the log does, and what it was asked."""
    asked: list[str] = []

    class Log(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if not self.path.startswith("/v1/log/IL0222900/hand-overs"):
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(to_json([proven(FIRST_AT, SIZE)]))

        def log_message(self, *_args: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Log)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/log/IL0222900", asked
    server.shutdown()
    thread.join()
    server.server_close()


def run(package: Path, *arguments: str) -> Result:
    command = ["verify", str(package), "--key", str(SEAL.verifier), *arguments]
    return CliRunner().invoke(app, command)


def test_the_new_key_verifies_an_old_package_with_a_saved_answer(
    package: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "hand-overs.json"
    saved.write_bytes(to_json([proven(FIRST_AT, SIZE)]))
    done = run(package, "--log-key", str(NEXT.verifier), "--hand-overs", str(saved))
    assert done.exit_code == 0, done.output
    old, new = SIGNER.verifier.key_id.hex(), NEXT.verifier.key_id.hex()
    assert f"key {old} handed the log over to {new} at entry {FIRST_AT}" in done.output
    without = run(package, "--log-key", str(NEXT.verifier))
    assert without.exit_code == 1
    assert "give the log's hand-overs" in without.output


def test_the_new_key_verifies_an_old_package_with_the_logs_own_answer(
    package: Path, served: tuple[str, list[str]]
) -> None:
    url, asked = served
    for given in (url, f"{url}/", f"{url}/hand-overs"):
        done = run(package, "--log-key", str(NEXT.verifier), "--hand-overs", given)
        assert done.exit_code == 0, done.output
    assert asked == [f"/v1/log/IL0222900/hand-overs?size={SIZE}"] * 3
    elsewhere = run(package, "--log-key", str(NEXT.verifier), "--hand-overs", f"{url}-not")
    assert elsewhere.exit_code == 1
    assert "NOT CHECKED" in elsewhere.output


def test_an_older_key_verifies_a_newer_package_and_learns_the_newest(tmp_path: Path) -> None:
    done = run(packed(tmp_path, LOG, THIRD), "--log-key", str(SIGNER.verifier))
    assert done.exit_code == 0, done.output
    assert str(THIRD.verifier) in done.output


def test_a_held_checkpoint_does_with_or_without_a_key(package: Path, tmp_path: Path) -> None:
    held, proof = tmp_path / "held", tmp_path / "proof.json"
    held.write_text(note(LOG, THIRD))
    proof.write_text(_consistency(SIZE, END))
    done = run(package, "--against", str(held), "--consistency", str(proof))
    assert done.exit_code == 0, done.output
    assert f"held checkpoint of {END} entries" in done.output
    bare = run(package, "--log-key", str(SIGNER.verifier), "--against", str(held))
    assert bare.exit_code == 1


def _consistency(old: int, new: int) -> str:
    path = [b64encode(part).decode() for part in consistency_proof(hashes(LOG), old, new)]
    return json.dumps({"old_size": old, "new_size": new, "path": path, "checkpoint": "…"})


def test_what_cannot_be_read_is_named(package: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")
    for option in ("--hand-overs", "--consistency"):
        for given in (nothing, tmp_path / "missing"):
            done = run(package, "--log-key", str(NEXT.verifier), option, str(given))
            assert done.exit_code == 1
            assert option in done.output
    missing = str(tmp_path / "missing")
    done = run(package, "--log-key", str(NEXT.verifier), "--against", missing)
    assert done.exit_code == 1
    assert "--against" in done.output
    away = run(package, "--log-key", str(NEXT.verifier), "--hand-overs", "http://127.0.0.1:1/x")
    assert away.exit_code == 1
    assert "does not answer" in away.output
