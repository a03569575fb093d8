"""What goes into an evidence package, as files. Pure."""

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from alpr_access_log.evidence.cover import Cover, Item, ListedFile
from alpr_access_log.evidence.domain import Asked
from alpr_access_log.evidence.store import HeldRead, HoldOnIt, Led
from alpr_evidence.package import Contents, Custody, LogProof
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.proven import ProvenHandOver

_ACTIONS = {
    "search": "searched stored reads and was shown it",
    "search.page": "was shown it on a further page of the search",
    "read.picture.viewed": "viewed a picture of it",
    "alert.viewed": "viewed the alert",
    "alert.picture.viewed": "viewed a picture of the alert",
    "hold.placed": "put it under a legal hold",
    "hold.extended": "extended the legal hold",
    "hold.released": "released a legal hold",
    "hold.viewed": "viewed the legal hold",
    "evidence.requested": "asked for this evidence",
}


@dataclass(frozen=True)
class LogPart:
    """Access records that led to the package, each with its proof in one checkpoint's tree."""

    note: str
    checkpoint: Checkpoint
    proven: tuple[tuple[Led, dict[str, Any]], ...]
    hand_overs: tuple[ProvenHandOver, ...] = ()
    """Those of the log so far, proven towards the checkpoint."""


@dataclass(frozen=True)
class Gathered:
    """Everything that is packed. `pictures` by object key; alerts as their service shows them."""

    agency_id: str
    asked: Asked
    prepared_by: str
    prepared_at: datetime
    reads: Sequence[HeldRead]
    alerts: Sequence[dict[str, Any]]
    pictures: Mapping[str, bytes]
    models: Sequence[dict[str, Any]]
    holds: Sequence[HoldOnIt]
    log: LogPart


def files_of(gathered: Gathered) -> dict[str, bytes]:
    """The package's files by path below `data/`, but the cover sheet, custody and proofs."""
    files: dict[str, bytes] = {}
    for one in gathered.reads:
        read = one.read
        files[f"reads/{read.read_id}.json"] = _json(one.message)
        for kind, key in (("frame", read.frame_object), ("plate", read.plate_object)):
            if key in gathered.pictures:
                files[f"pictures/{read.read_id}-{kind}.jpg"] = gathered.pictures[key]
    for alert in gathered.alerts:
        files[f"alerts/{alert['alert_id']}.json"] = _json(alert)
    files["models.json"] = _json(list(gathered.models))
    files["holds.json"] = _json([asdict(hold) for hold in gathered.holds])
    files["accesses.json"] = _json([_access(led, proof) for led, proof in gathered.log.proven])
    return files


def _access(led: Led, proof: dict[str, Any]) -> dict[str, Any]:
    """A record in clear words beside its leaf, with the salts that tie its texts to the leaf."""
    return asdict(led) | {
        "index": proof["index"],
        "leaf": json.loads(b64decode(proof["entry"])),
        "texts": proof["texts"],
    }


def listed(files: Mapping[str, bytes]) -> list[ListedFile]:
    """Paths with sizes and hashes, in order."""
    return [
        ListedFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in sorted(files.items())
    ]


def custody_of(gathered: Gathered, inventory_number: str) -> list[Custody]:
    """Who had to do with it, from the camera to the seal, in order of time."""
    chain = []
    for one in gathered.reads:
        read = one.read
        said = f"captured {read.plate} (read {read.read_id})"
        chain.append(Custody(read.captured_at, f"camera {read.camera_id}", said))
    chain += [step for alert in gathered.alerts for step in _steps(alert)]
    for led, _ in gathered.log.proven:
        if led.action.startswith("alert.") and led.action not in _ACTIONS:
            continue  # a step, which the alert's own history tells
        said = _ACTIONS.get(led.action, led.action)
        if led.case_number:
            said += f", case {led.case_number}"
        chain.append(Custody(led.occurred_at, _person(led.person_name, led.person_id), said))
    chain.sort(key=lambda link: link.at)
    said = f"packed and sealed it as {inventory_number}"
    chain.append(Custody(gathered.prepared_at, gathered.prepared_by, said))
    return chain


def _steps(alert: Mapping[str, Any]) -> Iterable[Custody]:
    for step in alert["history"]:
        said = f"alert {alert['alert_id']}: {step['step'].replace('_', ' ')}"
        person = _person(step["person_name"], step["person_id"])
        yield Custody(datetime.fromisoformat(step["occurred_at"]), person, said)


def _person(name: str, person_id: str | None) -> str:
    if not name:
        return person_id or "the system"
    return f"{name} ({person_id})" if person_id else name


def cover_of(
    gathered: Gathered, inventory_number: str, files: Mapping[str, bytes], seal_key: str
) -> Cover:
    checkpoint = gathered.log.checkpoint
    return Cover(
        inventory_number=inventory_number,
        agency_id=gathered.agency_id,
        case_number=gathered.asked.case_number,
        purpose=gathered.asked.purpose_label,
        prepared_by=gathered.prepared_by,
        prepared_at=gathered.prepared_at,
        alert_lines=[_alert_line(alert) for alert in gathered.alerts],
        items=[_item(one, gathered.pictures) for one in gathered.reads],
        files=listed(files),
        custody=[
            (link.at, link.person, link.action) for link in custody_of(gathered, inventory_number)
        ],
        log_line=f"{checkpoint.origin}: {len(gathered.log.proven)} entries proven in the tree of "
        f"{checkpoint.size}, root {checkpoint.root.hex()}",
        seal_key=seal_key,
    )


def _alert_line(alert: Mapping[str, Any]) -> str:
    line = f"Alert {alert['alert_id']}: {alert['category_label']}, {alert['state']}"
    if alert.get("incident_number"):
        line += f", incident {alert['incident_number']}"
    return f"{line}. Reason on the list: {alert['entry']['reason']}"


def _item(one: HeldRead, pictures: Mapping[str, bytes]) -> Item:
    read = one.read
    return Item(
        read.plate, read.jurisdiction, read.captured_at, read.camera_id, read.latitude,
        read.longitude, read.confidence, str(read.read_id), pictures.get(read.plate_object),
    )  # fmt: skip


def contents_of(gathered: Gathered, inventory_number: str, files: Mapping[str, bytes]) -> Contents:
    """All of it, ready to be sealed."""
    return Contents(
        inventory_number=inventory_number,
        case_number=_one_line(gathered.asked.case_number),
        agency_id=gathered.agency_id,
        prepared_by=_one_line(gathered.prepared_by),
        prepared_at=gathered.prepared_at,
        files=files,
        custody=custody_of(gathered, inventory_number),
        checkpoint=gathered.log.note,
        proofs=[
            LogProof(
                int(proof["index"]),
                b64decode(proof["entry"]),
                tuple(b64decode(part) for part in proof["path"]),
            )
            for _, proof in gathered.log.proven
        ],
        hand_overs=gathered.log.hand_overs,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str).encode()
