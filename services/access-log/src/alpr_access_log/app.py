"""Composition root of access-log: the only reader of its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from alpr_access_log import api, consumers, domain, log_api
from alpr_access_log.handlers import Door
from alpr_access_log.log_key import LogKey
from alpr_access_log.log_reading import Log
from alpr_access_log.log_sequencer import Sequencer, WitnessLoop
from alpr_access_log.log_trust import Trust
from alpr_access_log.log_witness import witness_at
from alpr_access_log.settings import Settings
from alpr_common.auth import Gate, Revocations, TokenVerifier
from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_common.policy import Policy
from alpr_common.postgres import Database, migrate
from alpr_common.revocations import follow
from alpr_common.web import all_alive, create_web_app, running


def build(settings: Settings) -> FastAPI:
    """The service. Raises `TopicsOutliveRetention` rather than let a topic keep what the policy
    says is gone."""
    common = settings.common
    policy = Policy.load(common.policy_file)
    domain.refuse_topics_that_outlive_retention([policy])
    revocations = Revocations()
    gate = Gate(TokenVerifier.from_file(common.token_public_key_file), policy, revocations)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # First: without its key the log could promise nothing, so nothing starts.
        log_key = LogKey.from_file(settings.log_key_file, settings.log_name)
        trust = Trust(log_key, witness_at(settings.log_witness_url))
        await migrate(settings.migration_database_url, "alpr_access_log")
        database = await Database.connect(settings.database_url, settings.database_pool_size)
        publisher = Publisher(common.kafka_bootstrap_servers)
        reads = consumers.read_loop(
            database,
            publisher,
            policy,
            bootstrap_servers=common.kafka_bootstrap_servers,
            batch_size=settings.batch_size,
            clock=lambda: datetime.now(UTC),
        )
        audit = consumers.audit_loop(
            database, publisher, bootstrap_servers=common.kafka_bootstrap_servers
        )
        sequencer = Sequencer(database, trust)
        witness = WitnessLoop(
            database, trust, interval_seconds=settings.log_witness_interval_seconds
        )
        app.state.log = Log(database, log_key)
        app.state.door = Door(database, Pictures.at(common.object_store_url), policy)
        try:
            loops_run = (reads.run(), audit.run(), sequencer.run(), witness.run())
            following = follow(common.kafka_bootstrap_servers, revocations)
            async with running(*loops_run, following) as loops:
                app.state.checks |= {
                    "postgres": database.is_ready,
                    "reads": lambda: reads.is_ready,
                    "audit": lambda: audit.is_ready,
                    "revocations": lambda: revocations.is_loaded,
                    "loops": lambda: all_alive(loops),
                }
                yield
        finally:
            await publisher.stop()
            await database.close()

    app = create_web_app("access-log", "ALPR access log", lifespan=lifespan)
    app.state.gate = gate
    app.include_router(api.router(gate))
    app.include_router(log_api.router(gate))
    return app
