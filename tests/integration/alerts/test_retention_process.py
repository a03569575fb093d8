"""Retention by the service itself, with the real clock, down to the agency's verifiable log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from alpr_common.kafka import Publisher
from alpr_local.processes import Services
from tests.integration.alerts.service_under_test import SEEN, AlertsLine
from tests.support.waiting import eventually
from tests.unit.alerts.samples import AGENCY, hit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

# Time in which the hits become alerts and somebody answers; a day after their capture they go.
LEFT = timedelta(seconds=60)


@pytest.mark.policy("131.7-1d", "131.6-5", "131.5-c")
async def test_alerts_end_lose_their_reads_and_the_log_says_so(
    services: Services, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("reads_retention_days = 1\n")
    await asyncio.to_thread(services.start, "access-log")
    alerts = await asyncio.to_thread(
        services.start, "alerts",
        environment={
            "ALPR_POLICY_FILE": str(policy), "ALPR_ALERTS_RETENTION_INTERVAL_SECONDS": "1",
        },
    )  # fmt: skip
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    passed_at = datetime.now(UTC) - timedelta(days=1) + LEFT
    async with httpx.AsyncClient(timeout=20) as http:
        line = AlertsLine(services.stack, alerts.url, http, publisher)
        officer = line.person()
        async with officer.stream(after=0) as events:
            await line.publish(hit(0, plate="PROC1", began_at=passed_at))
            seen = [await asyncio.wait_for(anext(events), 90) for _ in range(2)]
        # A tenth of a day before its reads go, nobody having ended it, it is closed.
        assert seen[-1].alert["state"] == "closed"
        alert_id = seen[-1].alert["alert_id"]
        refused = await officer.step(alert_id, "accept", **SEEN)
        assert refused.status_code == 409
        assert "expired by The system" in refused.json()["detail"]
        assert (await officer.get(f"/{alert_id}")).json()["plate"] == "PROC1"

        async def gone() -> bool:
            return (await officer.get(f"/{alert_id}")).status_code == 410

        await eventually(gone, 120, interval_seconds=0.5, what="its reads are gone")
        answer = (await officer.get(f"/{alert_id}")).json()
        assert (answer["clause"], answer["status"]) == ("131.7-1d", 410)
        assert [a for a in await officer.alerts() if a["alert_id"] == alert_id] == []
        picture = await officer.get(f"/{alert_id}/pictures/frame")
        assert picture.status_code == 410
        record = await officer.get(f"/{alert_id}/record")
        assert record.status_code == 200
        assert "PROC1" not in record.text
        assert [s["step"] for s in record.json()["history"]] == ["raised", "expired"]
    await publisher.stop()
    await eventually(
        lambda: logged(services), 120, interval_seconds=0.5, what="the log has the certificates"
    )


async def logged(services: Services) -> bool:
    """Whether both what ended and what went are leaves of the agency's log."""
    connection = await asyncpg.connect(services.stack.postgres_admin_dsn)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT r.action FROM access_log.access_record r"
            " JOIN access_log.log_leaf l ON l.record_id = r.record_id"
            " WHERE r.agency_id = $1 AND r.person_id = 'system:retention'",
            AGENCY,
        )
    finally:
        await connection.close()
    return {row["action"] for row in rows} == {"alert.expired", "retention.purged"}
