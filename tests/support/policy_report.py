"""The clause table of docs/policy.md against the tests that name its clauses.

`pytest -m policy` prints the table with the tests of each clause. A full run fails when a clause
marked *enforced* has no test; every run fails when a test names a clause that the table lacks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STATUSES = ("enforced", "partly", "not yet")
_ROW = re.compile(r"^\|(?P<clause>[^|]+)\|(?P<rule>[^|]+)\|(?P<status>[^|]+)\|(?P<where>[^|]+)\|$")
_NAME = "policy-report"


@dataclass(frozen=True)
class Clause:
    """One row of the table."""

    clause_id: str
    status: str


def clause_table(text: str) -> dict[str, Clause]:
    """The rows of docs/policy.md by clause id; raises ValueError for a status that is none."""
    clauses = {}
    for line in text.splitlines():
        row = _ROW.match(line)
        if row is None or not re.match(r"[0-9]", row["clause"].strip()):
            continue
        clause_id, status = row["clause"].strip(), row["status"].strip(" *")
        if status not in STATUSES:
            raise ValueError(f"docs/policy.md: {clause_id} is {status!r}, not one of {STATUSES}")
        if clause_id in clauses:
            raise ValueError(f"docs/policy.md: {clause_id} stands twice")
        clauses[clause_id] = Clause(clause_id, status)
    return clauses


class PolicyReport:
    """Counts tests per clause while pytest collects and runs."""

    def __init__(self, config: pytest.Config, clauses: dict[str, Clause]) -> None:
        self._config = config
        self._clauses = clauses
        self._asked = config.getoption("markexpr").strip() == "policy"
        self._full = _is_full_run(config)
        self._tests: dict[str, set[str]] = defaultdict(set)
        self._passed: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before anything is deselected, so that `-m` does not hide a clause's tests."""
        for item in items:
            for marker in item.iter_markers("policy"):
                for clause_id in marker.args:
                    self._tests[clause_id].add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)

    @property
    def unknown(self) -> list[str]:
        """Clauses that tests name and the table lacks."""
        return sorted(self._tests.keys() - self._clauses.keys())

    @property
    def unproven(self) -> list[str]:
        """Clauses marked enforced that no test names; empty in a run of some tests only."""
        if not self._full:
            return []
        return [
            c.clause_id
            for c in self._clauses.values()
            if c.status == "enforced" and not self._tests[c.clause_id]
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Where tests run in several processes, those collect and this one counts."""
        for clause_id, tests in getattr(node, "workeroutput", {}).get(_NAME, {}).items():
            self._tests[clause_id].update(tests)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self._config, "workeroutput"):
            found = {clause_id: sorted(tests) for clause_id, tests in self._tests.items()}
            self._config.workeroutput[_NAME] = found
            return
        if (self.unknown or self.unproven) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._asked:
            terminalreporter.section("policy (docs/policy.md)")
            for clause in self._clauses.values():
                terminalreporter.write_line(self._line(clause))
        for clause_id in self.unknown:
            terminalreporter.write_line(
                f"policy: tests name {clause_id}, which docs/policy.md lacks", red=True
            )
        for clause_id in self.unproven:
            terminalreporter.write_line(
                f"policy: {clause_id} is marked enforced and has no test", red=True
            )

    def _line(self, clause: Clause) -> str:
        tests = self._tests[clause.clause_id]
        passed = len(tests & self._passed)
        files = sorted({nodeid.split("::")[0] for nodeid in tests})
        shown = f"{passed}/{len(tests)} passed  {', '.join(files)}" if tests else "no test"
        return f"{clause.clause_id:18} {clause.status:9} {shown}"


def _is_full_run(config: pytest.Config) -> bool:
    """Whether every test was collected: no paths, no `-k`, nothing left out."""
    narrowed = any(
        config.getoption(name, default=None)
        for name in ("keyword", "ignore", "ignore_glob", "deselect", "lf", "stepwise")
    )
    from_settings = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    return from_settings and not narrowed


def pytest_configure(config: pytest.Config) -> None:
    table = Path(config.rootpath) / "docs" / "policy.md"
    clauses = clause_table(table.read_text("utf-8"))
    config.pluginmanager.register(PolicyReport(config, clauses), _NAME)
