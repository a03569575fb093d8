"""Ingest as a process of its own, on real Kafka and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from alpr_local.processes import Services
from tests.integration.ingest.ingest_under_test import IngestUnderTest


@pytest.fixture
async def ingest(services: Services) -> AsyncIterator[IngestUnderTest]:
    """Started for the module, back in its usual state for each test."""
    process = services.start("ingest")
    async with httpx.AsyncClient(base_url=process.url, timeout=30) as http:
        yield IngestUnderTest(services, http)
