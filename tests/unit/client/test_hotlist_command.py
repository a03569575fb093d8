"""`alpr hotlist`: what it asks, what it says, and its exit codes, against a server of canned
answers; the real one is behind the integration tests."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alpr_client.hotlist_command import app

REPORT: dict[str, Any] = {
    "source": "leads", "mode": "delta", "mapper": "house-csv", "dry_run": False, "lines_read": 3,
    "added": 1, "changed": 0, "removed": 0, "unchanged": 0, "rejected": [], "rejected_count": 0,
    "dropped": [],
}  # fmt: skip
ENTRY = {
    "entry_id": "7e9d7a0e-0b6f-4a68-9d34-0d8b6a3c2f10", "plate": "ABC123",
    "category": "stolen_vehicle", "reason": "Taken", "source": "manual", "check": "waiting",
}  # fmt: skip


class Matcher:
    """Answers by path; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.asked.append((self.command, self.path, body))
                path = self.path.partition("?")[0]
                status, said = outer.answers.get(path, (404, {"title": "Nothing"}))
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def run(self, *arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(
            app,
            [str(a) for a in arguments],
            env={"ALPR_MATCHER_URL": self.url, "ALPR_TOKEN": "t", "COLUMNS": "200"},
        )
        return done.exit_code, done.output


@pytest.fixture
def matcher() -> Iterator[Matcher]:
    served = Matcher()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text("plate,category,reason\nAB1,other,x\n")
    return path


def test_an_import_sends_the_file_and_tells_what_was_done(matcher: Matcher, file: Path) -> None:
    matcher.answers["/v1/hotlist/import"] = (200, REPORT)
    code, said = matcher.run("import", file, "--source", "leads", "--refresh")
    assert (code, "1 added" in said) == (0, True)
    (_, path, body), *_ = [one for one in matcher.asked if one[0] == "POST"]
    assert "mode=refresh" in path
    assert "dry_run=false" in path
    assert b"AB1,other,x" in body


def test_bad_and_dropped_lines_are_told_with_exit_code_one(matcher: Matcher, file: Path) -> None:
    bad = {
        "rejected": [{"line": 7, "what": "is [bad]"}], "rejected_count": 1,
        "dropped": [{"category": "immigration_violator", "count": 4, "why": "Illinois"}],
        "dry_run": True, "sample": {"added": [
            {"plate": "AB1", "category": "other", "reason": "x"}]},
    }  # fmt: skip
    matcher.answers["/v1/hotlist/import"] = (200, REPORT | bad)
    code, said = matcher.run("preview", file, "--source", "leads")
    assert code == 1
    for part in ("line 7: is [bad]", "dropped 4", "Illinois", "1 would be added", "AB1"):
        assert part in said


def test_a_refresh_that_removes_too_much_ends_with_a_code_of_its_own(
    matcher: Matcher, file: Path
) -> None:
    problem = {"type": "urn:alpr:problem:removals-not-confirmed", "title": "Many", "detail": "40 %"}
    matcher.answers["/v1/hotlist/import"] = (409, problem)
    code, said = matcher.run("import", file, "--source", "leads")
    assert (code, "40 %" in said) == (3, True)


def test_a_mapper_file_goes_along(matcher: Matcher, file: Path, tmp_path: Path) -> None:
    matcher.answers["/v1/hotlist/import"] = (200, REPORT)
    (tmp_path / "own.toml").write_text('format = "fixed"\n')
    assert matcher.run("import", file, "--source", "a", "--mapper", tmp_path / "own.toml")[0] == 0
    assert any(b'format = "fixed"' in body for _, _, body in matcher.asked)


def test_a_check_says_whether_a_plate_is_listed(matcher: Matcher) -> None:
    matcher.answers["/v1/hotlist/entries"] = (200, {"items": [ENTRY], "next_cursor": None})
    code, said = matcher.run("check", "abc 123")
    assert (code, "stolen_vehicle" in said) == (1, True)
    matcher.answers["/v1/hotlist/entries"] = (200, {"items": [], "next_cursor": None})
    code, said = matcher.run("check", "abc 123")
    assert (code, "not listed" in said) == (0, True)


def test_entries_are_added_checked_and_retracted(matcher: Matcher) -> None:
    entry_id = ENTRY["entry_id"]
    for path in ("", f"/{entry_id}/check", f"/{entry_id}/retract"):
        matcher.answers[f"/v1/hotlist/entries{path}"] = (200, ENTRY)
    assert matcher.run("add", "AB?12*", "--category", "amber_alert", "--reason", "Van")[0] == 0
    assert matcher.run("second-check", entry_id)[0] == 0
    assert matcher.run("retract", entry_id, "--reason", "Found")[0] == 0
    assert json.loads(matcher.asked[0][2])["plate"] == "AB?12*"


def test_lists_are_shown_with_their_freshness(matcher: Matcher) -> None:
    one = {
        "source": "leads", "kind": "state", "agency_id": "IL0222900", "entries": 12,
        "refreshed_at": "2026-05-04T10:00:00+00:00", "freshness": "stale",
    }  # fmt: skip
    matcher.answers["/v1/hotlist/lists"] = (200, {"items": [one]})
    waiting = {"entry_id": ENTRY["entry_id"], "overdue": True}
    matcher.answers["/v1/hotlist/unchecked"] = (200, {"items": [waiting]})
    code, said = matcher.run("list")
    assert (code, "stale" in said, "1 overdue" in said) == (0, True, True)


def test_an_offered_list_is_shown_and_accepted_or_declined(matcher: Matcher) -> None:
    list_id = ENTRY["entry_id"]
    one = {
        "list_id": list_id, "source": "county", "kind": "neighbour", "agency_id": "IL0160000",
        "entries": 3, "refreshed_at": None, "freshness": "never",
        "subscriptions": [{"agency_id": "IL0222900", "state": "offered"}],
    }  # fmt: skip
    matcher.answers["/v1/hotlist/lists"] = (200, {"items": [one]})
    matcher.answers["/v1/hotlist/unchecked"] = (200, {"items": []})
    code, said = matcher.run("list")
    assert (code, "IL0222900 offered" in said, list_id in said) == (0, True, True)
    path = f"/v1/hotlist/lists/{list_id}/subscription"
    matcher.answers[path] = (200, {"state": "accepted", "version": 2})
    assert matcher.run("accept", list_id, "--reason", "Agreed") == (0, "accepted: version 2\n")
    assert matcher.run("decline", list_id, "--reason", "Not any more")[0] == 0
    assert [json.loads(body) for _, asked, body in matcher.asked if asked == path] == [
        {"accept": True, "reason": "Agreed"},
        {"accept": False, "reason": "Not any more"},
    ]


def test_a_refusal_says_why_with_exit_code_two(matcher: Matcher) -> None:
    matcher.answers["/v1/hotlist/lists"] = (403, {"title": "No", "clause": "131.6-2"})
    code, said = matcher.run("list")
    assert (code, "131.6-2" in said) == (2, True)
