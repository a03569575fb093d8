"""The report that holds docs/policy.md against the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alpr_local.folders import repository
from tests.support.policy_report import clause_table

_HEAD = "| clause | what | status | where |\n|---|---|---|---|\n"
_PROVEN = "| 131.1 | law enforcement only | **enforced** | here |\n"
_UNPROVEN = "| 131.4 | nothing personal | **enforced** | here |\n"
_LATER = "| 131.5-d | yearly audit | *not yet* | |\n"
_TEST = """
import pytest

@pytest.mark.policy("131.1")
def test_a_clause():
    pass

def test_something_else():
    pass
"""


# What else is installed into pytest takes seconds to load and is not used here.
_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run(folder: Path, table: str, *arguments: str, test: str = _TEST) -> tuple[int, str]:
    """A pytest run of its own in `folder`; its exit status and what it printed."""
    (folder / "docs").mkdir()
    (folder / "docs" / "policy.md").write_text(_HEAD + table)
    (folder / "checks").mkdir()
    (folder / "checks" / "test_clauses.py").write_text(test)
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.policy_report"]\n')
    (folder / "pytest.ini").write_text(
        "[pytest]\ntestpaths = checks\nmarkers = policy(clause): proves a clause\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(repository())} | _PLUGINS,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_table_shows_each_clause_with_its_tests(tmp_path: Path) -> None:
    status, printed = run(tmp_path, _PROVEN + _LATER, "-m", "policy")
    assert status == 0
    assert "131.1              enforced  1/1 passed  checks/test_clauses.py" in printed
    assert "131.5-d            not yet   no test" in printed


def test_a_full_run_fails_when_an_enforced_clause_has_no_test(tmp_path: Path) -> None:
    status, printed = run(tmp_path, _PROVEN + _UNPROVEN)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "131.4 is marked enforced and has no test" in printed


@pytest.mark.parametrize("narrowed", [["checks/test_clauses.py"], ["-k", "clause"]])
def test_a_run_of_some_tests_does_not_ask_for_the_others(
    tmp_path: Path, narrowed: list[str]
) -> None:
    status, printed = run(tmp_path, _PROVEN + _UNPROVEN, *narrowed)
    assert (status, "has no test" in printed) == (0, False)


def test_a_clause_that_the_table_lacks_fails_any_run(tmp_path: Path) -> None:
    status, printed = run(tmp_path, _PROVEN, "-k", "clause", test=_TEST.replace("131.1", "131.99"))
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "tests name 131.99" in printed


@pytest.mark.parametrize("table", [_PROVEN + _PROVEN, _PROVEN.replace("enforced", "perhaps")])
def test_a_clause_stands_once_with_a_known_status(table: str) -> None:
    with pytest.raises(ValueError, match=r"131\.1"):
        clause_table(_HEAD + table)


def test_the_products_own_table_can_be_read() -> None:
    clauses = clause_table((repository() / "docs" / "policy.md").read_text("utf-8"))
    assert len(clauses) > 40
