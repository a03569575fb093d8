"""An alert's pictures: shown to its agency alone, never cached, and never without a record."""

from __future__ import annotations

from typing import Any

import pytest

from alpr_common.messages.audit import AuditRecord
from alpr_common.messages.hit import Hit
from alpr_common.objects import Pictures
from alpr_common.topics import AUDIT
from tests.integration.alerts.service_under_test import AlertsLine, ids
from tests.support.topics import everything
from tests.support.waiting import eventually
from tests.unit.alerts.samples import OTHER_AGENCY, hit

pytestmark = pytest.mark.integration

FRAME = b"\xff\xd8\xff\xe0 the whole street \xff\xd9"
CROP = b"\xff\xd8\xff\xe0 the plate alone \xff\xd9"


async def shown(line: AlertsLine, *hits: Hit) -> str:
    """The id of the alert of these hits, whose pictures are in the store."""
    pictures = Pictures.at(line.stack.objects_folder.as_uri())
    for one in hits:
        await pictures.put(one.read.frame_object, FRAME + str(one.read.read_id).encode())
        await pictures.put(one.read.plate_object, CROP)
    await line.publish(*hits)
    await line.handled()
    plate = hits[0].read.plate
    (alert_id,) = ids(a for a in await line.person().alerts() if a["plate"] == plate)
    return alert_id


async def looks(line: AlertsLine, name: str, count: int) -> list[AuditRecord]:
    """What was recorded of a person's looks at pictures, once there are that many."""

    async def found() -> list[AuditRecord]:
        received = await everything(line.stack.kafka_bootstrap_servers, AUDIT)
        records = {
            r.audit_id: r for r in (AuditRecord.from_bytes(m.value or b"") for m in received)
        }
        of_person = [
            r
            for r in records.values()
            if r.person_name == name and r.action == "alert.picture.viewed"
        ]
        return of_person if len(of_person) >= count else []

    return await eventually(found, 60, interval_seconds=0.3, what=f"{count} looks of {name}")


@pytest.mark.policy("131.7-1b", "131.7-3a", "131.6-4a")
async def test_frame_and_plate_are_shown_uncached_and_recorded_with_the_alert_as_purpose(
    line: AlertsLine,
) -> None:
    first, second = hit(0, plate="P1CTUR"), hit(60, plate="P1CTUR")
    alert_id = await shown(line, first, second)
    officer = line.person(name="Officer Look")
    for path, params, wanted in (
        ("frame", {}, FRAME + str(first.read.read_id).encode()),
        ("plate", {}, CROP),
        ("frame", {"hit_id": str(second.hit_id)}, FRAME + str(second.read.read_id).encode()),
    ):
        answer = await officer.get(f"/{alert_id}/pictures/{path}", **params)
        assert answer.status_code == 200
        assert answer.content == wanted
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
    recorded = await looks(line, "Officer Look", 3)
    assert [(r.details["picture"], r.subject) for r in recorded] == [
        ("frame", f"read:{first.read.read_id}"),
        ("plate", f"read:{first.read.read_id}"),
        ("frame", f"read:{second.read.read_id}"),
    ]
    for record in recorded:
        assert record.purpose == f"alert:{alert_id}"
        assert (record.outcome, record.role, record.service) == ("done", "officer", "alerts")
        assert record.session_id


@pytest.mark.policy("131.7-3a")
async def test_looks_that_showed_nothing_are_recorded_too(line: AlertsLine) -> None:
    alert_id = await shown(line, hit(0, plate="GAP001"))
    officer = line.person(name="Officer Gap")
    # Retention took the picture, or it never arrived.
    (line.stack.objects_folder / hit(0, plate="GAP001").read.frame_object).unlink()
    tries: list[tuple[str, dict[str, Any], int]] = [
        (f"/{alert_id}/pictures/frame", {}, 404),
        (f"/{alert_id}/pictures/plate", {"hit_id": str(hit(9, plate="NEVER1").hit_id)}, 404),
        (f"/{alert_id}/pictures/engine", {}, 422),
    ]
    for path, params, status in tries:
        assert (await officer.get(path, **params)).status_code == status, path
    recorded = await looks(line, "Officer Gap", 2)
    assert [(r.outcome, r.details["code"]) for r in recorded] == [
        ("failed", "object-not-found"),
        ("refused", "alert-not-found"),
    ]


@pytest.mark.policy("131.4", "131.7-3a")
async def test_another_agencys_pictures_are_out_of_reach_even_by_a_faulty_message(
    line: AlertsLine,
) -> None:
    theirs = hit(0, plate="THE1RS", agency_id=OTHER_AGENCY)
    await Pictures.at(line.stack.objects_folder.as_uri()).put(theirs.read.frame_object, FRAME)
    for n, key in enumerate(
        (theirs.read.frame_object, f"IL0222900/../{theirs.read.frame_object}", "../../etc/passwd")
    ):
        good = hit(0, plate=f"FAU1T{n}")
        faulty = good.model_copy(
            update={"read": good.read.model_copy(update={"frame_object": key})}
        )
        await line.publish(faulty)
        await line.handled()
        (alert_id,) = ids(a for a in await line.person().alerts() if a["plate"] == f"FAU1T{n}")
        answer = await line.person().get(f"/{alert_id}/pictures/frame")
        assert answer.status_code == 404
        assert FRAME not in answer.content
