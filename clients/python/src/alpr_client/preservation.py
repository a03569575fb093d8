"""Legal holds and evidence packages, for supervisors and administrators (131.7-2)."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from alpr_client.models import EvidencePackage, Hold, Page, Receipt
from alpr_client.transport import Transport, every

_DOOR = "access_log"


class Holds:
    """`client.holds`: what keeps reads from being deleted."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def place(
        self,
        *,
        reason: str,
        case_number: str,
        read_ids: Sequence[UUID | str] = (),
        alert_id: UUID | str | None = None,
        plate: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
        lookalike: bool = False,
    ) -> Hold:
        """Keep reads: those named, or those of an alert, or a plate's from `begin` to `end`
        (which may lie ahead: what comes until then is kept too)."""
        said = {
            "reason": reason,
            "case_number": case_number,
            "read_ids": [str(one) for one in read_ids],
            "alert_id": alert_id and str(alert_id),
            "plate": plate,
            "from": begin and begin.isoformat(),
            "to": end and end.isoformat(),
            "lookalike": lookalike,
        }
        return await self._transport.model(Hold, _DOOR, "POST", "/v1/holds", json=said)

    async def release(self, hold_id: UUID | str, reason: str) -> Hold:
        """As a second person, who did not place it: its reads are deleted as others are, unless
        another hold keeps them."""
        path = f"/v1/holds/{hold_id}/release"
        return await self._transport.model(Hold, _DOOR, "POST", path, json={"reason": reason})

    async def list(
        self, *, in_force: bool | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Page[Hold]:
        """Newest first; auditors may see them too."""
        wanted = {"in_force": in_force, "cursor": cursor, "limit": limit}
        return await self._transport.model(Page[Hold], _DOOR, "GET", "/v1/holds", params=wanted)

    def every(self, *, in_force: bool | None = None) -> AsyncIterator[Hold]:
        return every(lambda cursor: self.list(in_force=in_force, cursor=cursor))

    async def get(self, hold_id: UUID | str) -> Hold:
        """With the reads that it names."""
        return await self._transport.model(Hold, _DOOR, "GET", f"/v1/holds/{hold_id}")


class Evidence:
    """`client.evidence`: sealed packages of held reads and their alerts.

    Check one offline with `alpr evidence verify`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def prepare(
        self,
        *,
        purpose: str,
        case_number: str,
        read_ids: Sequence[UUID | str] = (),
        alert_ids: Sequence[UUID | str] = (),
    ) -> EvidencePackage:
        """Seal reads and alerts into a package; all of the reads must be under a hold."""
        said = {
            "purpose": purpose,
            "case_number": case_number,
            "read_ids": [str(one) for one in read_ids],
            "alert_ids": [str(one) for one in alert_ids],
        }
        return await self._transport.model(
            EvidencePackage, _DOOR, "POST", "/v1/evidence", json=said
        )

    async def list(
        self,
        *,
        case_number: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[EvidencePackage]:
        wanted = {"case_number": case_number, "cursor": cursor, "limit": limit}
        return await self._transport.model(
            Page[EvidencePackage], _DOOR, "GET", "/v1/evidence", params=wanted
        )

    def every(self, *, case_number: str | None = None) -> AsyncIterator[EvidencePackage]:
        return every(lambda cursor: self.list(case_number=case_number, cursor=cursor))

    async def get(self, evidence_id: UUID | str) -> EvidencePackage:
        """With its receipts."""
        path = f"/v1/evidence/{evidence_id}"
        return await self._transport.model(EvidencePackage, _DOOR, "GET", path)

    async def download(self, evidence_id: UUID | str) -> bytes:
        """The package's file, a ZIP, as `alpr evidence verify` checks it. Recorded."""
        path = f"/v1/evidence/{evidence_id}/file"
        return (await self._transport.call(_DOOR, "GET", path)).content

    async def add_receipt(
        self,
        evidence_id: UUID | str,
        *,
        received_by: str,
        medium: str,
        serial: str,
        received_at: datetime | None = None,
        note: str | None = None,
    ) -> Receipt:
        """Who received it on which portable medium; `received_at` is now when it is left out."""
        said = {
            "received_by": received_by,
            "medium": medium,
            "serial": serial,
            "received_at": received_at and received_at.isoformat(),
            "note": note,
        }
        path = f"/v1/evidence/{evidence_id}/receipts"
        return await self._transport.model(Receipt, _DOOR, "POST", path, json=said)

    async def receipts(self, evidence_id: UUID | str) -> Sequence[Receipt]:
        """Oldest first."""
        path = f"/v1/evidence/{evidence_id}/receipts"
        return (await self._transport.model(Page[Receipt], _DOOR, "GET", path)).items

    async def verifier_key(self, agency_id: str) -> str:
        """The seal's verifier key. Compare it with the one that was handed out on paper."""
        path = f"/v1/evidence/keys/{agency_id}"
        return (await self._transport.call(_DOOR, "GET", path, signed=False)).text.strip()
