"""Fixtures of the alert service on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from alpr_common.kafka import Publisher
from alpr_common.postgres import Database, migrate
from alpr_local.processes import ServiceProcess, Services
from alpr_local.stack import Stack
from tests.integration.alerts.service_under_test import AlertsLine

QUICK = {
    "ALPR_ALERTS_STREAM_HEARTBEAT_SECONDS": "0.5",
    "ALPR_ALERTS_STREAM_CHECK_SECONDS": "2",
    # The samples' reads are of one day in the past, and most alerts are left unanswered: retention
    # and escalation have tests of their own.
    "ALPR_POLICY_FILE": str(Path(__file__).parent / "long_retention.toml"),
}


@pytest.fixture(scope="module")
def alerts_process(services: Services) -> ServiceProcess:
    """One replica of the service as a real process."""
    return services.start("alerts", environment=QUICK)


@pytest.fixture
async def line(alerts_process: ServiceProcess, services: Services) -> AsyncIterator[AlertsLine]:
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(timeout=20) as http:
        yield AlertsLine(services.stack, alerts_process.url, http, publisher)
    await publisher.stop()


@pytest.fixture
async def database(fresh_stack: Stack) -> AsyncIterator[Database]:
    """The service's database without a process on it, and without alerts."""
    await migrate(fresh_stack.postgres_dsn("alpr_alerts_owner"), "alpr_alerts")
    administrator = await asyncpg.connect(fresh_stack.postgres_admin_dsn)
    try:  # what other tests left open would be escalated and expire here as well
        await administrator.execute(
            "TRUNCATE alerts.alert, alerts.open_alert, alerts.outbox, alerts.agency CASCADE"
        )
    finally:
        await administrator.close()
    opened = await Database.connect(fresh_stack.postgres_dsn("alpr_alerts"), 12)
    yield opened
    await opened.close()
