"""Signing in by an agency's own provider, over HTTP, and every lie that must not be believed."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from alpr_common.policy import Policy, Role
from alpr_identity import provider_sign_in
from alpr_identity.domain import Person
from alpr_identity.provider_config import ProviderConfig, ProvidersFile
from alpr_identity.providers import Providers
from alpr_identity.refusals import ProviderSignInRefused
from alpr_local.ports import choose_port
from tests.browser.support.serving import served
from tests.integration.identity.conftest import OTHERS, OURS, IdentityUnderTest
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, Key, OidcProvider

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]


class County:
    """Identity, and the county's provider beside it."""

    def __init__(
        self, identity: IdentityUnderTest, provider: OidcProvider, client: httpx.AsyncClient,
        secret: Path,
    ) -> None:  # fmt: skip
        self.identity, self.provider, self._client = identity, provider, client
        self._secret = secret
        self.seconds = 0.0
        self.configure()

    def configure(self, **more: Any) -> None:
        """Another providers' file; nothing is known of the provider yet."""
        config = ProviderConfig(
            provider_id="county", agency_id=OURS, label="County Police", issuer=self.provider.url,
            client_id=CLIENT_ID, client_secret_file=self._secret, **more,
        )  # fmt: skip
        providers = Providers.of_file(
            ProvidersFile(provider=(config,)), "https://console.example", self._client,
            lambda: self.seconds,
        )  # fmt: skip
        whole = replace(self.identity.identity, providers=providers)
        self.identity.app.state.identity = self.identity.identity = whole

    async def begin(self) -> dict[str, Any]:
        answer = await self.identity.client.post(
            "/v1/sessions/provider/begin", json={"provider_id": "county"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        said: dict[str, Any] = answer.json()
        return said

    async def finish(self, **brought: str) -> httpx.Response:
        return await self.identity.client.post("/v1/sessions/provider", json=brought)

    async def sign_in(self, username: str) -> httpx.Response:
        begun = await self.begin()
        return await self.finish(**self.provider.visit(begun["authorization_url"], username))

    async def causes(self, subject: str = "person:unknown") -> list[str]:
        """Why sign-ins about somebody were refused, oldest first."""
        return [
            a["details"]["cause"]
            for a in await self.identity.audits(subject)
            if (a["action"], a["outcome"], a["agency_id"]) == ("session.opened", "refused", OURS)
        ]

    async def refused(self, person: Person, cause: str) -> None:
        """That the provider's word about that person is not taken, and why."""
        answer = await self.sign_in(person.username)
        assert answer.status_code == 401, answer.text
        assert answer.json()["type"] == "urn:alpr:problem:provider-sign-in-refused"
        told = await self.causes() + await self.causes(f"person:{person.person_id}")
        assert any(cause in one for one in told[-2:]), told[-2:]


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    port = choose_port()
    provider = OidcProvider(f"http://127.0.0.1:{port}")
    with served(provider.app, port):
        yield provider


@pytest.fixture
async def county(
    identity: IdentityUnderTest, running: OidcProvider, tmp_path: Path
) -> AsyncIterator[County]:
    running.forget()
    secret = tmp_path / "client.secret"
    secret.write_text(f"{CLIENT_SECRET}\n")
    async with httpx.AsyncClient() as client:
        yield County(identity, running, client, secret)


async def test_the_provider_says_who_somebody_is_and_role_and_training_are_ours(
    county: County,
) -> None:
    person = await county.identity.person(role=Role.SUPERVISOR)
    answer = await county.sign_in(person.username.upper())
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    principal = county.identity.principal(answer.json()["access_token"])
    assert (principal.person_id, principal.agency_id) == (str(person.person_id), OURS)
    assert (principal.role, principal.leads_training_until) == (
        Role.SUPERVISOR,
        person.leads_until,
    )
    audits = await county.identity.audits(f"person:{person.person_id}")
    assert [a["action"] for a in audits[-2:]] == ["person.provider_linked", "session.opened"]
    assert audits[-1]["details"] == {"method": "provider", "second_factor": "none"}
    assert audits[-1]["address"] == "192.0.2.7"


async def test_the_browser_is_sent_with_pkce_nonce_state_and_to_sign_in_anew(
    county: County,
) -> None:
    address = (await county.begin())["authorization_url"]
    asked = httpx.URL(address).params
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert asked["redirect_uri"] == "https://console.example/sign-in/provider/back"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert "code_verifier" not in asked


async def test_after_the_first_time_the_subject_says_who_it_is(county: County) -> None:
    person, other = [await county.identity.person() for _ in range(2)]
    county.provider.subjects = {person.username: "s-1", other.username: "s-1"}
    assert (await county.sign_in(person.username)).status_code == 200
    # The account was given another name there, even somebody else's here.
    again = await county.sign_in(other.username)
    assert again.json()["person"]["person_id"] == str(person.person_id)


async def test_an_account_name_given_to_somebody_else_does_not_take_over(county: County) -> None:
    person = await county.identity.person()
    assert (await county.sign_in(person.username)).status_code == 200
    county.provider.subjects = {person.username: "the-next-bearer-of-the-name"}
    await county.refused(person, "linked to another subject")
    administrator = await county.identity.administrator()
    url = f"/v1/people/{person.person_id}/provider-link"
    stranger = await county.identity.administrator(OTHERS)
    client = county.identity.client
    assert (await client.delete(url, headers=stranger)).status_code == 404
    assert (await client.delete(url, headers=administrator)).status_code == 204
    assert (await county.sign_in(person.username)).status_code == 200


async def test_nobody_is_made_up_and_another_agencys_people_are_not_let_in(
    county: County,
) -> None:
    answer = await county.sign_in("nobody.here")
    assert answer.status_code == 401
    assert (await county.causes())[-1] == "unknown person"
    await county.refused(await county.identity.person(agency=OTHERS), "unknown person")
    await county.refused(await county.identity.person(role=Role.SERVICE), "a service account")
    (count,) = await county.identity.sql(
        "SELECT count(*) AS n FROM identity.person WHERE username = 'nobody.here'"
    )
    assert count["n"] == 0


async def test_a_look_alike_of_an_account_name_is_nobody_here(county: County) -> None:
    person = await county.identity.person()
    # Full-width letters, which a provider takes for another account's, and spaces around it.
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in person.username)
    for claimed in (wide, f" {person.username}", f"{person.username}\u00a0"):
        county.provider.subjects = {claimed: "an-attacker"}
        assert (await county.sign_in(claimed)).status_code == 401, claimed
        assert (await county.causes())[-1] == "no user name"
    assert (await county.sign_in(person.username)).status_code == 200


async def test_who_became_a_service_account_is_not_let_in_by_an_old_link(county: County) -> None:
    person = await county.identity.person()
    assert (await county.sign_in(person.username)).status_code == 200
    administrator = await county.identity.administrator()
    changed = await county.identity.client.patch(
        f"/v1/people/{person.person_id}", json={"role": "service"}, headers=administrator
    )
    assert changed.status_code == 200
    await county.refused(person, "a service account")


@pytest.mark.parametrize(
    ("column", "cause"), [("locked_at = now()", "locked"), ("active = false", "not active")]
)
async def test_who_is_locked_or_not_active_stays_out(
    county: County, column: str, cause: str
) -> None:
    person = await county.identity.person()
    await county.identity.sql(
        f"UPDATE identity.person SET {column} WHERE person_id = $1", person.person_id
    )
    await county.refused(person, cause)


DAY = 86_400  # far longer than a run, which begins with these times


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"nonce": "of another attempt"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another-client"}, "InvalidAudience"),
        ({"aud": ["another-client", "x"]}, "InvalidAudience"),
        ({"aud": [CLIENT_ID, "another-client"]}, "azp"),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "azp"),
        ({"azp": "another-client"}, "azp"),
        ({"iss": "https://another.example"}, "InvalidIssuer"),
        ({"exp": int(time.time()) - DAY}, "Expired"),
        ({"exp": None}, "MissingRequiredClaim"),
        ({"iat": int(time.time()) + DAY}, "Immature"),
        ({"nbf": int(time.time()) + DAY}, "Immature"),
        ({"auth_time": int(time.time()) - DAY}, "too long ago"),
        ({"auth_time": None}, "auth_time"),
        ({"sub": ""}, "subject"),
        ({"preferred_username": None}, "no claim"),
        ({"preferred_username": "***"}, "no user name"),
    ],
)
async def test_a_token_that_says_something_wrong_is_not_believed(
    county: County, claims: dict[str, Any], cause: str
) -> None:
    county.provider.claims = claims
    await county.refused(await county.identity.person(), cause)


async def test_clocks_may_differ_by_a_minute(county: County) -> None:
    person = await county.identity.person()
    ahead = int(time.time()) + 30
    county.provider.claims = {"iat": ahead, "exp": ahead + 60, "auth_time": ahead}
    assert (await county.sign_in(person.username)).status_code == 200
    behind = int(time.time()) - 30
    county.provider.claims = {"exp": behind, "auth_time": behind}
    assert (await county.sign_in(person.username)).status_code == 200


async def test_a_token_without_a_signature_of_the_provider_is_not_believed(
    county: County,
) -> None:
    person, provider = await county.identity.person(), county.provider
    named = {"kid": provider.key.name}

    def unsigned(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, "", "none", headers=named)

    def by_public_key(claims: dict[str, Any]) -> str:
        # By hand: the library refuses to make what an attacker would.
        import base64
        import hashlib
        import hmac

        def part(content: bytes) -> bytes:
            return base64.urlsafe_b64encode(content).rstrip(b"=")

        head = json.dumps({"alg": "HS256", "typ": "JWT", **named}).encode()
        signing = part(head) + b"." + part(json.dumps(claims).encode())
        mac = hmac.digest(provider.key.public_pem(), signing, hashlib.sha256)
        return (signing + b"." + part(mac)).decode()

    def by_another_key(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, Key("x").private, "RS256", headers=named)

    def of_another_kind(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, generate_private_key(SECP256R1()), "ES256", headers=named)

    def tampered(claims: dict[str, Any]) -> str:
        head, _, signature = provider.signed(claims).split(".")
        body = provider.signed(claims | {"sub": "somebody else"}).split(".")[1]
        return f"{head}.{body}.{signature}"

    for make in (unsigned, by_public_key, by_another_key, of_another_kind, tampered):
        provider.sign = make
        await county.refused(person, "token: ")
    provider.sign = lambda claims: "no.token.atall"
    await county.refused(person, "token: ")


async def test_a_provider_that_changes_its_key_is_followed_at_once_and_not_too_often(
    county: County,
) -> None:
    person, provider = await county.identity.person(), county.provider
    assert (await county.sign_in(person.username)).status_code == 200
    assert (await county.sign_in(person.username)).status_code == 200
    assert provider.key_sets_given == 1
    old = provider.key
    provider.rotate("second")
    county.seconds += 11
    assert (await county.sign_in(person.username)).status_code == 200
    assert provider.key_sets_given == 2
    # The key that was withdrawn counts no more.
    provider.sign = lambda claims: jwt.encode(
        claims, old.private, "RS256", headers={"kid": old.name}
    )
    for _ in range(3):
        await county.refused(person, "does not publish")
    assert provider.key_sets_given == 2


async def test_a_code_and_a_state_work_once(county: County) -> None:
    person = await county.identity.person()
    begun = await county.begin()
    brought = county.provider.visit(begun["authorization_url"], person.username)
    assert brought["state"] == begun["state"]
    both = await asyncio.gather(county.finish(**brought), county.finish(**brought))
    assert sorted(one.status_code for one in both) == [200, 401]
    # The same code under a state of its own: the provider refuses it, and we say so.
    fresh = await county.begin()
    replayed = await county.finish(code=brought["code"], state=fresh["state"])
    assert replayed.status_code == 401
    assert "invalid_grant" in (await county.causes())[-1]


async def test_a_state_that_was_never_given_or_is_too_old_is_refused(county: County) -> None:
    person = await county.identity.person()
    assert (await county.finish(state="made up", code="x")).status_code == 401
    now = datetime.now(UTC)
    old = await provider_sign_in.begin(
        county.identity.identity, "county", now - timedelta(minutes=11)
    )
    brought = county.provider.visit(old.authorization_url, person.username)
    with pytest.raises(ProviderSignInRefused, match="too long"):
        await provider_sign_in.finish(
            county.identity.identity, provider_sign_in.Answer(brought["state"], brought["code"]),
            now,
        )  # fmt: skip


async def test_a_code_of_another_browsers_attempt_is_of_no_use(county: County) -> None:
    person = await county.identity.person()
    theirs, ours = await county.begin(), await county.begin()
    stolen = county.provider.visit(theirs["authorization_url"], person.username)["code"]
    assert (await county.finish(code=stolen, state=ours["state"])).status_code == 401


async def test_an_answer_of_another_issuer_is_refused(county: County) -> None:
    person = await county.identity.person()
    begun = await county.begin()
    brought = county.provider.visit(begun["authorization_url"], person.username)
    mixed_up = await county.finish(**brought, iss="https://another.example")
    assert mixed_up.status_code == 401
    assert "another issuer" in (await county.causes())[-1]


async def test_who_goes_back_or_is_refused_there_is_told_so(county: County) -> None:
    begun = await county.begin()
    answer = await county.finish(state=begun["state"], error="access_denied")
    assert answer.status_code == 401
    assert "access_denied" in (await county.causes())[-1]


async def test_a_provider_that_is_away_is_said_to_be_and_passwords_still_work(
    county: County,
) -> None:
    person = await county.identity.person()
    begun = await county.begin()
    county.provider.is_down = True
    brought = county.provider.visit(begun["authorization_url"], person.username)
    away = await county.finish(**brought)
    assert (away.status_code, away.json()["type"]) == (503, "urn:alpr:problem:provider-away")
    assert (await county.causes())[-1] == "provider away"
    county.configure()
    begin = await county.identity.client.post(
        "/v1/sessions/provider/begin", json={"provider_id": "county"}
    )
    assert begin.status_code == 503
    assert (await county.identity.sign_in(person.username)).status_code == 200


async def test_an_agency_can_leave_passwords_to_its_administrators(county: County) -> None:
    county.configure(password_roles={Role.ADMINISTRATOR})
    officer = await county.identity.person()
    administrator = await county.identity.person(role=Role.ADMINISTRATOR)
    service = await county.identity.person(role=Role.SERVICE)
    elsewhere = await county.identity.person(agency=OTHERS)
    for _ in range(6):
        assert (await county.identity.sign_in(officer.username)).status_code == 401
    told = await county.causes(f"person:{officer.person_id}")
    assert set(told) == {"no passwords for this role"}
    for person in (administrator, service, elsewhere):
        assert (await county.identity.sign_in(person.username)).status_code == 200
    # Trying in vain locked nobody out.
    assert (await county.sign_in(officer.username)).status_code == 200


@pytest.mark.parametrize(
    ("shown", "lets_in"),
    [
        ({"amr": ["pwd", "mfa"]}, True),
        ({"acr": "aal2"}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": "mfa"}, False),
        ({"acr": "aal1"}, False),
        ({}, False),
    ],
)
async def test_the_providers_second_factor_counts_where_it_is_shown(
    county: County, shown: dict[str, Any], lets_in: bool
) -> None:
    county.identity.with_policy(Policy(second_factor_roles=frozenset({Role.OFFICER})))
    county.configure(acr=("aal2",), amr=("mfa", "hwk"))
    county.provider.claims = shown
    person = await county.identity.person()
    if not lets_in:
        await county.refused(person, "provider showed no second factor")
        return
    answer = await county.sign_in(person.username)
    assert (answer.status_code, answer.json()["must_enrol"]) == (200, False)
    renewed = await county.identity.refresh(answer.json()["refresh_token"])
    assert (renewed.status_code, renewed.json()["must_enrol"]) == (200, False)


async def test_one_factor_of_the_provider_is_not_enough_where_two_are_asked_for(
    county: County,
) -> None:
    county.identity.with_policy(Policy(second_factor_roles=frozenset({Role.OFFICER})))
    person = await county.identity.person()
    await county.refused(person, "second factor needed")


async def test_the_claim_can_be_an_address_of_certain_domains(county: County) -> None:
    county.configure(person_claim="email", domains=("Police.Example",), strip_domain=True)
    person = await county.identity.person()
    assert (await county.sign_in(person.username)).status_code == 200
    other = await county.identity.person()
    county.provider.claims = {"email_verified": False}
    await county.refused(other, "not verified")
    county.provider.claims = {"email": f"{other.username}@elsewhere.example"}
    await county.refused(other, "another domain")


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://203.0.113.5/token"},
        {"jwks_uri": None},
    ],
)
async def test_a_discovery_document_that_is_not_the_issuers_is_not_followed(
    county: County, discovery: dict[str, Any]
) -> None:
    county.provider.discovery = discovery
    answer = await county.identity.client.post(
        "/v1/sessions/provider/begin", json={"provider_id": "county"}
    )
    assert answer.status_code == 503


async def test_sessions_by_the_provider_end_as_any(county: County) -> None:
    person = await county.identity.person()
    said = (await county.sign_in(person.username)).json()
    await county.identity.client.patch(
        f"/v1/people/{person.person_id}", json={"active": False},
        headers=await county.identity.administrator(),
    )  # fmt: skip
    assert (await county.identity.refresh(said["refresh_token"])).status_code == 401


async def test_a_sign_in_page_learns_what_it_can_offer(county: County) -> None:
    ways = (await county.identity.client.get("/v1/sign-in-ways")).json()
    assert ways == {
        "passkeys": False,
        "providers": [{"provider_id": "county", "label": "County Police"}],
    }
    unknown = await county.identity.client.post(
        "/v1/sessions/provider/begin", json={"provider_id": "nowhere"}
    )
    assert unknown.status_code == 404
