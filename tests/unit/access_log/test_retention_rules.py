"""When reads are past their retention, whose policy says so, and what a certificate commits to."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from alpr_access_log import domain
from alpr_access_log.holds.domain import ids_root
from alpr_access_log.refusals import TopicsOutliveRetention
from alpr_access_log.retention import handlers as retention
from alpr_common.policy import AgencyPolicies, Policy
from alpr_translog.merkle import EMPTY_ROOT, leaf_hash, root_of
from alpr_translog.tiles import build_tiles, hash_reader

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.policy("131.7-1d")
@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (NOON, date(2026, 4, 3)),
        # The very moment at which the last second of the day is past.
        (datetime(2026, 5, 4, tzinfo=UTC), date(2026, 4, 3)),
        (datetime(2026, 5, 4, tzinfo=UTC) - timedelta(microseconds=1), date(2026, 4, 2)),
    ],
)
def test_a_day_goes_when_all_of_it_is_past_its_retention(now: datetime, newest: date) -> None:
    assert retention.last_day(now, 30) == newest
    end = retention.bounds(newest)[1]
    assert end <= now - timedelta(days=30) < end + timedelta(days=1)


@pytest.mark.policy("131.7-1d", "131.5-b")
def test_an_agencys_own_file_goes_before_the_installations(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "IL%2FX 1.toml").write_text("reads_retention_days = 90")
    (tmp_path / "policy.toml").write_text("reads_retention_days = 20")
    policies = AgencyPolicies.load(tmp_path / "policy.toml", own)
    assert policies.of("IL/X 1").reads_retention_days == 90
    assert policies.of("anybody").reads_retention_days == 20
    assert {p.reads_retention_days for p in policies.all} == {20, 90}


@pytest.mark.policy("131.7-1d")
def test_the_shortest_retention_of_any_agency_bounds_the_topics(tmp_path: Path) -> None:
    (tmp_path / "IL0.toml").write_text("reads_retention_days = 5")
    with pytest.raises(TopicsOutliveRetention):
        domain.refuse_topics_that_outlive_retention(AgencyPolicies.load(None, tmp_path).all)


def test_a_policy_file_that_keeps_reads_for_no_day_is_refused(tmp_path: Path) -> None:
    (tmp_path / "IL0.toml").write_text("reads_retention_days = 0")
    with pytest.raises(ValidationError):
        AgencyPolicies.load(None, tmp_path)


@pytest.mark.policy("131.7-1d")
def test_a_category_can_keep_its_hits_longer_and_never_shorter(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    stolen = Policy().categories["stolen_vehicle"].model_dump(exclude_none=True)
    lines = ["reads_retention_days = 30"]
    for name, days in (("stolen_vehicle", 365), ("scofflaw", 7)):
        lines.append(f"[categories.{name}]")
        said = stolen | {"reads_retention_days": days}
        lines += [f"{k} = {v!r}" for k, v in said.items()]
    path.write_text("\n".join(lines))
    policy = Policy.load(path)
    assert policy.kept_days("stolen_vehicle") == 365
    assert policy.kept_days("scofflaw") == 30
    assert policy.kept_days("unheard of") == 30


@pytest.mark.parametrize("count", [0, 1, 2, 7, 256, 300])
def test_a_certificates_root_is_the_merkle_root_over_the_sorted_ids(count: int) -> None:
    chance = random.Random(count)
    ids = [UUID(int=chance.getrandbits(128)) for _ in range(count)]
    entries = [one.bytes for one in sorted(ids, key=lambda one: one.bytes)]
    expected = EMPTY_ROOT
    if count == 1:
        expected = leaf_hash(entries[0])
    elif count:
        expected = root_of(hash_reader(build_tiles(entries).__getitem__, count), count)
    chance.shuffle(ids)
    assert ids_root(ids) == expected.hex()
