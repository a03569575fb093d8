"""`alpr log`: what it says and with which exit code, on copies in folders and over HTTP."""

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alpr_client.log_command import GOOD, NOT_CHECKED, TAMPERED, app, paths_of
from tests.support.tampering import NEXT, SIGNER, Files, log_files, rotated

KEY = str(SIGNER.verifier)
ENTRIES = [b"entry %d" % n for n in range(300)]
PREFIX = "/v1/log/IL0222900/"


def run(*arguments: object, token: str = "") -> tuple[int, str]:
    environment = {"ALPR_TOKEN": token, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = CliRunner().invoke(app, [str(a) for a in arguments], env=environment)
    return done.exit_code, done.output


def write(folder: Path, files: Files) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[[Files], str]]:
    """Serves files to whoever has the token, the checkpoint to everybody."""
    servers: list[ThreadingHTTPServer] = []

    def start(files: Files) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.removeprefix(PREFIX)
                signed_in = self.headers.get("Authorization") == "Bearer good"
                allowed = path in ("checkpoint", "hand-overs") or signed_in
                status = 401 if not allowed else 200 if path in files else 404
                self.send_response(status)
                self.end_headers()
                if status == 200:
                    self.wfile.write(files[path])

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}{PREFIX}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_whole_log_is_said_to_be_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "log", log_files(ENTRIES))
    (tmp_path / "key").write_text(KEY + "\n")
    held = write(
        tmp_path / "held", {str(n): log_files(ENTRIES[:n])["checkpoint"] for n in (1, 256)}
    )
    code, output = run("verify", folder, "--key", tmp_path / "key", "--against", held)
    assert code == GOOD
    assert "whole: alpr.example/log has 300 entries" in output
    assert "extends 2 held checkpoint(s)" in output


def test_a_log_that_is_whole_in_itself_but_another_than_was_held_is_tampered(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "log", log_files([*ENTRIES[:10], b"forged", *ENTRIES[11:]]))
    held = tmp_path / "held"
    held.write_bytes(log_files(ENTRIES[:20])["checkpoint"])
    assert run("verify", folder, "--key", KEY)[0] == GOOD
    code, output = run("verify", folder, "--key", KEY, "--against", held)
    assert code == TAMPERED
    assert "held checkpoint of 20 entries: NOT extended" in output
    assert "TAMPERED" in output


def test_over_http_the_log_is_fetched_with_the_token_and_checked(
    serve: Callable[[Files], str], tmp_path: Path
) -> None:
    files = log_files(ENTRIES)
    url = serve(files)
    assert run("verify", url, "--key", KEY, token="good")[0] == GOOD
    code, output = run("verify", url, "--key", KEY)
    assert (code, "not checked" in output) == (NOT_CHECKED, True)
    files["tile/0/000"] = files["tile/0/000"][::-1]
    assert run("verify", url, "--key", KEY, token="good")[0] == TAMPERED
    del files["tile/entries/001.p/44"]
    code, output = run("verify", url, "--key", KEY, token="good")
    assert (code, "tile/entries/001.p/44" in output) == (TAMPERED, True)


def test_a_copy_is_continued_where_it_ended(serve: Callable[[Files], str], tmp_path: Path) -> None:
    first, second = log_files(ENTRIES[:260]), log_files(ENTRIES)
    folder = tmp_path / "copy"
    assert run("fetch", serve(first), folder, token="good")[0] == GOOD
    # Full tiles are never asked for again: this server would not have them.
    rest = {path: content for path, content in second.items() if path not in first}
    url = serve({**rest, "checkpoint": second["checkpoint"]})
    code, output = run("fetch", url, folder, token="good")
    assert (code, "300 entries" in output) == (GOOD, True)
    assert run("verify", folder, "--key", KEY)[0] == GOOD
    assert set(paths_of(300)) <= {
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.policy("131.7-3c")
def test_a_token_goes_to_no_log_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPR_ALLOW_HTTP", raising=False)
    url = f"http://log.invalid{PREFIX}"
    code, output = run("verify", url, "--key", KEY, token="good")
    assert (code, "is not https" in output) == (NOT_CHECKED, True), output
    monkeypatch.setenv("ALPR_ALLOW_HTTP", "1")
    code, output = run("verify", url, "--key", KEY, token="good")
    assert (code, "is not https" in output) == (NOT_CHECKED, False), output


def test_of_a_checkpoint_that_is_not_signed_nothing_more_is_fetched(
    serve: Callable[[Files], str],
) -> None:
    text = f"{SIGNER.name}\n999999999999\n{'A' * 43}=\n"
    forged = f"{text}\n— {SIGNER.name} AAAA\n".encode()
    code, output = run("verify", serve({"checkpoint": forged}), "--key", KEY, token="good")
    assert (code, "not signed" in output) == (TAMPERED, True)


def handed_over() -> Files:
    """A log of which entry 40 handed over from SIGNER to NEXT, as it is served."""
    entries = rotated(ENTRIES, 40)
    item = {"index": 40, "entry": b64encode(entries[40]).decode()}
    return log_files(entries, NEXT) | {"hand-overs": json.dumps({"items": [item]}).encode()}


@pytest.mark.policy("131.7-3a")
@pytest.mark.parametrize("where", ["folder", "address"])
def test_the_old_key_leads_to_the_new_one(
    serve: Callable[[Files], str], tmp_path: Path, where: str
) -> None:
    files = handed_over()
    log = serve(files) if where == "address" else write(tmp_path / "log", files)
    held = tmp_path / "held"
    held.write_bytes(log_files(ENTRIES[:30])["checkpoint"])
    code, output = run("verify", log, "--key", KEY, "--against", held, token="good")
    old, new = (one.verifier.key_id.hex() for one in (SIGNER, NEXT))
    assert (code, "held checkpoint of 30 entries: extended" in output) == (GOOD, True)
    assert f"signed by key {new}, handed over by key {old} at entry 40" in output
    assert f"the log's verifier key is now {NEXT.verifier}" in output
    code, output = run("verify", log, "--key", NEXT.verifier, "--against", held, token="good")
    assert (code, "is now" in output) == (GOOD, False)


def test_a_hand_over_that_the_server_tells_of_and_the_log_has_not_is_found(
    serve: Callable[[Files], str],
) -> None:
    files = log_files(ENTRIES, NEXT) | {"hand-overs": handed_over()["hand-overs"]}
    code, output = run("verify", serve(files), "--key", KEY, token="good")
    assert (code, "not signed by" in output) == (TAMPERED, True)


@pytest.mark.parametrize("said", [b"", b"[]", b'{"items":[{}]}', b'{"items":[{"index":0}]}'])
def test_of_a_server_that_talks_nonsense_of_its_keys_nothing_more_is_fetched(
    serve: Callable[[Files], str], said: bytes
) -> None:
    url = serve(handed_over() | {"hand-overs": said})
    code, output = run("verify", url, "--key", KEY, token="good")
    assert (code, "not signed by" in output) == (TAMPERED, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "nowhere", "--key", KEY),
        ("verify", "http://127.0.0.1:1/v1/log/A", "--key", KEY),
        ("verify", "nowhere", "--key", "no key"),
        ("verify", "nowhere", "--key", KEY, "--against", "nothing"),
        ("fetch", "http://127.0.0.1:1/v1/log/A", "copy"),
    ],
)
def test_what_cannot_be_checked_is_not_said_to_be_anything(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = run(*arguments)
    assert (code, "not checked" in output) == (NOT_CHECKED, True)
