"""The rules of evidence packages (131.7-2): what one must say. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from alpr_access_log.evidence.store import Receipt
from alpr_access_log.refusals import CaseNumberMissing, PurposeMissing, PurposeUnknown
from alpr_common.auth import Principal
from alpr_common.errors import AlprError
from alpr_common.policy import Policy


class EvidenceNamesNothing(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "An evidence package names reads or alerts"
    clause = "131.7-2"


class EvidenceNotHeld(AlprError):
    status = HTTPStatus.CONFLICT
    title = "Evidence comes from what a legal hold keeps"
    clause = "131.5-c"


class ReceiptIncomplete(AlprError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A receipt names the receiver, the medium, its serial number and the time"
    clause = "131.7-2"


@dataclass(frozen=True)
class Asked:
    """What is to be packed, and why: complete, or it would not exist."""

    purpose: str
    purpose_label: str
    case_number: str
    read_ids: tuple[UUID, ...]
    alert_ids: tuple[UUID, ...]


def checked_asked(
    purpose: str | None,
    case_number: str | None,
    read_ids: Sequence[UUID],
    alert_ids: Sequence[UUID],
    policy: Policy,
) -> Asked:
    """The complete request; raises a refusal that says what is missing."""
    purpose, case_number = (purpose or "").strip(), (case_number or "").strip()
    if not purpose:
        raise PurposeMissing(f"Say what for: one of {', '.join(policy.purposes)}.")
    if purpose not in policy.purposes:
        raise PurposeUnknown(f"Say one of {', '.join(policy.purposes)}.")
    if not case_number:
        raise CaseNumberMissing("Name the case or incident that the evidence belongs to.")
    if not read_ids and not alert_ids:
        raise EvidenceNamesNothing("Name `read_ids` that are under a hold, or `alert_ids`.")
    return Asked(
        purpose, policy.purposes[purpose], case_number, tuple(dict.fromkeys(read_ids)),
        tuple(dict.fromkeys(alert_ids)),
    )  # fmt: skip


def checked_receipt(
    evidence_id: UUID, said: Mapping[str, Any], principal: Principal, now: datetime
) -> Receipt:
    """The complete receipt; raises `ReceiptIncomplete`."""
    texts = {name: " ".join(str(said.get(name) or "").split()) for name in _RECEIPT_WORDS}
    missing = [name for name, text in texts.items() if not text]
    received_at = said.get("received_at") or now
    if missing:
        raise ReceiptIncomplete(f"Say {', '.join(missing)}.")
    if received_at > now:
        raise ReceiptIncomplete("`received_at` lies ahead: record a receipt when it was given.")
    return Receipt(
        receipt_id=uuid4(),
        evidence_id=evidence_id,
        received_by=texts["received_by"],
        received_at=received_at,
        medium=texts["medium"],
        serial=texts["serial"],
        note=said.get("note"),
        recorded_at=now,
        recorded_by_id=principal.person_id,
        recorded_by_name=principal.name,
    )


_RECEIPT_WORDS = ("received_by", "medium", "serial")
