"""The audit on the door under test: packages are prepared in this process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from alpr_access_log.approvals import api as approvals_api
from alpr_access_log.audit import api as audit_api
from alpr_access_log.audit.handlers.auditing import Audit
from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.preparing import Preparing
from alpr_access_log.audit.protection import PlateKey
from alpr_access_log.audit.witnessed import copies_at
from alpr_access_log.log.key import LogKeys
from alpr_access_log.log.reading import Log
from alpr_access_log.log.sequencer import Sequencer, WitnessLoop
from alpr_access_log.log.trust import Trust
from alpr_access_log.log.witness import witness_at
from alpr_common.misuse import MisuseLimits
from alpr_common.policy import Policy, Role
from tests.integration.access_log.conftest import OURS, DoorUnderTest
from tests.support.identity_reports import identity_answering
from tests.support.verifiable_log import KEY
from tests.support.waiting import eventually


@dataclass
class AuditUnderTest:
    """The door with its audit, its log, and a witness's folder."""

    door: DoorUnderTest
    audit: Audit
    trust: Trust
    processes: list[Preparing] = field(default_factory=list)

    def use(self, **changed: Any) -> Preparing:
        """Go on with another audit, in a process of its own."""
        self.audit = replace(self.audit, **changed)
        preparing = Preparing(self.audit, clock=lambda: datetime.now(UTC), beat_seconds=0.05)
        self.door.app.state.audit, self.door.app.state.preparing = self.audit, preparing
        self.processes.append(preparing)
        return preparing

    async def stop(self) -> None:
        for process in self.processes:
            await process.stop()

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
        return await self.door.client.request(method, f"/v1/audit/{path}", headers=headers, **said)

    async def prepared(self, asked: dict[str, str] | None = None, **said: Any) -> dict[str, Any]:
        """A package that is ready."""
        answer = await self.call("POST", "packages", json=asked or period(), **said)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "preparing"
        package = await self.done(answer.json()["package_id"], **said)
        assert package["state"] == "ready", package
        return package

    async def done(self, package_id: str, **said: Any) -> dict[str, Any]:
        """A package that is not in the making any more."""

        async def look() -> dict[str, Any] | None:
            answer = await self.call("GET", f"packages/{package_id}", **said)
            assert answer.status_code == 200, answer.text
            package: dict[str, Any] = answer.json()
            return None if package["state"] == "preparing" else package

        return dict(await eventually(look, 120, interval_seconds=0.2) or {})

    async def file(self, package: dict[str, Any], name: str) -> bytes:
        answer = await self.call("GET", f"packages/{package['package_id']}/files/{name}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def with_limits(self, **limits: Any) -> None:
        """Go on under another policy file."""
        policy = Policy(misuse=MisuseLimits(**limits))
        self.door.with_policy(policy)
        self.use(policies=policy)


def period(days: float = 3) -> dict[str, str]:
    now = datetime.now(UTC)
    begin, end = now - timedelta(days=days), now + timedelta(days=1)
    return {"from": begin.isoformat(), "to": end.isoformat()}


def audit_on(door: DoorUnderTest, folder: Path) -> AuditUnderTest:
    """The door's app with the audit's routes."""
    witness = (folder / "witness").as_uri()
    trust = Trust(LogKeys(KEY), witness_at(witness))
    audit = Audit(
        database=door.database,
        objects=door.pictures,
        policies=Policy(),
        log=Log(door.database, LogKeys(KEY)),
        copies=copies_at(witness),
        witness=witness,
        identity=Identity("http://identity", identity_answering()),
        plate_key=PlateKey(b"k" * 32),
    )
    door.app.include_router(audit_api.router(door.app.state.gate))
    door.app.include_router(approvals_api.router(door.app.state.gate))
    made = AuditUnderTest(door, audit, trust)
    made.use()
    return made
