"""What access-log or identity answer may be anything; retro-match waits it out."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from alpr_common.errors import Outage
from alpr_matcher.retro_reads import Account, Accounts, StoredReads

SESSION = {
    "access_token": "t",
    "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
}
NO_READS: dict[str, Any] = {"items": [], "next_cursor": None}


@contextmanager
def answering(session: bytes, reads: bytes) -> Iterator[str]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(session if self.path == "/v1/sessions" else reads)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Door)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


async def asked(url: str) -> int:
    stored = StoredReads(Accounts({"A": Account(username="u", password="p")}), url, url)
    now = datetime.now(UTC)
    try:
        return len([read async for read in stored.of("A", ["K"], [], now, now)])
    finally:
        await stored.close()


async def test_an_answer_without_reads_is_none() -> None:
    with answering(json.dumps(SESSION).encode(), json.dumps(NO_READS).encode()) as url:
        assert await asked(url) == 0


@pytest.mark.parametrize(
    ("session", "reads"),
    [
        (b"<html>We are moving house</html>", NO_READS),
        ({}, NO_READS),
        ([], NO_READS),
        ({"access_token": "t", "expires_at": "soon"}, NO_READS),
        ({"access_token": "t", "expires_at": "2099-01-01T00:00:00"}, NO_READS),
        (SESSION, b"<html>We are moving house</html>"),
        (SESSION, b"\xff\xfe"),
        (SESSION, []),
        (SESSION, {"items": []}),
        (SESSION, {"items": None, "next_cursor": None}),
        (SESSION, {"items": [{"read_id": "of another version"}], "next_cursor": None}),
    ],
)
async def test_an_answer_that_says_nothing_is_an_outage(session: Any, reads: Any) -> None:
    said = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (session, reads)]
    with answering(*said) as url, pytest.raises(Outage):
        await asked(url)
