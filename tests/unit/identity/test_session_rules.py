"""Usernames, refresh tokens, and when a session is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from alpr_common.policy import Policy
from alpr_identity import domain
from alpr_identity.domain import Session
from alpr_identity.refusals import SessionEnded, UsernameMalformed

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SESSION = Session(uuid4(), "IL0222900", uuid4(), NOON, NOON, None)
POLICY = Policy()


def test_a_username_is_folded() -> None:
    assert domain.folded_username("  A.Miller ") == "a.miller"
    assert domain.folded_username("\N{FULLWIDTH LATIN SMALL LETTER A}b") == "ab"


@pytest.mark.parametrize("text", ["", "a", ".abc", "a b", "ä" * 5, "a" * 65, "a/b"])
def test_text_that_cannot_be_a_username_is_refused(text: str) -> None:
    with pytest.raises(UsernameMalformed):
        domain.folded_username(text)


def test_a_refresh_token_names_its_agency_and_session() -> None:
    token = domain.new_refresh_token("IL0222900", SESSION.session_id)
    assert domain.token_place(token) == ("IL0222900", SESSION.session_id)
    assert token != domain.new_refresh_token("IL0222900", SESSION.session_id)


@pytest.mark.parametrize("token", ["", "x", "alpr-refresh.a.b.c", "other.SUw.00.c", "ä.b.c.d"])
def test_a_made_up_refresh_token_ends_like_a_session(token: str) -> None:
    with pytest.raises(SessionEnded):
        domain.token_place(token)


def test_a_session_in_use_goes_on() -> None:
    assert domain.why_over(SESSION, POLICY, NOON + timedelta(minutes=59)) is None


@pytest.mark.policy("131.7-3c")
def test_a_session_ends_after_an_idle_hour() -> None:
    assert domain.why_over(SESSION, POLICY, NOON + timedelta(hours=1, seconds=1)) == "idle"


@pytest.mark.policy("131.7-3c")
def test_a_session_ends_after_twelve_hours_however_busy() -> None:
    busy = replace(SESSION, refreshed_at=NOON + timedelta(hours=11, minutes=59))
    assert domain.why_over(busy, POLICY, NOON + timedelta(hours=12)) == "reauthentication_due"


def test_a_session_that_ended_stays_ended() -> None:
    ended = replace(SESSION, ended_because="signed_out")
    assert domain.why_over(ended, POLICY, NOON) == "signed_out"
