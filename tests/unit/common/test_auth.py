"""The one gate: tokens of identity alone, a role that may, and both trainings current today."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fastapi import APIRouter, Depends, FastAPI

from alpr_common.auth import (
    AUDIENCE,
    ISSUER,
    AlprTrainingLapsed,
    Gate,
    LeadsTrainingLapsed,
    NotSignedIn,
    Principal,
    RoleNotAllowed,
    TokenIssuer,
    TokenVerifier,
    check_access,
    public,
    ungated_routes,
)
from alpr_common.policy import Policy, Role
from alpr_common.web import create_web_app

KEY = Ed25519PrivateKey.generate()
ISSUES = TokenIssuer(KEY, lifetime_seconds=60)
VERIFIES = TokenVerifier(KEY.public_key())
TODAY = date(2026, 5, 4)
OFFICER = Principal(
    person_id="p-1",
    name="Officer Lopez",
    agency_id="IL0222900",
    role=Role.OFFICER,
    session_id="s-1",
    leads_training_until=TODAY,
    alpr_training_until=TODAY,
)


def now() -> datetime:
    return datetime.now(UTC)


def claims(**changed: Any) -> dict[str, Any]:
    whole = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "p-1", "sid": "s-1", "iat": now(),
        "exp": now() + timedelta(seconds=60), "agency": "IL0222900", "role": "officer",
    } | changed  # fmt: skip
    return {name: value for name, value in whole.items() if value is not None}


def signed(**changed: Any) -> str:
    return jwt.encode(claims(**changed), KEY, algorithm="EdDSA")


def test_a_token_says_who_where_what_and_until_when() -> None:
    issued_at = now()
    token = ISSUES.issue(OFFICER, issued_at)
    found = VERIFIES.verify(token, address="10.0.0.7")
    assert found.expires_at is not None
    assert abs((found.expires_at - issued_at).total_seconds() - 60) <= 1
    assert replace(found, expires_at=None) == replace(OFFICER, address="10.0.0.7", token=token)
    assert token not in repr(found)


def test_two_tokens_of_the_same_second_are_not_the_same() -> None:
    issued_at = now()
    assert ISSUES.issue(OFFICER, issued_at) != ISSUES.issue(OFFICER, issued_at)


def test_a_token_without_training_dates_says_that_there_is_none() -> None:
    untrained = replace(OFFICER, leads_training_until=None, alpr_training_until=None)
    found = VERIFIES.verify(ISSUES.issue(untrained, now()))
    assert found.leads_training_until is None
    assert found.alpr_training_until is None


def test_a_token_carries_a_rank_where_there_is_one_and_one_from_before_ranks_has_none() -> None:
    ranked = replace(OFFICER, role=Role.SUPERVISOR, rank="sergeant")
    assert VERIFIES.verify(ISSUES.issue(ranked, now())).rank == "sergeant"
    token = ISSUES.issue(OFFICER, now())
    assert "rank" not in jwt.decode(token, options={"verify_signature": False})
    assert VERIFIES.verify(token).rank is None
    assert VERIFIES.verify(signed(rank="")).rank is None


def test_an_expired_token_is_refused_and_says_so() -> None:
    token = ISSUES.issue(OFFICER, now() - timedelta(seconds=61))
    with pytest.raises(NotSignedIn, match="expired"):
        VERIFIES.verify(token)


def test_a_token_of_another_key_is_refused() -> None:
    stranger = TokenIssuer(Ed25519PrivateKey.generate())
    with pytest.raises(NotSignedIn, match="not one of this system's"):
        VERIFIES.verify(stranger.issue(OFFICER, now()))


def test_a_token_that_names_its_own_algorithm_is_refused() -> None:
    raw_public = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    unsigned = jwt.encode(claims(), "", algorithm="none")
    with_public_key_as_secret = jwt.encode(claims(), raw_public, algorithm="HS256")
    other_curve = jwt.encode(claims(), generate_private_key(SECP256R1()), algorithm="ES256")
    for token in (unsigned, with_public_key_as_secret, other_curve):
        with pytest.raises(NotSignedIn):
            VERIFIES.verify(token)


@pytest.mark.parametrize("missing", ["exp", "iat", "sub", "sid", "agency", "role", "iss", "aud"])
def test_a_token_that_lacks_a_claim_is_refused(missing: str) -> None:
    with pytest.raises(NotSignedIn):
        VERIFIES.verify(signed(**{missing: None}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "another system"},
        {"role": "emperor"},
        {"leads_until": "soon"},
        {"alpr_until": 20260504},
        {"iat": datetime(2999, 1, 1, tzinfo=UTC)},
        {"exp": 10**18},
        {"rank": ["command"]},
    ],
)
def test_a_token_with_a_claim_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        VERIFIES.verify(signed(**wrong))


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "é.é.é", "\x00"])
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(NotSignedIn):
        VERIFIES.verify(text)


def test_a_changed_token_is_refused() -> None:
    head, body, signature = ISSUES.issue(OFFICER, now()).split(".")
    other_body = ISSUES.issue(replace(OFFICER, role=Role.ADMINISTRATOR), now()).split(".")[1]
    for token in (f"{head}.{other_body}.{signature}", f"{head}.{body}."):
        with pytest.raises(NotSignedIn):
            VERIFIES.verify(token)


@pytest.mark.policy("131.6-1")
def test_leads_training_counts_through_its_last_day() -> None:
    policy = Policy()
    check_access(OFFICER, policy, TODAY)
    for until in (TODAY - timedelta(days=1), None):
        with pytest.raises(LeadsTrainingLapsed) as refused:
            check_access(replace(OFFICER, leads_training_until=until), policy, TODAY)
        assert refused.value.clause == "131.6-1"


@pytest.mark.policy("131.6-2")
def test_alpr_training_counts_through_its_last_day() -> None:
    policy = Policy()
    for until in (TODAY - timedelta(days=1), None):
        with pytest.raises(AlprTrainingLapsed) as refused:
            check_access(replace(OFFICER, alpr_training_until=until), policy, TODAY)
        assert refused.value.clause == "131.6-2"


@pytest.mark.policy("131.6-2")
def test_only_roles_that_the_policy_names_have_access_however_trained() -> None:
    policy = Policy()
    for role in Role:
        person = replace(OFFICER, role=role)
        if role in policy.access_roles:
            check_access(person, policy, TODAY)
        else:
            with pytest.raises(RoleNotAllowed, match=role.value):
                check_access(person, policy, TODAY)


@pytest.mark.policy("131.6-2")
def test_a_route_can_narrow_the_roles_but_never_widen_them() -> None:
    supervisors = frozenset({Role.SUPERVISOR})
    with pytest.raises(RoleNotAllowed, match="supervisor"):
        check_access(OFFICER, Policy(), TODAY, supervisors)
    check_access(replace(OFFICER, role=Role.SUPERVISOR), Policy(), TODAY, supervisors)
    auditor = replace(OFFICER, role=Role.AUDITOR)
    with pytest.raises(RoleNotAllowed):
        check_access(auditor, Policy(), TODAY, frozenset({Role.AUDITOR}))


def app_with_gates() -> FastAPI:
    gate = Gate(VERIFIES, Policy())
    app = create_web_app("gates", "Gates")

    @app.get("/account")
    async def account(
        principal: Annotated[Principal, Depends(gate.signed_in())],
    ) -> dict[str, str | None]:
        return {"name": principal.name, "address": principal.address}

    @app.get("/administration")
    async def administration(
        principal: Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR))],
    ) -> str:
        return principal.name

    @app.get("/data")
    async def data(principal: Annotated[Principal, Depends(gate.access())]) -> str:
        return principal.name

    return app


@pytest.fixture
async def client() -> Any:
    transport = httpx.ASGITransport(app_with_gates(), client=("10.0.0.7", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


def bearer(person: Principal) -> dict[str, str]:
    return {"Authorization": f"Bearer {ISSUES.issue(person, now())}"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Camera abc"])
async def test_without_a_bearer_token_every_gate_is_closed(
    client: httpx.AsyncClient, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/account", "/administration", "/data"):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "urn:alpr:problem:not-signed-in"


async def test_signed_in_needs_no_training_but_the_role_where_one_is_named(
    client: httpx.AsyncClient,
) -> None:
    untrained = bearer(replace(OFFICER, leads_training_until=None, alpr_training_until=None))
    account = await client.get("/account", headers=untrained)
    assert account.json() == {"name": "Officer Lopez", "address": "10.0.0.7"}
    refused = await client.get("/administration", headers=untrained)
    assert (refused.status_code, refused.json()["clause"]) == (403, "131.6-2")
    administrator = bearer(replace(OFFICER, role=Role.ADMINISTRATOR))
    assert (await client.get("/administration", headers=administrator)).status_code == 200


@pytest.mark.policy("131.6-1", "131.6-2")
async def test_data_is_checked_at_every_request_not_once(client: httpx.AsyncClient) -> None:
    tomorrow = (now() + timedelta(days=1)).date()
    yesterday = (now() - timedelta(days=1)).date()
    trained = replace(OFFICER, leads_training_until=tomorrow, alpr_training_until=tomorrow)
    assert (await client.get("/data", headers=bearer(trained))).status_code == 200
    for lapsed, clause in (
        (replace(trained, leads_training_until=yesterday), "131.6-1"),
        (replace(trained, alpr_training_until=yesterday), "131.6-2"),
        (replace(trained, role=Role.SERVICE), "131.6-2"),
    ):
        answer = await client.get("/data", headers=bearer(lapsed))
        assert (answer.status_code, answer.json()["clause"]) == (403, clause)


def test_a_route_that_declares_no_gate_is_found_wherever_it_hides() -> None:
    app = app_with_gates()
    assert ungated_routes(app) == []
    gate = Gate(VERIFIES, Policy())
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")
    whole = APIRouter(prefix="/whole", dependencies=[Depends(gate.access())])

    @inner.get("/forgotten")
    async def forgotten() -> None: ...

    @inner.get("/open", dependencies=[Depends(public)])
    async def meant_to_be_open() -> None: ...

    @whole.get("/covered")
    async def covered() -> None: ...

    outer.include_router(inner)
    app.include_router(outer)
    app.include_router(whole)
    assert ungated_routes(app) == ["/outer/inner/forgotten"]


def test_keys_come_from_pem_files_and_of_the_right_kind_alone(tmp_path: Path) -> None:
    private, verifying = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    verifying.write_bytes(
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    token = TokenIssuer.from_file(private, 60).issue(OFFICER, now())
    assert TokenVerifier.from_file(verifying).verify(token).person_id == "p-1"

    other = generate_private_key(SECP256R1())
    private.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    verifying.write_bytes(
        other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ValueError, match="Ed25519"):
        TokenIssuer.from_file(private)
    with pytest.raises(ValueError, match="Ed25519"):
        TokenVerifier.from_file(verifying)
