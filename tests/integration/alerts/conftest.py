"""Fixtures of the alert service on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from alpr_common.kafka import Publisher
from alpr_local.processes import ServiceProcess, Services
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
