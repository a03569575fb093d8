"""Composition root of access-log: the only reader of its settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from alpr_access_log import api, consumers, domain
from alpr_access_log.approvals import api as approvals_api
from alpr_access_log.audit import api as audit_api
from alpr_access_log.audit.daily import DailyLoop
from alpr_access_log.audit.handlers.auditing import Audit
from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.preparing import Preparing
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.witnessed import copies_at, shown_address
from alpr_access_log.convoys import api as convoys_api
from alpr_access_log.evidence import api as evidence_api
from alpr_access_log.evidence.alerts import Alerts
from alpr_access_log.evidence.gathering import Evidence
from alpr_access_log.handlers import Door
from alpr_access_log.holds import api as holds_api
from alpr_access_log.holds import consumers as holds_consumers
from alpr_access_log.holds.handlers import Holds
from alpr_access_log.log import api as log_api
from alpr_access_log.log.key import LogKey, LogKeys
from alpr_access_log.log.reading import Log
from alpr_access_log.log.sequencer import Sequencer, WitnessLoop
from alpr_access_log.log.trust import Trust
from alpr_access_log.log.witness import witness_at
from alpr_access_log.retention.handlers import RetentionLoop
from alpr_access_log.retro import api as retro
from alpr_access_log.settings import Settings
from alpr_common.auth import Gate, Revocations, TokenVerifier
from alpr_common.kafka import Publisher
from alpr_common.objects import Pictures
from alpr_common.policy import AgencyPolicies
from alpr_common.postgres import Database, migrate
from alpr_common.revocations import follow
from alpr_common.web import all_alive, create_web_app, running


def build(settings: Settings) -> FastAPI:
    """The service. Raises `TopicsOutliveRetention` rather than let a topic keep what the policy
    says is gone."""
    common = settings.common
    policies = AgencyPolicies.load(common.policy_file, common.policies_folder)
    domain.refuse_topics_that_outlive_retention(policies.all)
    revocations = Revocations()
    gate = Gate(
        TokenVerifier.from_file(common.token_public_key_file), policies.default, revocations
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # First: without its key the log could promise nothing, so nothing starts.
        log_keys = LogKeys.from_file(settings.log_key_file, settings.log_name)
        seal_key = LogKey.from_file(settings.evidence_key_file, settings.evidence_name)
        trust = Trust(log_keys, witness_at(settings.log_witness_url))
        await migrate(settings.migration_database_url, "alpr_access_log")
        database = await Database.connect(settings.database_url, settings.database_pool_size)
        # Connections of its own: however many people search, entries are covered within a second.
        log_database = await Database.connect(settings.database_url, 2)
        publisher = Publisher(common.kafka_bootstrap_servers)
        reads = consumers.read_loop(
            database,
            publisher,
            policies,
            bootstrap_servers=common.kafka_bootstrap_servers,
            batch_size=settings.batch_size,
            clock=_now,
        )
        audit = consumers.audit_loop(
            database, publisher, bootstrap_servers=common.kafka_bootstrap_servers
        )
        sequencer = Sequencer(log_database, trust)
        witness = WitnessLoop(
            log_database, trust, interval_seconds=settings.log_witness_interval_seconds
        )
        app.state.log = Log(database, log_keys)
        pictures = Pictures.at(common.object_store_url)
        app.state.door = Door(database, pictures, policies)
        keeping = Holds(database, pictures, policies, Alerts(common.alerts_url))
        app.state.holds = keeping
        app.state.evidence = Evidence(keeping, app.state.log, seal_key, common.models_folder)
        auditing = Audit(
            database, pictures, policies, app.state.log, copies_at(settings.log_witness_url),
            shown_address(settings.log_witness_url), Identity(common.identity_url),
            PlateKey.drawn_from(seal_key.private_key),
        )  # fmt: skip
        app.state.audit = auditing
        preparing = Preparing(auditing, clock=_now)
        app.state.preparing = preparing
        daily = DailyLoop(auditing, interval_seconds=settings.audit_interval_seconds, clock=_now)
        servers = common.kafka_bootstrap_servers
        alerts = holds_consumers.alert_loop(
            keeping, publisher, bootstrap_servers=servers, clock=_now
        )
        hits = holds_consumers.hit_loop(keeping, publisher, bootstrap_servers=servers, clock=_now)
        retention = RetentionLoop(
            keeping, interval_seconds=settings.retention_interval_seconds, clock=_now
        )
        try:
            loops_run = (
                reads.run(), audit.run(), alerts.run(), hits.run(), sequencer.run(),
                witness.run(), retention.run(),
                daily.run(), preparing.run(),
            )  # fmt: skip
            following = follow(common.kafka_bootstrap_servers, revocations)
            async with running(*loops_run, following) as loops:
                app.state.checks |= {
                    "postgres": database.is_ready,
                    "reads": lambda: reads.is_ready,
                    "audit": lambda: audit.is_ready,
                    "alerts": lambda: alerts.is_ready,
                    "hits": lambda: hits.is_ready,
                    "revocations": lambda: revocations.is_loaded,
                    "loops": lambda: all_alive(loops),
                }
                yield
        finally:
            await publisher.stop()
            await log_database.close()
            await database.close()

    app = create_web_app("access-log", "ALPR access log", lifespan=lifespan)
    app.state.gate = gate
    app.include_router(api.router(gate))
    app.include_router(retro.router(gate))
    app.include_router(approvals_api.router(gate))
    app.include_router(convoys_api.router(gate))
    app.include_router(log_api.router(gate))
    app.include_router(holds_api.router(gate))
    app.include_router(evidence_api.router(gate))
    app.include_router(audit_api.router(gate))
    return app


def _now() -> datetime:
    return datetime.now(UTC)
