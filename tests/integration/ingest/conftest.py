"""Ingest as a process of its own, on real Kafka and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from alpr_local.processes import Services
from tests.integration.ingest.ingest_under_test import IngestUnderTest
from tests.support.waiting import eventually


@pytest.fixture
async def ingest(services: Services) -> AsyncIterator[IngestUnderTest]:
    """Started for the module, back in its usual state for each test."""
    process = services.start("ingest")
    async with httpx.AsyncClient(base_url=process.url, timeout=30) as http:
        under_test = IngestUnderTest(services, http)
        # It is ready for frames before it knows whose tokens were withdrawn: after ten seconds,
        # which are none on a machine that is busy with other tests.
        await eventually(under_test.lets_people_in, 60, interval_seconds=0.2)
        yield under_test
