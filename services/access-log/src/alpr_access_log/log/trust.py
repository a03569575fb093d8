"""What this process knows of each agency's log from elsewhere than the database.

Whoever holds the database can rewrite it; what they cannot do is make this process sign the
rewritten tree. Before it signs, the stored tree must extend the newest checkpoint that it signed
or saw itself and, after a start, the one that the witness holds. All are signed by the key that
counted at their size: who has only a key that was handed over cannot go on with the log.
"""

from dataclasses import dataclass
from http import HTTPStatus

import structlog
from prometheus_client import Gauge

from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKeys
from alpr_access_log.log.signing import KeyNotHeld, Signing
from alpr_access_log.log.tree import Edge, Hashes, Span, edge_spans, hash_of, spans_of
from alpr_access_log.log.witness import Witness, WitnessDisagrees
from alpr_common.errors import AlprError
from alpr_common.postgres import Connection
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOverInvalid, hand_over_in
from alpr_translog.merkle import root_of
from alpr_translog.note import NoteInvalid

log = structlog.get_logger()

ALARM = Gauge(
    "alpr_log_alarm", "1: the stored log is not what was vouched for; nothing is signed", ["agency"]
)


class LogRewritten(AlprError):
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "The stored log is not the one that was vouched for"


@dataclass(frozen=True)
class Vouched:
    """A stored tree that extends what is trusted."""

    edge: Edge
    note: str
    """Its newest checkpoint as it is stored; empty for a tree without entries."""
    signing: Signing


class Trust:
    """Trusted checkpoints by agency, and the agencies whose log is signed no more."""

    def __init__(self, keys: LogKeys, witness: Witness) -> None:
        self.keys, self._witness = keys, witness
        self._copies: dict[str, str | None] = {}
        self._trusted: dict[str, Checkpoint] = {}
        self._without_key: set[str] = set()
        self._failed: set[tuple[str, str]] = set()
        self.alarms: dict[str, str] = {}
        """Why an agency's log is not signed any more, until a restart finds it in order."""

    async def ask_witness(self, agency_id: str) -> None:
        """Get the witness's newest copy, the first time. Raises `WitnessAway`."""
        if agency_id not in self._copies:
            self._copies[agency_id] = await self._witness.newest(agency_id)

    def remember(self, agency_id: str, checkpoint: Checkpoint) -> None:
        """Trust what was signed here or found to extend what is trusted."""
        self._trusted[agency_id] = checkpoint

    async def keep(self, agency_id: str, size: int, note: str) -> None:
        """Give the witness its copy. Raises `WitnessAway`, `LogRewritten`."""
        try:
            await self._witness.keep(agency_id, size, note)
        except WitnessDisagrees as error:
            raise LogRewritten(error.detail) from error

    def alarm(self, agency_id: str, error: LogRewritten) -> None:
        """Sign nothing of this agency any more."""
        self.alarms[agency_id] = error.detail
        ALARM.labels(agency_id).set(1)
        log.error("log.rewritten", agency_id=agency_id, error=error.detail)

    def failed(self, agency_id: str, doing: str, error: Exception) -> None:
        """Raise the alarm for what nobody expected. It is tried again: the alarm goes off when it
        `went_well`."""
        self._failed.add((agency_id, doing))
        ALARM.labels(agency_id).set(1)
        log.error("log.failed", agency_id=agency_id, doing=doing, exc_info=error)

    def went_well(self, agency_id: str, doing: str) -> None:
        if (agency_id, doing) in self._failed:
            self._failed.discard((agency_id, doing))
            if not any(agency_id == other for other, _ in self._failed):
                ALARM.labels(agency_id).set(0)

    async def vouched(self, connection: Connection, agency_id: str) -> Vouched:
        """The stored tree, found to extend the trusted checkpoint, and who signs it.

        The caller holds the agency's lock and has asked the witness. Raises `LogRewritten`,
        `KeyNotHeld`.
        """
        signing = await self._signing(connection, agency_id)
        trusted = self._newest_trusted(agency_id, signing)
        newest, note = await self._newest(connection, agency_id, signing)
        if trusted and trusted.size > newest.size:
            raise LogRewritten(
                f"A checkpoint of {trusted.size} entries was given out; {newest.size} are stored."
            )
        spans = edge_spans(newest.size)
        edge = Edge(newest.size, await fetched(connection, agency_id, spans))
        if edge.root() != newest.root:
            raise LogRewritten("The stored hashes do not make up the newest checkpoint's root.")
        if trusted and await self._root_at(connection, agency_id, trusted.size) != trusted.root:
            raise LogRewritten(
                f"The stored log does not begin with the {trusted.size} entries vouched for."
            )
        if newest.size:
            self.remember(agency_id, newest)
        return Vouched(edge, note, signing)

    async def _signing(self, connection: Connection, agency_id: str) -> Signing:
        """Who signs; the alarm is on while that is nobody here, and goes off by itself: a replica
        gets its key file later than another."""
        try:
            signing = await signing_of(connection, self.keys, agency_id)
        except KeyNotHeld:
            self._without_key.add(agency_id)
            ALARM.labels(agency_id).set(1)
            raise
        if agency_id in self._without_key:
            self._without_key.discard(agency_id)
            ALARM.labels(agency_id).set(0)
        return signing

    def _newest_trusted(self, agency_id: str, signing: Signing) -> Checkpoint | None:
        """None for a log that nobody has seen yet."""
        copy = self._copies.get(agency_id)
        if agency_id in self._trusted or copy is None:
            return self._trusted.get(agency_id)
        try:
            return signing.lineage.open(copy)
        except NoteInvalid as error:
            raise LogRewritten(f"The witness's copy of {agency_id}: {error}") from error

    async def _newest(
        self, connection: Connection, agency_id: str, signing: Signing
    ) -> tuple[Checkpoint, str]:
        stored = await log_store.newest_checkpoint(connection, agency_id)
        count = await log_store.entry_count(connection, agency_id)
        if stored is None:
            if count:
                raise LogRewritten(f"{count} entries are stored and no checkpoint of them.")
            return Checkpoint(signing.signers[0].name, 0, Edge(0, {}).root()), ""
        try:
            newest = signing.lineage.open(stored.note)
        except NoteInvalid as error:
            raise LogRewritten(f"The newest checkpoint: {error}") from error
        if newest.size != stored.size or newest.root != stored.root or newest.size != count:
            raise LogRewritten(
                f"The newest checkpoint says {newest.size} entries; {count} are stored."
            )
        return newest, stored.note

    async def _root_at(self, connection: Connection, agency_id: str, size: int) -> bytes:
        spans = spans_of(lambda h: root_of(h, size))
        return root_of(hash_of(await fetched(connection, agency_id, spans)), size)


async def fetched(connection: Connection, agency_id: str, spans: list[Span]) -> Hashes:
    """The hashes of each span; raises `LogRewritten` when some are missing."""
    found = await log_store.hashes(connection, agency_id, spans)
    for span in spans:
        if span.count and len(found[span]) != span.count:
            raise LogRewritten(f"Hashes {span.first} to {span.first + span.count} are missing.")
    return found


async def signing_of(connection: Connection, keys: LogKeys, agency_id: str) -> Signing:
    """Who signs an agency's log now, and did before. Raises `KeyNotHeld`, `LogRewritten`."""
    try:
        found = [
            hand_over_in(entry, index)
            for index, entry in await log_store.hand_overs(connection, agency_id)
        ]
        return Signing.of(keys.now(), agency_id, [one for one in found if one is not None])
    except HandOverInvalid as error:
        raise LogRewritten(f"The log's hand-overs: {error}.") from error
