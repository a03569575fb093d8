"""Composition root of access-log: the only reader of its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from alpr_access_log import api, consumers, domain
from alpr_access_log.handlers import Door
from alpr_access_log.settings import Settings
from alpr_common.auth import Gate, TokenVerifier
from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_common.policy import Policy
from alpr_common.postgres import Database, migrate
from alpr_common.web import all_alive, create_web_app, running


def build(settings: Settings) -> FastAPI:
    """The service. Raises `TopicsOutliveRetention` rather than let a topic keep what the policy
    says is gone."""
    common = settings.common
    policy = Policy.load(common.policy_file)
    domain.refuse_topics_that_outlive_retention([policy])
    gate = Gate(TokenVerifier.from_file(common.token_public_key_file), policy)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
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
        app.state.door = Door(database, Pictures.at(common.object_store_url), policy)
        try:
            async with running(reads.run(), audit.run()) as loops:
                app.state.checks |= {
                    "postgres": database.is_ready,
                    "reads": lambda: reads.is_ready,
                    "audit": lambda: audit.is_ready,
                    "loops": lambda: all_alive(loops),
                }
                yield
        finally:
            await publisher.stop()
            await database.close()

    app = create_web_app("access-log", "ALPR access log", lifespan=lifespan)
    app.state.gate = gate
    app.include_router(api.router(gate))
    return app
