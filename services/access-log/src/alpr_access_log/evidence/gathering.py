"""Gathering what goes into an evidence package: holds, pictures, accesses with their proofs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from alpr_access_log.evidence import store as evidence_store
from alpr_access_log.evidence.content import LogPart
from alpr_access_log.evidence.domain import Asked
from alpr_access_log.evidence.store import HeldRead, Led
from alpr_access_log.holds.handlers import Holds, is_picture_of
from alpr_access_log.log import reading as log_reading
from alpr_access_log.log.key import LogKey
from alpr_access_log.log.reading import Log, NotCoveredYet
from alpr_common.errors import NotFound
from alpr_common.objects import ObjectNotFound

log = structlog.get_logger()

_COVERED_WITHIN_SECONDS = 10.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Evidence:
    """What every use case here needs. `seal_key` is of another file than the log's key."""

    keeping: Holds
    log: Log
    seal_key: LogKey
    models_folder: Path


async def holds_on(
    evidence: Evidence, agency_id: str, named: Sequence[UUID]
) -> list[evidence_store.HoldOnIt]:
    async with evidence.keeping.database.transaction(agency_id) as connection:
        return await evidence_store.holds_on(connection, agency_id, named)


async def pictures_of(
    evidence: Evidence, agency_id: str, held: Sequence[HeldRead]
) -> dict[str, bytes]:
    """Pictures by object key; what the store does not have (any more) is left out."""
    found: dict[str, bytes] = {}
    for one in held:
        for key in (one.read.frame_object, one.read.plate_object):
            if key in found or not is_picture_of(agency_id, key):
                continue
            try:
                found[key] = await evidence.keeping.pictures.get(key)
            except ObjectNotFound:
                log.warning("evidence.picture_missing", read_id=str(one.read.read_id), key=key)
    return found


async def log_part(
    evidence: Evidence, agency_id: str, asked: Asked, named: Sequence[UUID], request_id: UUID
) -> LogPart:
    """The records that led here, each with its proof in the tree of one checkpoint."""
    await _until_covered(evidence.log, agency_id, request_id)
    note, checkpoint = await log_reading.opened(evidence.log, agency_id)
    subjects = [f"read:{one}" for one in named] + [f"alert:{one}" for one in asked.alert_ids]
    async with evidence.keeping.database.transaction(agency_id) as connection:
        holds = await evidence_store.holds_on(connection, agency_id, named)
        subjects += [f"hold:{one.hold_id}" for one in holds]
        led = await evidence_store.records_that_led(
            connection, agency_id, subjects, asked.case_number, named
        )
    proven: list[tuple[Led, dict[str, Any]]] = []
    for one in led:
        try:
            proof = await log_reading.inclusion(
                evidence.log, agency_id, one.record_id, checkpoint.size
            )
        except (NotFound, NotCoveredYet, log_reading.SizesImpossible):
            continue  # from before the log, or appended since: not what led here
        proven.append((one, proof))
    hand_overs = await log_reading.proven_hand_overs(evidence.log, agency_id, checkpoint.size)
    return LogPart(note, checkpoint, tuple(proven), tuple(hand_overs))


async def _until_covered(the_log: Log, agency_id: str, record_id: UUID) -> None:
    """Wait until a checkpoint covers the record; raises `NotCoveredYet` when none comes."""
    deadline = asyncio.get_running_loop().time() + _COVERED_WITHIN_SECONDS
    while True:
        try:
            await log_reading.inclusion(the_log, agency_id, record_id)
            return
        except (NotCoveredYet, NotFound) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise NotCoveredYet(
                    "The log does not take new entries in now; nothing was packed. Try again."
                ) from error
        await asyncio.sleep(_POLL_SECONDS)
