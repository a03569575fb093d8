"""The yearly audit on a real PostgreSQL: one call prepares it, everything of it is recorded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from alpr_access_log.approvals import api as approvals_api
from alpr_access_log.audit import api as audit_api
from alpr_access_log.audit.daily import analyse_agency
from alpr_access_log.audit.handlers.auditing import Audit
from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.witnessed import copies_at
from alpr_access_log.log.reading import Log
from alpr_access_log.log.sequencer import Sequencer, WitnessLoop
from alpr_access_log.log.trust import Trust
from alpr_access_log.log.witness import witness_at
from alpr_common.misuse import MisuseLimits
from alpr_common.policy import Policy, Role
from tests.integration.access_log.conftest import OTHERS, OURS, DoorUnderTest
from tests.support.identity_reports import identity_answering
from tests.support.verifiable_log import KEY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@dataclass
class AuditUnderTest:
    """The door with its audit, its log, and a witness's folder."""

    door: DoorUnderTest
    audit: Audit
    trust: Trust

    async def cover(self) -> None:
        """Sequence and sign all logs, and give the witness its copies."""
        sequencer = Sequencer(self.door.database, self.trust)
        while await sequencer.extend_all():
            pass
        await WitnessLoop(self.door.database, self.trust, interval_seconds=60).copy_all()

    async def call(
        self, method: str, path: str, *, role: Role = Role.AUDITOR, agency: str = OURS,
        person: str = "quinn", **said: Any,
    ) -> httpx.Response:  # fmt: skip
        headers = self.door.token(role=role, agency=agency, person=person)
        return await self.door.client.request(
            method, f"/v1/audit/{path}", headers=headers, **said
        )

    async def prepared(self, **said: Any) -> dict[str, Any]:
        answer = await self.call("POST", "packages", json=period(), **said)
        assert answer.status_code == 201, answer.text
        package: dict[str, Any] = answer.json()
        return package

    async def file(self, package: dict[str, Any], name: str) -> bytes:
        answer = await self.call("GET", f"packages/{package['package_id']}/files/{name}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def with_limits(self, **limits: Any) -> None:
        """Go on under another policy file."""
        policy = Policy(misuse=MisuseLimits(**limits))
        self.door.with_policy(policy)
        self.audit = Audit(**(vars(self.audit) | {"policies": policy}))
        self.door.app.state.audit = self.audit


def period(days: float = 3) -> dict[str, str]:
    now = datetime.now(UTC)
    begin, end = now - timedelta(days=days), now + timedelta(days=1)
    return {"from": begin.isoformat(), "to": end.isoformat()}


@pytest.fixture
async def under_test(door: DoorUnderTest, tmp_path: Path) -> AsyncIterator[AuditUnderTest]:
    witness = (tmp_path / "witness").as_uri()
    trust = Trust(KEY, witness_at(witness))
    audit = Audit(
        database=door.database,
        objects=door.pictures,
        policies=Policy(),
        log=Log(door.database, KEY),
        copies=copies_at(witness),
        witness=witness,
        identity=Identity("http://identity", identity_answering()),
        plate_key=PlateKey(b"k" * 32),
    )
    door.app.state.audit = audit
    door.app.include_router(audit_api.router(door.app.state.gate))
    door.app.include_router(approvals_api.router(door.app.state.gate))
    yield AuditUnderTest(door, audit, trust)


@pytest.mark.policy("131.5-d")
async def test_one_call_prepares_usage_passwords_training_log_and_findings(
    under_test: AuditUnderTest,
) -> None:
    door = under_test.door
    ann = door.token(person="ann")
    for _ in range(3):
        assert (await door.search(ann)).status_code == 200
    assert (await door.search(ann, purpose=None)).status_code == 422
    await under_test.cover()

    package = await under_test.prepared()
    summary = package["summary"]
    (usage,) = [p for p in summary["usage"]["people"] if p["person_id"] == "ann"]
    assert (usage["searches"], usage["refused"]) == (3, 1)
    assert {r["code"] for r in summary["usage"]["refusals"]} >= {"purpose-missing"}
    assert summary["password_security"]["data"]["policy"]["password_min_characters"] == 12
    assert summary["training"]["data"]["lapses"][0]["kind"] == "leads"
    assert summary["sessions"]["data"]["sessions"] == 2
    assert summary["log"]["is_good"] is True
    assert summary["log"]["witness_copies_checked"] >= 1
    assert summary["is_complete"], summary["missing"]
    assert {rule["name"] for rule in summary["misuse"]["rules"]} >= {"own_plate", "off_shift"}
