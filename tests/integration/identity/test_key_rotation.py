"""Keys changed under running services: nobody is signed out, nothing is restarted."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pyotp
import pytest

from alpr_identity import factor_rotation
from alpr_identity.confirming import Claim
from alpr_identity.sealing import Sealer, SecretUnreadable
from alpr_identity.sessions import sign_in
from alpr_local.processes import Services
from tests.integration.identity.conftest import PASSWORD, IdentityUnderTest
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]


@pytest.fixture
def keys_of_their_own(services: Services, tmp_path: Path) -> Services:
    """Copies of the token keys: the stack's sign for every module behind this one, and one that
    was replaced ends a quarter of an hour later."""
    secrets = services.stack.secrets
    for variable, file in (
        ("ALPR_IDENTITY_TOKEN_PRIVATE_KEY_FILE", secrets.token_private_key),
        ("ALPR_TOKEN_PUBLIC_KEY_FILE", secrets.token_public_key),
    ):
        services.environment[variable] = str(shutil.copy(file, tmp_path))
    return services


def command(
    services: Services, *arguments: str, said: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alpr_identity", *arguments],
        env=services.environment_for_tools(), input=said, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


async def test_a_new_token_key_signs_and_other_services_take_it_without_a_restart(
    keys_of_their_own: Services,
) -> None:
    services, untouched = keys_of_their_own, keys_of_the_stack(keys_of_their_own)
    made = command(
        services, "create-person", "--agency", "IL0222900", "--username", "cole", "--name", "Cole",
        "--role", "administrator", "--leads-until", "2099-01-01", "--alpr-until", "2099-01-01",
        "--password-stdin", said=PASSWORD,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    services.start_all("identity", "ingest", deadline_seconds=180)

    async with httpx.AsyncClient(timeout=30) as client:

        async def token() -> str:
            answer = await client.post(
                f"{services.url('identity')}/v1/sessions",
                json={"username": "cole", "password": PASSWORD},
            )
            return str(answer.json()["access_token"])

        async def keys() -> set[str]:
            said = (await client.get(f"{services.url('identity')}/v1/keys")).json()
            return {key["kid"] for key in said["keys"]}

        async def accepted(of: str) -> bool:
            answer = await client.get(
                f"{services.url('ingest')}/v1/cameras", headers={"Authorization": f"Bearer {of}"}
            )
            return answer.status_code == 200

        before = await token()
        assert await accepted(before)
        rotated = command(services, "rotate-key", "--after-seconds", "2")
        assert rotated.returncode == 0, rotated.stderr
        assert len(await keys()) == 2
        again = command(services, "rotate-key")
        if again.returncode:  # within the two seconds
            assert "waits to sign" in again.stderr

        old = jwt.get_unverified_header(before)["kid"]

        async def of_the_new_key() -> str | None:
            made = await token()
            return made if jwt.get_unverified_header(made)["kid"] != old else None

        after = await eventually(of_the_new_key, 60, what="a token of the new key")
        assert after is not None
        assert await accepted(after)
        assert await accepted(before)
        assert {old, jwt.get_unverified_header(after)["kid"]} <= await keys()
    assert keys_of_the_stack(services) == untouched


def keys_of_the_stack(services: Services) -> tuple[str, str]:
    secrets = services.stack.secrets
    return secrets.token_private_key.read_text(), secrets.token_public_key.read_text()


async def with_factor(identity: IdentityUnderTest) -> tuple[Any, str, list[str]]:
    person = await identity.person()
    headers = identity.bearer((await identity.sign_in(person.username)).json()["access_token"])
    begun = await identity.client.post(
        "/v1/me/second-factor", json={"password": PASSWORD}, headers=headers
    )
    secret = begun.json()["secret"]
    confirmed = await identity.client.post(
        "/v1/me/second-factor/confirm", json={"code": pyotp.TOTP(secret).now()}, headers=headers
    )
    return person, secret, confirmed.json()["recovery_codes"]


async def test_second_factors_sealed_anew_open_with_the_new_secret_alone(
    identity: IdentityUnderTest,
) -> None:
    person, secret, codes = await with_factor(identity)
    new = Sealer((b"n" * 32, *identity.identity.sealing.secrets))
    identity.with_sealer(new)
    done = await factor_rotation.reseal(identity.identity)
    assert done.secrets >= 1
    assert done.people_with_old_codes >= 1
    identity.with_sealer(Sealer(new.secrets[:1]))
    later = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 60, UTC)
    code = pyotp.TOTP(secret).at(later)
    signed_in = await sign_in(identity.identity, Claim(person.username, PASSWORD, code), later)
    assert not signed_in.must_enrol
    # Codes are hashes under the old secret: with the file as it should be they work still.
    identity.with_sealer(new)
    assert (await identity.sign_in(person.username, code=codes[0])).status_code == 200


async def test_what_opens_with_no_secret_of_the_file_is_left_as_it_is(
    identity: IdentityUnderTest,
) -> None:
    person, _, _ = await with_factor(identity)
    kept = await identity.sql(
        "SELECT sealed_secret FROM identity.second_factor WHERE person_id = $1", person.person_id
    )
    identity.with_sealer(Sealer((b"x" * 32,)))
    with pytest.raises(SecretUnreadable):
        await factor_rotation.reseal(identity.identity)
    assert kept == await identity.sql(
        "SELECT sealed_secret FROM identity.second_factor WHERE person_id = $1", person.person_id
    )
