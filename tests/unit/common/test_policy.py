"""The policy file: what it may say, and that what the code cites exists."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from alpr_common.policy import CLAUSES, Policy
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
