"""Composition root of identity: the only reader of its settings."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI

from alpr_common.auth import Gate, Revocations, TokenVerifier
from alpr_common.kafka import Publisher
from alpr_common.outbox import OutboxRelay
from alpr_common.policy import AgencyPolicies, Policy
from alpr_common.postgres import Database, migrate
from alpr_common.revocations import follow
from alpr_common.watched_file import WatchedFile
from alpr_common.web import all_alive, create_web_app, running
from alpr_identity import api, upkeep
from alpr_identity.identity import Identity, Signing
from alpr_identity.passwords import Passwords, banned_passwords
from alpr_identity.provider_config import ProvidersFile
from alpr_identity.providers import Providers
from alpr_identity.sealing import Sealer
from alpr_identity.settings import Settings
from alpr_identity.signing_keys import SigningKeys
from alpr_identity.webauthn import RelyingParty


class SecondFactorKeyMissing(Exception):
    """The policy asks for second factors and there is no key to seal them with."""


def build(settings: Settings) -> FastAPI:
    """The service. Raises `KeysDiffer` rather than sign tokens that nobody would accept, and
    `SecondFactorKeyMissing` rather than let in whom the policy wants to see a code of."""
    common = settings.common
    policy = Policy.load(common.policy_file)
    verifier = TokenVerifier.from_file(common.token_public_key_file)
    signing = SigningKeys(
        settings.token_private_key_file, verifier.keys, settings.access_token_seconds
    )
    if policy.second_factor_roles and settings.second_factor_key_file is None:
        raise SecondFactorKeyMissing(
            "The policy's second_factor_roles needs ALPR_IDENTITY_SECOND_FACTOR_KEY_FILE"
        )
    revocations = Revocations()
    gate = Gate(verifier, policy, revocations)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        publisher = Publisher(common.kafka_bootstrap_servers)
        async with opened(settings, policy, signing) as identity:
            app.state.identity = identity
            relay = OutboxRelay(identity.database, publisher)
            try:
                following = follow(common.kafka_bootstrap_servers, revocations)
                looking = upkeep.run(identity, settings.upkeep_seconds, lambda: datetime.now(UTC))
                async with running(relay.run(), following, looking) as loops:
                    app.state.checks |= {
                        "postgres": identity.database.is_ready,
                        "revocations": lambda: revocations.is_loaded,
                        "loops": lambda: all_alive(loops),
                    }
                    yield
            finally:
                await publisher.stop()

    app = create_web_app("identity", "ALPR identity", lifespan=lifespan)
    app.include_router(api.router(gate))
    return app


@asynccontextmanager
async def opened(settings: Settings, policy: Policy, signing: Signing) -> AsyncIterator[Identity]:
    """Everything that the use cases need, on a schema that is up to date."""
    key_file = settings.second_factor_key_file
    sealer = WatchedFile(key_file, Sealer.from_text) if key_file else None
    await migrate(settings.migration_database_url, "alpr_identity")
    console_url = settings.common.console_url
    database = await Database.connect(settings.database_url, settings.database_pool_size)
    try:
        async with httpx.AsyncClient() as client:
            yield Identity(
                database,
                Passwords(fips=settings.fips),
                banned_passwords(),
                signing,
                policy,
                settings.refusal_floor_seconds,
                sealer,
                RelyingParty.of_console(console_url, settings.passkey_rp_id),
                Providers.of_file(
                    ProvidersFile.load(settings.providers_file), console_url, client,
                    time.monotonic,
                ),
                AgencyPolicies.load(settings.common.policy_file, settings.common.policies_folder),
            )  # fmt: skip
    finally:
        await database.close()
