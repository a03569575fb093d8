"""Codes of time, sealed secrets, and when reminders are due."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyotp
import pytest

from alpr_common.policy import Policy
from alpr_identity import domain, one_time_codes
from alpr_identity.sealing import KeyFileUnusable, Sealer, SecretUnreadable

pytestmark = pytest.mark.policy("131.7-3c")

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECRET = pyotp.random_base32()
STEP = int(NOON.timestamp()) // 30


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (-30, True), (30, True), (60, False)])
def test_clocks_may_differ_by_one_step(seconds: int, accepted: bool) -> None:
    code = pyotp.TOTP(SECRET).at(NOON + timedelta(seconds=seconds))
    step = one_time_codes.accepted_step(SECRET, code, 0, NOON)
    assert (step == STEP + seconds // 30) if accepted else (step is None)


def test_no_code_counts_twice_nor_one_older_than_the_last() -> None:
    code = pyotp.TOTP(SECRET).at(NOON)
    assert one_time_codes.accepted_step(SECRET, code, STEP - 1, NOON) == STEP
    for last in (STEP, STEP + 1):
        assert one_time_codes.accepted_step(SECRET, code, last, NOON) is None


def test_what_an_old_key_sealed_opens_after_the_key_was_changed(tmp_path: Path) -> None:
    file, person = tmp_path / "keys", uuid4()
    file.write_text("a" * 40)
    sealed = Sealer.from_text(file.read_text()).seal(SECRET, person)
    file.write_text(f"{'b' * 40}\n{'a' * 40}\n")
    changed = Sealer.from_text(file.read_text())
    assert changed.open(sealed, person) == SECRET
    assert Sealer((b"a" * 40,)).hash_code("x") in changed.code_hashes("x")
    file.write_text("b" * 40)
    with pytest.raises(SecretUnreadable):
        Sealer.from_text(file.read_text()).open(sealed, person)
    with pytest.raises(SecretUnreadable):
        changed.open(sealed, uuid4())


@pytest.mark.parametrize("content", ["", "\n", "short", f"{'a' * 40}\nshort"])
def test_a_key_file_of_short_secrets_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys").write_text(content)
    with pytest.raises(KeyFileUnusable):
        Sealer.from_text((tmp_path / "keys").read_text())


@pytest.mark.parametrize(
    ("left", "due"), [(31, None), (30, 30), (15, 30), (14, 14), (7, 7), (0, 7), (-1, None)]
)
def test_the_nearest_reminder_is_due(left: int, due: int | None) -> None:
    today = date(2026, 5, 4)
    assert domain.reminder_due(today + timedelta(days=left), Policy(), today) == due
    assert domain.reminder_due(None, Policy(), today) is None
