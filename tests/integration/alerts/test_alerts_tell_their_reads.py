"""What `alpr.alerts.v1` tells lets others preserve what was acted on (131.5-c)."""

from __future__ import annotations

import pytest

from alpr_common.messages.alert import AlertChanged, AlertState
from alpr_common.topics import ALERTS
from tests.integration.alerts.service_under_test import SEEN, AlertsLine
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import hit

pytestmark = pytest.mark.integration


@pytest.mark.policy("131.5-c")
async def test_steps_name_the_reads_and_so_do_hits_that_come_after_somebody_acted(
    line: AlertsLine,
) -> None:
    before, unanswered, after = (hit(s, plate="RDS1234") for s in (0, 10, 20))
    (alert,) = [a for a in await line.raise_alerts(before) if a["plate"] == "RDS1234"]
    await line.raise_alerts(unanswered)
    accepted = await line.person().step(alert["alert_id"], "accept", **SEEN)
    assert accepted.status_code == 200, accepted.text
    await line.raise_alerts(after)

    async def told() -> list[AlertChanged]:
        changes = (
            AlertChanged.from_bytes(m.value or b"")
            for m in await everything(line.stack.kafka_bootstrap_servers, ALERTS)
        )
        mine = {c.change_id: c for c in changes if str(c.alert_id) == alert["alert_id"]}
        return list(mine.values()) if len(mine) >= 3 else []

    raised, step, attached = await eventually(
        told, 60, interval_seconds=0.3, what="two steps and a further hit"
    )
    reads = [one.read.read_id for one in (before, unanswered, after)]
    assert (raised.step, list(raised.read_ids)) == ("raised", reads[:1])
    assert (step.step, list(step.read_ids)) == ("accepted", reads[:2])
    assert (attached.step, list(attached.read_ids)) == ("hit_attached", reads)
    assert (attached.state, attached.sequence) == (AlertState.ACCEPTED, step.sequence)
