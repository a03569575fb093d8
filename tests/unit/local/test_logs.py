"""What is shown of a log when something did not start."""

from __future__ import annotations

import json
from pathlib import Path

from alpr_local.logs import open_log, tail


def test_only_what_this_start_said_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    with open_log(path) as log:
        log.write(b"an old fault\n")
    with open_log(path) as log:
        since = log.tell()
        log.write(b"a new one\n")
    assert tail(path, since_bytes=since) == "a new one"
    assert tail(path) == "an old fault\na new one"
    assert tail(tmp_path / "none.log") == ""


def test_lines_of_json_are_shown_as_a_person_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    said = [
        {"event": "schema.migrated", "level": "info", "timestamp": "…", "service": "x", "count": 2},
        {"event": "it failed", "level": "error", "exception": "Traceback:\n  line 1\nOops"},
        {"event": "Traceback:\n  line 2\nAgain\n", "level": "error"},
    ]
    lines = [json.dumps(one) for one in said] + ["not json", "[1, 2]", '{"level": "info"}']
    path.write_text("\n".join(lines))
    assert tail(path, 60).splitlines() == [
        "[info] schema.migrated count=2",
        "[error] it failed",
        "Traceback:",
        "  line 1",
        "Oops",
        "[error] Traceback:",
        "  line 2",
        "Again",
        "not json",
        "[1, 2]",
        '{"level": "info"}',
    ]
    assert tail(path, 2) == '[1, 2]\n{"level": "info"}'
