"""Composition root: pool, object store, consumer, outbox relay, escalation, streams, routes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Never

import structlog
from fastapi import FastAPI

from alpr_alerts.api import routes
from alpr_alerts.consumers import hits_loop
from alpr_alerts.dependencies import Dependencies
from alpr_alerts.escalation import escalate_due, measure_open
from alpr_alerts.retention import api as retention_api
from alpr_alerts.retention.handlers import enforce
from alpr_alerts.settings import Settings
from alpr_alerts.stream import Wakeups
from alpr_common.auth import Gate, Revocations, TokenVerifier
from alpr_common.errors import Outage
from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_common.outbox import OutboxRelay
from alpr_common.policy import AgencyPolicies, Policies
from alpr_common.postgres import Database, migrate
from alpr_common.revocations import follow
from alpr_common.web import all_alive, create_web_app, running

log = structlog.get_logger()

Clock = Callable[[], datetime]

_RETRY_SECONDS = 0.5
# Never closer together than this, whatever the table says; and after clocks were set, not never.
_ESCALATION_LEAST_SECONDS = 0.2
_ESCALATION_MOST_SECONDS = 30.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def build(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    """The service. Raises `OSError` when the token key or policy file cannot be read."""
    policies = AgencyPolicies.load(settings.common.policy_file, settings.common.policies_folder)
    revocations = Revocations()
    verifier = TokenVerifier.from_file(settings.common.token_public_key_file)
    gate = Gate(verifier, policies.default, revocations)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = await _database(settings)
        publisher = Publisher(settings.common.kafka_bootstrap_servers)
        wakeups = Wakeups(database, settings.streams_max, settings.stream_check_seconds)
        app.state.dependencies = Dependencies(
            database=database,
            pictures=Pictures.at(settings.common.object_store_url),
            policies=policies,
            wakeups=wakeups,
            clock=clock,
            stream_heartbeat_seconds=settings.stream_heartbeat_seconds,
            stream_send_timeout_seconds=settings.stream_send_timeout_seconds,
        )
        hits = hits_loop(
            settings.common.kafka_bootstrap_servers, publisher, database, policies, clock,
            settings.batch_size,
        )  # fmt: skip
        loops = (
            hits.run(),
            OutboxRelay(database, publisher).run(),
            wakeups.run(),
            _escalate(database, policies, clock),
            _enforce_retention(database, policies, clock, settings.retention_interval_seconds),
            _measure(database, clock, settings.measure_seconds),
            follow(settings.common.kafka_bootstrap_servers, revocations),
        )
        try:
            async with running(*loops) as tasks:
                app.state.checks |= {
                    "postgres": database.is_ready,
                    "hits": lambda: hits.is_ready,
                    "streams": lambda: wakeups.is_listening,
                    "revocations": lambda: revocations.is_loaded,
                    "loops": lambda: all_alive(tasks),
                }
                yield
        finally:
            await publisher.stop()
            await database.close()

    app = create_web_app("alerts", "ALPR alerts", lifespan=lifespan)
    app.include_router(retention_api.routes(gate))
    app.include_router(routes(gate))
    return app


async def _database(settings: Settings) -> Database:
    """Bring the schema forward and open the pool, waiting for PostgreSQL as long as it takes."""
    while True:
        try:
            await migrate(settings.migration_database_url, "alpr_alerts")
            return await Database.connect(settings.database_url, settings.database_pool_size)
        except Outage as error:
            log.warning("postgres.away", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)


async def _escalate(database: Database, policies: Policies, clock: Clock) -> Never:
    """Sleeps until the next alert may be due: a younger one cannot be due before it."""
    while True:
        try:
            wait = (await escalate_due(database, policies, clock())).total_seconds()
        except Outage as error:
            log.warning("escalation.outage", error=str(error))
            wait = _RETRY_SECONDS
        await asyncio.sleep(min(max(wait, _ESCALATION_LEAST_SECONDS), _ESCALATION_MOST_SECONDS))


async def _enforce_retention(
    database: Database, policies: Policies, clock: Clock, every_seconds: float
) -> Never:
    while True:
        try:
            await enforce(database, policies, clock())
        except Outage as error:
            log.warning("retention.not_enforced", error=str(error))
        await asyncio.sleep(every_seconds)


async def _measure(database: Database, clock: Clock, every_seconds: float) -> Never:
    while True:
        try:
            await measure_open(database, clock())
        except Outage as error:
            log.warning("measure.outage", error=str(error))
        await asyncio.sleep(every_seconds)
