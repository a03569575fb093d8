"""Tokens that verify and yet count no more."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.requests import Request

from alpr_common.auth import (
    Gate,
    NotSignedIn,
    Principal,
    Revocations,
    RevocationsUnknown,
    SecondFactorMissing,
    TokenIssuer,
    TokenRefused,
    TokenVerifier,
)
from alpr_common.messages.session import TokensRefused
from alpr_common.policy import Policy, Role

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ANN = Principal(
    "ann", "Ann Miller", "IL0222900", Role.OFFICER, "her-session", date.max, date.max,
    rights_version=2,
)  # fmt: skip
ISSUER = TokenIssuer(Ed25519PrivateKey.generate())
VERIFIER = TokenVerifier(ISSUER.private_key.public_key())


def notice(subject: str, below: int | None = None, at: datetime = NOON) -> TokensRefused:
    return TokensRefused(
        subject_id=subject, kind="person" if below else "session", agency_id="IL0222900",
        below_version=below, because="test", refused_at=at,
    )  # fmt: skip


def loaded(*notices: TokensRefused) -> Revocations:
    revocations = Revocations()
    for one in notices:
        revocations.take(one)
    revocations.is_loaded = True
    return revocations


def request(principal: Principal) -> Request:
    token = ISSUER.issue(principal, datetime.now(UTC))
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "headers": headers, "client": ("192.0.2.7", 5000)})


@pytest.mark.policy("131.7-3c")
async def test_a_token_of_an_ended_session_is_refused_although_it_verifies() -> None:
    gate = Gate(VERIFIER, Policy(), loaded(notice("her-session")))
    with pytest.raises(TokenRefused):
        await gate.access()(request(ANN))
    other = replace(ANN, session_id="another-session")
    assert (await gate.access()(request(other))).person_id == "ann"


@pytest.mark.policy("131.6-1", "131.6-2")
async def test_after_rights_were_narrowed_only_tokens_made_since_count() -> None:
    gate = Gate(VERIFIER, Policy(), loaded(notice("ann", below=3), notice("ann", below=2)))
    with pytest.raises(TokenRefused):
        await gate.access()(request(ANN))
    refreshed = replace(ANN, rights_version=3)
    assert (await gate.access()(request(refreshed))).rights_version == 3
    assert not gate.still_holds(ANN, NOON.date())
    assert gate.still_holds(refreshed, NOON.date())


async def test_nobody_is_let_in_before_it_is_known_which_tokens_were_withdrawn() -> None:
    with pytest.raises(RevocationsUnknown):
        await Gate(VERIFIER, Policy(), Revocations()).signed_in()(request(ANN))


def test_what_refuses_only_tokens_that_ran_out_is_forgotten() -> None:
    revocations = loaded(notice("old"), notice("new", at=NOON + timedelta(hours=2)))
    revocations.forget(NOON + timedelta(hours=1))
    revocations.refuse(replace(ANN, session_id="old"))
    with pytest.raises(TokenRefused):
        revocations.refuse(replace(ANN, session_id="new"))


@pytest.mark.policy("131.7-3c")
async def test_who_must_enrol_a_second_factor_can_do_nothing_else() -> None:
    gate = Gate(VERIFIER, Policy(), loaded())
    must = replace(ANN, must_enrol=True)
    assert (await gate.enrolling()(request(must))).must_enrol
    for closed in (gate.signed_in(), gate.access()):
        with pytest.raises(SecondFactorMissing):
            await closed(request(must))


async def test_a_withdrawn_token_is_answered_like_one_that_ran_out() -> None:
    assert issubclass(TokenRefused, NotSignedIn)
