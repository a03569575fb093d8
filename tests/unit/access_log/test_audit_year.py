"""A simulated year of honest work with misuse planted into it: all of it is found, and honest work
is hardly ever pointed out."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from alpr_access_log.audit.analysis import months
from alpr_access_log.audit.finding import Finding, run
from alpr_access_log.audit.records import Looked
from alpr_access_log.audit.rules import RULES
from alpr_common.misuse import MisuseLimits
from tests.support.audited_year import Department, honest, plant

YEAR = datetime(2025, 1, 1, tzinfo=UTC)
# Findings about people who did nothing but their work, per person and month.
FALSE_FINDINGS_MAX = 0.02


def found_in(made: Department, limits: MisuseLimits | None = None) -> list[Finding]:
    """Month by month, as the analytics run."""
    limits = limits or MisuseLimits()
    times = [record.occurred_at for record in made.records]
    found: list[Finding] = []
    for begin, end in months(made.begin, made.end):
        first = bisect_left(times, begin - timedelta(days=limits.baseline_days))
        looked = Looked(
            made.records[first : bisect_left(times, end)], begin, end, limits, made.lists,
            made.lapses, made.sessions,
        )  # fmt: skip
        found += run(RULES, looked)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.policy("131.4", "131.6-3b", "131.6-3c", "131.6-3d", "131.6-3e")
@pytest.mark.parametrize("seed", [2])
def test_a_year_with_planted_misuse_all_of_which_is_found(seed: int) -> None:
    made = honest(YEAR, 365, seed)
    plant(made, times=2)
    found = found_in(made)

    pointed_out = {(finding.rule, person) for finding in found for person in finding.people}
    missed = [(rule, who, at) for rule, who, at in made.planted if (rule, who) not in pointed_out]
    assert not missed


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.policy("131.4")
@pytest.mark.parametrize("seed", [11, 12])
def test_honest_work_is_hardly_ever_pointed_out(seed: int) -> None:
    made = honest(YEAR, 365, seed)
    found = found_in(made)
    rate = len(found) / (len(made.workers) * 12)
    by_rule = Counter(finding.rule for finding in found)
    print(f"{len(made.records)} records, {len(found)} findings, {rate:.4f} per person-month")
    assert rate <= FALSE_FINDINGS_MAX, by_rule
    direct = [finding for finding in found if finding.strength == "direct"]
    assert len(direct) / (len(made.workers) * 12) <= FALSE_FINDINGS_MAX / 2, by_rule
