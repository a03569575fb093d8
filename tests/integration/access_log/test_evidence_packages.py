"""From a hit to a sealed package on a medium: alerts and access-log as real processes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.kafka import Publisher
from alpr_common.messages.hit import Hit, HitKind, JurisdictionAgreement
from alpr_common.messages.hotlist import HotListEntry
from alpr_common.messages.read import Read
from alpr_common.objects import Pictures, picture_key
from alpr_common.policy import Role
from alpr_common.topics import HITS, READS
from alpr_local.folders import repository
from alpr_local.processes import Services
from tests.integration.access_log.conftest import OTHERS, OURS, make_read, search_body
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (160, 48), (220, 222, 230)).save(out, "JPEG")
    return out.getvalue()


def shipped_detector() -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        (repository() / "models" / "detector" / "config.json").read_text()
    )
    return config


class Line:
    """Both services, and the people at them."""

    def __init__(self, services: Services, http: httpx.AsyncClient, publisher: Publisher) -> None:
        self.services, self.http, self.publisher = services, http, publisher
        self.pictures = Pictures.at(services.stack.objects_folder.as_uri())
        self._issuer = TokenIssuer.from_file(services.stack.secrets.token_private_key)

    def person(self, name: str, role: Role = Role.OFFICER, agency: str = OURS) -> dict[str, str]:
        who = Principal(name.lower(), name, agency, role, str(uuid4()), date.max, date.max)
        return {"Authorization": f"Bearer {self._issuer.issue(who, datetime.now(UTC))}"}

    async def call(
        self, service: str, method: str, path: str, headers: dict[str, str], **said: Any
    ) -> httpx.Response:
        url = f"{self.services.url(service)}{path}"
        return await self.http.request(method, url, headers=headers, **said)

    async def log(self, method: str, path: str, headers: dict[str, str], **said: Any) -> Any:
        return await self.call("access-log", method, path, headers, **said)

    async def capture(self, plate: str) -> Read:
        """A read with pictures on the topic, and the hit that the matcher would make of it."""
        bare = make_read(plate, minutes_ago=3)
        place = (OURS, bare.camera_id, bare.captured_at, bare.frame_id)
        read = bare.model_copy(
            update={
                "frame_object": picture_key(*place),
                "plate_object": picture_key(*place, f"-plate-{bare.read_id}"),
                "detector_model": f"detector {shipped_detector()['version']}",
                "reader_model": "somebody's 7",
            }
        )
        await self.pictures.put(read.frame_object, jpeg())
        await self.pictures.put(read.plate_object, jpeg())
        await self.publisher.publish(READS, read.match_key, read.to_bytes())
        entry = HotListEntry(
            entry_id=uuid4(), agency_id=OURS, serves_agency_ids=(OURS,), plate=plate,
            match_key=read.match_key, jurisdiction="US-IL", category="stolen_vehicle", priority=2,
            source="manual", reason="Stolen from Oak Street", case_number="26-000123",
            effective_at=read.captured_at,
        )  # fmt: skip
        hit = Hit(
            hit_id=Hit.id_of(read.read_id, entry.entry_id), agency_id=OURS, kind=HitKind.EXACT,
            jurisdiction=JurisdictionAgreement.SAME, read=read, entry=entry,
            matched_at=datetime.now(UTC),
        )  # fmt: skip
        await self.publisher.publish(HITS, read.match_key, hit.to_bytes())
        return read

    async def accepted_alert(self, read: Read) -> str:
        """The alert of that read, accepted by an officer."""
        ann = self.person("Ann")

        async def raised() -> str | None:
            page = await self.call("alerts", "GET", "/v1/alerts?open=true", ann)
            assert page.status_code == 200, page.text
            mine = [a for a in page.json()["items"] if a["read"]["read_id"] == str(read.read_id)]
            return mine[0]["alert_id"] if mine else None

        alert_id = await eventually(raised, 120, interval_seconds=0.3, what="the alert")
        seen = {"characters_match": True, "state_matches": True}
        done = await self.call("alerts", "POST", f"/v1/alerts/{alert_id}/accept", ann, json=seen)
        assert done.status_code == 200, done.text
        return str(alert_id)

    async def hold_of(self, alert_id: str) -> dict[str, Any]:
        """The hold that the alert placed, once its read is kept."""
        kim = self.person("Kim", Role.SUPERVISOR)

        async def placed() -> dict[str, Any] | None:
            page = await self.log("GET", "/v1/holds", kim)
            assert page.status_code == 200, page.text
            mine = [h for h in page.json()["items"] if h["alert_id"] == alert_id]
            return mine[0] if mine and mine[0]["held_count"] == 1 else None

        hold: dict[str, Any] | None = await eventually(
            placed, 120, interval_seconds=0.3, what="the hold"
        )
        assert hold is not None
        return hold


@pytest.fixture
async def line(services: Services) -> AsyncIterator[Line]:
    services.start_all("access-log", "alerts", deadline_seconds=240)
    publisher = Publisher(services.stack.kafka_bootstrap_servers)
    async with httpx.AsyncClient(timeout=60) as http:
        yield Line(services, http, publisher)
    await publisher.stop()


def alpr(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The `alpr` command as a process that knows no server."""
    command = [str(Path(sys.executable).parent / "alpr"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={})


@pytest.mark.policy("131.5-c", "131.7-2")
async def test_an_accepted_alert_becomes_a_sealed_package_that_checks_offline(
    line: Line, tmp_path: Path
) -> None:
    read = await line.capture("EVID001")
    alert_id = await line.accepted_alert(read)
    hold = await line.hold_of(alert_id)
    assert hold["case_number"] == "26-000123"
    await _searched(line, read)
    await _told_to_the_log(line, alert_id)

    kim = line.person("Kim", Role.SUPERVISOR)
    asked = {"purpose": "stolen_vehicle", "case_number": "26-000123", "alert_ids": [alert_id]}
    made = await line.log("POST", "/v1/evidence", kim, json=asked)
    assert made.status_code == 201, made.text
    package = made.json()
    assert package["inventory_number"].startswith(f"EV-{datetime.now(UTC).year}-")

    answer = await line.log("GET", f"/v1/evidence/{package['evidence_id']}/file", kim)
    assert answer.headers["cache-control"] == "no-store"
    file = tmp_path / "package.zip"
    file.write_bytes(answer.content)
    seal_key = (await line.log("GET", f"/v1/evidence/keys/{OURS}", {})).text.strip()
    log_key = (await line.log("GET", f"/v1/log/{OURS}/key", {})).text.strip()
    checked = alpr("evidence", "verify", str(file), "--key", seal_key, "--log-key", log_key)
    assert checked.returncode == 0, checked.stdout
    assert "GOOD" in checked.stdout
    assert package["inventory_number"] in checked.stdout

    _holds_everything(file, read, alert_id)
    _spoilt_packages_are_found(file, tmp_path, seal_key, log_key)
    await _is_recorded(line, package)


async def _searched(line: Line, read: Read) -> None:
    ann = line.person("Ann")
    body = search_body() | {"plate": read.plate, "case_number": "26-000123"}

    async def found() -> dict[str, Any] | None:
        said = body | {"suspicion": f"The van left the scene of the burglary, {uuid4()}"}
        answer = await line.log("POST", "/v1/searches", ann, json=said)
        return answer.json() if answer.json().get("items") else None

    page = await eventually(found, 120, interval_seconds=0.3, what="the read")
    picture = await line.log(
        "GET",
        f"/v1/reads/{read.read_id}/pictures/plate?access_id={page['access_id']}",
        ann,
    )
    assert picture.status_code == 200


async def _told_to_the_log(line: Line, alert_id: str) -> None:
    """What alerts records of a step comes by a topic of its own, behind the hold perhaps."""
    auditor = line.person("Audrey", Role.AUDITOR)

    async def told() -> bool:
        page = await line.log("GET", "/v1/searches?action=alert.accept", auditor)
        assert page.status_code == 200, page.text
        return f"alert:{alert_id}" in {one["subject"] for one in page.json()["items"]}

    await eventually(told, 120, interval_seconds=0.3, what="the log knows who accepted")


def _holds_everything(file: Path, read: Read, alert_id: str) -> None:
    with zipfile.ZipFile(file) as bag:
        inside = {name.split("/", 1)[1]: bag.read(name) for name in bag.namelist()}
    assert json.loads(inside[f"data/reads/{read.read_id}.json"])["plate"] == read.plate
    assert inside[f"data/pictures/{read.read_id}-plate.jpg"][:2] == b"\xff\xd8"
    assert f"data/pictures/{read.read_id}-frame.jpg" in inside
    steps = [s["step"] for s in json.loads(inside[f"data/alerts/{alert_id}.json"])["history"]]
    assert steps == ["raised", "accepted"]
    models = {m["name"]: m["shipped"] for m in json.loads(inside["data/models.json"])}
    assert models["somebody's 7"] is None
    assert models[read.detector_model]["sha256"] == shipped_detector()["sha256"]
    actions = {a["action"] for a in json.loads(inside["data/accesses.json"])}
    assert {"search", "read.picture.viewed", "hold.placed", "alert.accept"} <= actions
    links = json.loads(inside["data/custody.json"])
    assert links[0]["person"] == "camera cam-1"
    assert "packed and sealed" in links[-1]["action"]
    assert [link["at"] for link in links] == sorted(link["at"] for link in links)
    assert inside["data/cover-sheet.pdf"].startswith(b"%PDF-")


def _spoilt_packages_are_found(file: Path, folder: Path, seal_key: str, log_key: str) -> None:
    spoilt = folder / "spoilt.zip"
    with zipfile.ZipFile(file) as bag, zipfile.ZipFile(spoilt, "w") as out:
        for name in bag.namelist():
            data = bag.read(name)
            out.writestr(name, data.replace(b"EVID001", b"EVID002"))
    checked = alpr("evidence", "verify", str(spoilt), "--key", seal_key, "--log-key", log_key)
    assert checked.returncode == 1
    assert "changed" in checked.stdout
    assert "BAD" in checked.stdout
    wrong = alpr("evidence", "verify", str(file), "--key", log_key, "--log-key", log_key)
    assert wrong.returncode == 1
    without = alpr("evidence", "verify", str(file), "--key", seal_key)
    assert without.returncode == 1
    assert "verifier key" in without.stdout


async def _is_recorded(line: Line, package: dict[str, Any]) -> None:
    kim = line.person("Kim", Role.SUPERVISOR)
    url = f"/v1/evidence/{package['evidence_id']}/receipts"
    nothing = await line.log("POST", url, kim, json={"medium": "USB stick"})
    assert nothing.status_code == 422
    receipt = {"received_by": "Det. Jo Park, badge 212", "medium": "USB stick", "serial": "SN-77"}
    given = await line.log("POST", url, kim, json=receipt)
    assert given.status_code == 201, given.text
    listed = await line.log("GET", url, kim)
    assert [(r["serial"], r["received_by"]) for r in listed.json()["items"]] == [
        ("SN-77", "Det. Jo Park, badge 212")
    ]
    inventory = await line.log("GET", "/v1/evidence?case_number=26-000123", kim)
    assert package["evidence_id"] in {e["evidence_id"] for e in inventory.json()["items"]}
    auditor = line.person("Audrey", Role.AUDITOR)
    records = (await line.log("GET", "/v1/searches?limit=500", auditor)).json()["items"]
    subject = f"evidence:{package['evidence_id']}"
    actions = [r["action"] for r in records if r["subject"] == subject]
    assert {"evidence.sealed", "evidence.downloaded", "evidence.receipt.recorded"} <= set(actions)


@pytest.mark.policy("131.7-2")
async def test_what_is_not_held_and_who_may_not_is_refused_and_recorded(line: Line) -> None:
    kim = line.person("Kim", Role.SUPERVISOR)
    good = {"purpose": "stolen_vehicle", "case_number": "26-1", "read_ids": [str(uuid4())]}
    for headers, changed, code in (
        (kim, {}, "evidence-not-held"),
        (kim, {"purpose": "curiosity"}, "purpose-unknown"),
        (kim, {"case_number": ""}, "case-number-missing"),
        (kim, {"read_ids": []}, "evidence-names-nothing"),
        (kim, {"read_ids": [], "alert_ids": [str(uuid4())]}, "not-found"),
        (line.person("Ann"), {}, "role-not-allowed"),
    ):
        answer = await line.log("POST", "/v1/evidence", headers, json=good | changed)
        assert answer.json()["type"].endswith(code), answer.text
    auditor = line.person("Audrey", Role.AUDITOR)
    url = "/v1/searches?action=evidence.request&outcome=refused"
    refused = (await line.log("GET", url, auditor)).json()["items"]
    assert {r["refusal_code"] for r in refused} >= {"evidence-not-held", "role-not-allowed"}


@pytest.mark.policy("131.7-1b", "131.7-2")
async def test_a_package_is_its_agencys_alone_and_numbers_have_no_gaps(line: Line) -> None:
    kim = line.person("Kim", Role.SUPERVISOR)
    read = await line.capture("EVID009")
    alert_id = await line.accepted_alert(read)
    await line.hold_of(alert_id)
    asked = {"purpose": "stolen_vehicle", "case_number": "26-9", "read_ids": [str(read.read_id)]}
    numbers = []
    for _ in range(2):
        made = await line.log("POST", "/v1/evidence", kim, json=asked)
        assert made.status_code == 201, made.text
        numbers.append(int(made.json()["inventory_number"].rsplit("-", 1)[1]))
    assert numbers[1] == numbers[0] + 1
    theirs = line.person("Lee", Role.SUPERVISOR, OTHERS)
    path = f"/v1/evidence/{made.json()['evidence_id']}"
    assert (await line.log("GET", f"{path}/file", theirs)).status_code == 404
    assert (await line.log("GET", path, line.person("Ann"))).status_code == 403
    assert (await line.log("GET", "/v1/evidence", theirs)).json()["items"] == []
