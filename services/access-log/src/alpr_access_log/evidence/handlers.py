"""Evidence packages: the only way in which a file leaves (131.7-1b), inventoried (131.7-2).

A package holds what a hold keeps, and nothing else. Its request is recorded before anything is
gathered; number, file and inventory entry come to be in one transaction, or not at all.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import Counter

from alpr_access_log import store
from alpr_access_log.domain import AccessRecord
from alpr_access_log.evidence import store as evidence_store
from alpr_access_log.evidence.content import (
    Gathered,
    contents_of,
    cover_of,
    files_of,
    listed,
)
from alpr_access_log.evidence.cover import render
from alpr_access_log.evidence.domain import Asked, EvidenceNotHeld, checked_receipt
from alpr_access_log.evidence.gathering import Evidence, holds_on, log_part, pictures_of
from alpr_access_log.evidence.models import models_of
from alpr_access_log.evidence.store import HeldRead, Package, Receipt
from alpr_access_log.handlers import done_by, who
from alpr_common.auth import Principal
from alpr_common.errors import NotFound
from alpr_common.postgres import Connection
from alpr_evidence.package import seal

SEALED = Counter("alpr_evidence_packages_total", "Evidence packages sealed")
DOWNLOADED = Counter("alpr_evidence_downloads_total", "Evidence packages handed out")


async def prepare(
    evidence: Evidence, principal: Principal, asked: Asked, clock: Callable[[], datetime]
) -> Package:
    """Gather, seal, store and inventory a package; returns its inventory entry.

    Raises `EvidenceNotHeld` for a read that no hold keeps, what alerts says against showing an
    alert, `NotCoveredYet` where the log does not move, or an `Outage`.
    """
    agency_id = principal.agency_id
    alerts = [await evidence.keeping.alerts.alert(principal, one) for one in asked.alert_ids]
    named = list(asked.read_ids)
    named += [UUID(hit["read"]["read_id"]) for alert in alerts for hit in alert["hits"]]
    named = list(dict.fromkeys(named))
    held, request_id = await _record_request(evidence, principal, asked, named, clock())
    pictures = await pictures_of(evidence, agency_id, held)
    accesses = await log_part(evidence, agency_id, asked, named, request_id)
    gathered = Gathered(
        agency_id=agency_id,
        asked=asked,
        prepared_by=f"{principal.name} ({principal.person_id})",
        prepared_at=clock(),
        reads=held,
        alerts=alerts,
        pictures=pictures,
        models=models_of(evidence.models_folder, [one.read for one in held]),
        holds=await holds_on(evidence, agency_id, named),
        log=accesses,
    )
    package = await _seal(evidence, principal, gathered)
    SEALED.inc()
    return package


async def _record_request(
    evidence: Evidence, principal: Principal, asked: Asked, named: Sequence[UUID], now: datetime
) -> tuple[list[HeldRead], UUID]:
    """The held reads, and the record of their being asked for, in one transaction."""
    agency_id, record_id = principal.agency_id, uuid4()
    async with store.recording(evidence.keeping.database, agency_id) as connection:
        held = await evidence_store.held_reads(connection, agency_id, named)
        found = {one.read.read_id for one in held}
        missing = [str(one) for one in named if one not in found]
        if missing or not held:
            raise EvidenceNotHeld(
                "A package holds what a legal hold keeps. Place a hold on these reads (or on their "
                "alert) first.",
                unheld_read_ids=missing,
            )
        record = AccessRecord(
            record_id=record_id,
            access_id=record_id,
            who=who(principal),
            occurred_at=now,
            action="evidence.requested",
            subject=f"case:{asked.case_number}",
            outcome="done",
            purpose=asked.purpose,
            case_number=asked.case_number,
            query={"alert_ids": [str(one) for one in asked.alert_ids]},
            returned=tuple(named),
        )
        await store.append(connection, record)
    return held, record_id


async def _seal(evidence: Evidence, principal: Principal, gathered: Gathered) -> Package:
    """Number, file, inventory entry and record: one transaction, the file before its end.

    A crash in between leaves a file that the next package of that number replaces.
    """
    agency_id, now = gathered.agency_id, gathered.prepared_at
    async with store.recording(evidence.keeping.database, agency_id) as connection:
        number = await evidence_store.next_number(connection, agency_id, now.year)
        inventory_number = f"EV-{now.year}-{number:06d}"
        content, digest, contents = await asyncio.to_thread(
            _sealed, evidence, gathered, inventory_number
        )
        key = f"evidence/{agency_id}/{inventory_number}.zip"
        await evidence.keeping.pictures.put(key, content)
        package = Package(
            evidence_id=uuid4(),
            agency_id=agency_id,
            inventory_number=inventory_number,
            case_number=gathered.asked.case_number,
            purpose=gathered.asked.purpose,
            prepared_at=now,
            prepared_by_id=principal.person_id,
            prepared_by_name=principal.name,
            digest=digest,
            object=key,
            size_bytes=len(content),
            read_ids=tuple(one.read.read_id for one in gathered.reads),
            alert_ids=gathered.asked.alert_ids,
            contents=contents,
        )
        await evidence_store.insert(connection, package)
        await store.append(
            connection, _record(package, principal, "evidence.sealed", now, digest=digest)
        )
    return package


def _sealed(
    evidence: Evidence, gathered: Gathered, inventory_number: str
) -> tuple[bytes, str, list[dict[str, Any]]]:
    """The file, the digest that its seal is over, and the list of what is in it."""
    files = files_of(gathered)
    signer = evidence.seal_key.signer(gathered.agency_id)
    cover = cover_of(gathered, inventory_number, files, str(signer.verifier))
    files["cover-sheet.pdf"] = render(cover)
    contents = contents_of(gathered, inventory_number, files)
    with tempfile.TemporaryDirectory(prefix="alpr-evidence-") as folder:
        target = Path(folder) / "package.zip"
        digest = seal(target, contents, signer)
        return target.read_bytes(), digest, [asdict(one) for one in listed(files)]


async def page(
    evidence: Evidence,
    principal: Principal,
    case_number: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
    now: datetime,
) -> list[Package]:
    """Inventory entries of the agency, newest first, at most `limit` + 1; the look is recorded."""
    agency_id = principal.agency_id
    async with store.recording(evidence.keeping.database, agency_id) as connection:
        found = await evidence_store.page(connection, agency_id, case_number, after, limit + 1)
        looked_at = {"count": min(len(found), limit)}
        await store.append(
            connection,
            done_by(
                principal, "evidence.listed", "evidence", now,
                case_number=case_number, query=looked_at,
            ),
        )  # fmt: skip
    return found


async def show(
    evidence: Evidence, principal: Principal, evidence_id: UUID, now: datetime
) -> tuple[Package, list[Receipt]]:
    """An inventory entry with its receipts; the look is recorded. Raises `NotFound`."""
    agency_id = principal.agency_id
    async with store.recording(evidence.keeping.database, agency_id) as connection:
        package = await _found(connection, agency_id, evidence_id)
        receipts = await evidence_store.receipts(connection, agency_id, evidence_id)
        await store.append(connection, _record(package, principal, "evidence.viewed", now))
    return package, receipts


async def download(
    evidence: Evidence, principal: Principal, evidence_id: UUID, now: datetime
) -> tuple[Package, bytes]:
    """The file, after the record of its leaving is on disk. Raises `NotFound`, an `Outage`."""
    agency_id = principal.agency_id
    async with evidence.keeping.database.transaction(agency_id) as connection:
        package = await _found(connection, agency_id, evidence_id)
    content = await evidence.keeping.pictures.get(package.object)
    async with store.recording(evidence.keeping.database, agency_id) as connection:
        record = _record(package, principal, "evidence.downloaded", now, digest=package.digest)
        await store.append(connection, replace(record, returned=package.read_ids))
    DOWNLOADED.inc()
    return package, content


async def add_receipt(
    evidence: Evidence,
    principal: Principal,
    evidence_id: UUID,
    said: dict[str, Any],
    now: datetime,
) -> Receipt:
    """Record who received the package on which medium. Raises `ReceiptIncomplete`, `NotFound`."""
    receipt = checked_receipt(evidence_id, said, principal, now)
    agency_id = principal.agency_id
    async with store.recording(evidence.keeping.database, agency_id) as connection:
        package = await _found(connection, agency_id, evidence_id)
        await evidence_store.add_receipt(connection, agency_id, receipt)
        record = _record(
            package, principal, "evidence.receipt.recorded", now,
            medium=receipt.medium, serial=receipt.serial,
            received_at=receipt.received_at.isoformat(), receipt_id=str(receipt.receipt_id),
        )  # fmt: skip
        # A name: the log holds its salted hash.
        await store.append(
            connection, replace(record, details={"received_by": receipt.received_by})
        )
    return receipt


async def receipts(
    evidence: Evidence, principal: Principal, evidence_id: UUID, now: datetime
) -> list[Receipt]:
    """The receipts of a package, oldest first; the look is recorded. Raises `NotFound`."""
    return (await show(evidence, principal, evidence_id, now))[1]


async def _found(connection: Connection, agency_id: str, evidence_id: UUID) -> Package:
    package = await evidence_store.find(connection, agency_id, evidence_id)
    if package is None:
        raise NotFound(f"There is no evidence package {evidence_id}.")
    return package


def _record(
    package: Package, principal: Principal, action: str, now: datetime, **said: Any
) -> AccessRecord:
    return done_by(
        principal,
        action,
        f"evidence:{package.evidence_id}",
        now,
        purpose=package.purpose,
        case_number=package.case_number,
        query={"inventory_number": package.inventory_number, **said},
    )
