"""`alpr audit`: what it asks, saves and says, and its exit codes, against a server of canned
answers; the real routes are behind the integration tests."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alpr_client import audit_package
from alpr_client.audit_command import app

PACKAGE_ID = "7e9d7a0e-0b6f-4a68-9d34-0d8b6a3c2f10"
PAGE = b"<!DOCTYPE html>"
LOOK = f"GET /v1/audit/packages/{PACKAGE_ID}"
ASKED = ("package", "--from", "2026-01-01", "--to", "2026-11-01", "--out")


def package(**changed: Any) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "usage": {"totals": {"searches": 12, "refused": 3, "people": 4}},
        "log": {"is_good": True, "entries": 90}, "missing": [],
        "misuse": {"findings": [{"reviews": []}, {"reviews": [{}]}]},
    }  # fmt: skip
    file = {"name": "report.html", "sha256": hashlib.sha256(PAGE).hexdigest()}
    return {
        "package_id": PACKAGE_ID, "from": "2026-01-01T00:00:00Z", "to": "2026-11-01T00:00:00Z",
        "prepared_at": "2026-11-01T00:00:00Z", "prepared_by": "Quinn", "files": [file],
        "state": "ready", "step": None, "progress": 1, "failure": None,
        "summary": summary | changed,
    }  # fmt: skip


def in_the_making(step: str = "records", progress: float = 0.3) -> dict[str, Any]:
    made = {"state": "preparing", "step": step, "progress": progress, "files": []}
    return package() | made | {"summary": None, "prepared_at": None}


class Served:
    """Answers by method and path; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.at_first: dict[str, list[tuple[int, Any]]] = {}
        """What is answered before `answers`, one after the other."""
        self.asked: list[tuple[str, str, Any]] = []
        self.looked = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path = self.path.partition("?")[0]
                outer.asked.append((self.command, self.path, json.loads(body) if body else None))
                if self.command == "GET":
                    outer.looked.set()
                key = f"{self.command} {path}"
                if outer.at_first.get(key):
                    status, said = outer.at_first[key].pop(0)
                else:
                    status, said = outer.answers.get(key, (404, {"title": "No"}))
                content = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.answers[f"GET /v1/audit/packages/{PACKAGE_ID}/files/report.html"] = (200, PAGE)
        self.answers["POST /v1/audit/packages"] = (202, in_the_making("identity", 0.0))
        self.answers[LOOK] = (200, package())

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ALPR_ACCESS_LOG_URL": self.url, "ALPR_IDENTITY_URL": self.url, "ALPR_TOKEN": "t",
            "COLUMNS": "200",
        }  # fmt: skip

    def run(self, *arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(
            app,
            [str(a) for a in arguments],
            env=self.environment,
        )  # fmt: skip
        return done.exit_code, done.output


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(audit_package, "_LOOKS_AGAIN_SECONDS", 0.01)
    made = Served()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.policy("131.5-d")
def test_one_command_prepares_the_audit_and_saves_its_files(served: Served, tmp_path: Path) -> None:
    served.at_first[LOOK] = [(200, in_the_making()), (200, in_the_making("writing", 0.95))]
    out = tmp_path / "audit"
    code, said = served.run("package", "--from", "2026-01-01", "--to", "2026-11-01", "--out", out)
    assert code == 0, said
    assert (out / "report.html").read_bytes() == PAGE
    assert json.loads((out / "summary.json").read_text())["log"]["entries"] == 90
    asked = served.asked[0][2]
    assert asked == {"from": "2026-01-01T00:00:00+00:00", "to": "2026-11-01T00:00:00+00:00"}
    assert "12 answered, 3 refused, 4 people" in said
    assert "2, 1 of them not reviewed" in said


def test_what_is_missing_or_not_whole_is_told_by_the_exit_code(
    served: Served, tmp_path: Path
) -> None:
    asked = ("package", "--from", "2026-01-01", "--to", "2026-11-01", "--out", tmp_path)
    for changed, words in (
        ({"missing": ["Training: identity does not answer."]}, "identity does not answer"),
        ({"log": {"is_good": False, "entries": 9}}, "NOT WHOLE"),
    ):
        served.answers[LOOK] = (200, package(**changed))
        code, said = served.run(*asked)
        assert code == 1, said
        assert words in said


def test_a_file_that_is_not_what_its_hash_says_is_not_kept(served: Served, tmp_path: Path) -> None:
    served.answers[f"GET /v1/audit/packages/{PACKAGE_ID}/files/report.html"] = (200, b"other")
    code, said = served.run(
        "package", "--from", "2026-01-01", "--to", "2026-11-01", "--out", tmp_path
    )
    assert code == 2
    assert "SHA-256" in said
    assert not (tmp_path / "report.html").exists()


def test_a_refusal_and_a_malformed_time_are_not_done(served: Served, tmp_path: Path) -> None:
    refusal = {"title": "Your role does not include this", "clause": "131.6-2", "detail": "No."}
    served.answers["POST /v1/audit/packages"] = (403, refusal)
    code, said = served.run(
        "package", "--from", "2026-01-01", "--to", "2026-11-01", "--out", tmp_path
    )
    assert code == 2
    assert "131.6-2" in said
    code, _ = served.run("package", "--from", "january", "--to", "2026-11-01", "--out", tmp_path)
    assert code == 2
    code, _ = served.run(
        "package", "--from", "2026-01-01T00:00", "--to", "2026-11-01", "--out", tmp_path
    )
    assert code == 2


def test_what_is_done_is_told_while_it_waits_and_an_outage_is_waited_out(
    served: Served, tmp_path: Path
) -> None:
    away = (503, {"title": "A server that this needs is away"})
    served.at_first[LOOK] = [(200, in_the_making()), away, (200, in_the_making("log", 0.7))]
    code, said = served.run("fetch", PACKAGE_ID, "--out", tmp_path)
    assert code == 0, said
    assert "reading records" in said
    assert "recomputing the access log" in said
    assert (tmp_path / "summary.json").exists()


def test_a_package_that_could_not_be_prepared_says_why(served: Served, tmp_path: Path) -> None:
    failed = in_the_making() | {"state": "failed", "failure": "The object store is away."}
    served.answers[LOOK] = (200, failed)
    code, said = served.run(*ASKED, tmp_path)
    assert code == 2
    assert "The object store is away." in said
    assert not (tmp_path / "summary.json").exists()


def test_where_another_one_is_prepared_it_says_how_to_wait_for_that(
    served: Served, tmp_path: Path
) -> None:
    other = {"title": "Another audit of this agency is being prepared", "package_id": "4711"}
    served.answers["POST /v1/audit/packages"] = (409, other)
    code, said = served.run(*ASKED, tmp_path)
    assert code == 2
    assert "alpr audit fetch 4711" in said


def test_ctrl_c_ends_the_waiting_and_says_how_to_go_on(served: Served, tmp_path: Path) -> None:
    served.answers[LOOK] = (200, in_the_making())
    # Who runs the tests in the background has them ignore Ctrl-C, and what they start as well.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from alpr_client.audit_command import app; app()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *ASKED, str(tmp_path)],
        env=os.environ | served.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as waiting:  # fmt: skip
        assert served.looked.wait(60)
        waiting.send_signal(signal.SIGINT)
        _, complaint = waiting.communicate(timeout=60)
    assert waiting.returncode == 130, complaint
    assert f"alpr audit fetch {PACKAGE_ID} --out {tmp_path}" in complaint


def test_shifts_by_user_name_are_given_by_person_id(served: Served, tmp_path: Path) -> None:
    people = {"items": [{"username": "miller", "person_id": "p-1"}], "next_cursor": None}
    served.answers["GET /v1/people"] = (200, people)
    lists = {"lists": [{"kind": "shifts", "entries": 1, "to_at": "2027-01-01T00:00:00Z"}]}
    served.answers["PUT /v1/audit/lists/shifts"] = (200, lists)
    file = tmp_path / "shifts.csv"
    file.write_text("Username,begins_at,ends_at\nMiller,2026-01-01T06:00Z,2026-01-01T16:00Z\n")
    asked = ("shifts", file, "--from", "2026-01-01", "--to", "2027-01-01")
    code, said = served.run(*asked)
    assert code == 0, said
    sent = served.asked[-1][2]["csv"].splitlines()
    assert sent == ["person_id,begins_at,ends_at", "p-1,2026-01-01T06:00Z,2026-01-01T16:00Z"]
    file.write_text("username,begins_at,ends_at\nnobody,2026-01-01T06:00Z,2026-01-01T16:00Z\n")
    code, said = served.run(*asked)
    assert code == 2
    assert "line 2" in said


def test_own_plates_cases_and_reviews_are_sent(served: Served, tmp_path: Path) -> None:
    lists = {"lists": [{"kind": "plates", "entries": 2, "to_at": "2027-01-01T00:00:00Z"}]}
    served.answers["PUT /v1/audit/lists/plates/p-1"] = (200, lists)
    file = tmp_path / "plates.txt"
    file.write_text("AB 123\n\nKIN 77\n")
    assert served.run("own-plates", "p-1", "--file", file)[0] == 0
    assert served.asked[-1][2] == {"plates": ["AB 123", "KIN 77"]}
    served.answers[f"POST /v1/audit/findings/{PACKAGE_ID}/review"] = (200, {})
    code, _ = served.run("review", PACKAGE_ID, "--outcome", "explained", "--note", "Known")
    assert code == 0
    assert served.asked[-1][2] == {"outcome": "explained", "note": "Known"}
