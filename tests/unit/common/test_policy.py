"""The policy file: what it may say, and that what the code cites exists."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from alpr_common.policy import CLAUSES, ApprovalKind, ApprovalRanks, Policy
from alpr_local.folders import repository


def test_without_a_file_the_defaults_apply() -> None:
    assert Policy.load(None) == Policy()


def test_a_file_overrides_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('version = "2026-05"\nreads_retention_days = 14\n')
    policy = Policy.load(file)
    assert policy.reads_retention_days == 14
    assert policy.alert_window_seconds == Policy().alert_window_seconds


def test_a_field_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("read_retention_days = 14\n")
    with pytest.raises(ValidationError, match="read_retention_days"):
        Policy.load(file)


RANKS = """
approvals_need_rank = true

[supervisor_ranks]
asc = "Area Supervisor/Communications"
sergeant = "sergeant"
lieutenant = "lieutenant"
command = "command staff"

[approval_ranks]
sweep = ["sergeant", "lieutenant", "command"]
convoy = ["command"]
"""


def test_by_default_every_rank_decides_and_so_does_a_supervisor_without_one() -> None:
    policy = Policy()
    assert list(policy.supervisor_ranks) == ["asc", "sergeant", "command"]
    for kind in get_args(ApprovalKind):
        assert policy.deciding_ranks(kind) == {"asc", "sergeant", "command"}
        assert policy.rank_decides(kind, "sergeant")
        assert policy.rank_decides(kind, None)
        assert not policy.rank_decides(kind, "captain")


def test_a_policy_file_says_which_ranks_decide_on_what(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(RANKS)
    policy = Policy.load(file)
    assert policy.rank_decides("sweep", "lieutenant")
    assert not policy.rank_decides("sweep", "asc")
    assert [r for r in policy.supervisor_ranks if policy.rank_decides("convoy", r)] == ["command"]
    assert policy.rank_decides("repeated_plate", "asc")
    assert not policy.rank_decides("repeated_plate", None)


def test_the_example_that_the_docs_show_is_a_policy_file() -> None:
    said = (repository() / "docs" / "policy.md").read_text().splitlines()
    example = "\n".join(line[4:] for line in said if line.startswith("    "))
    policy = Policy.model_validate(tomllib.loads(example))
    assert policy.approvals_need_rank
    assert policy.deciding_ranks("convoy") == {"command"}


def test_where_some_ranks_may_not_decide_nobody_without_a_rank_does() -> None:
    policy = Policy(approval_ranks=ApprovalRanks(convoy=frozenset({"command"})))
    assert not policy.rank_decides("convoy", None)
    assert policy.rank_decides("sweep", None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[approval_ranks]\nconvoy = ["captain"]', "captain"),
        ("[approval_ranks]\nconvoy = []", "approval_ranks.convoy"),
        ('[approval_ranks]\nsweeps = ["command"]', "approval_ranks.sweeps"),
        ('[supervisor_ranks]\n"Sgt." = "sergeant"', "supervisor_ranks"),
        ('[supervisor_ranks]\nsergeant = ""', "supervisor_ranks"),
        ("[supervisor_ranks]", "supervisor_ranks"),
        (
            '[supervisor_ranks]\ncommand = "chief"\n[approval_ranks]\nsweep = ["sergeant"]',
            "sergeant",
        ),
    ],
)
def test_ranks_that_do_not_exist_are_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(ValidationError, match=named):
        Policy.load(file)


def test_every_category_has_a_colour_and_a_priority_that_the_console_can_show() -> None:
    for category in Policy().categories.values():
        assert re.fullmatch(r"#[0-9a-f]{6}", category.colour)
        assert category.sound in {"urgent", "notice", "silent"}


def test_every_clause_that_the_code_cites_is_a_clause() -> None:
    cited = set()
    for folder in ("libs", "services", "clients"):
        for file in (repository() / folder).rglob("*.py"):
            if "node_modules" not in file.parts:
                cited |= set(re.findall(r'clause(?:: [^=]+)? = "([^"]+)"', file.read_text()))
    assert cited <= set(CLAUSES), f"unknown clauses: {sorted(cited - set(CLAUSES))}"
