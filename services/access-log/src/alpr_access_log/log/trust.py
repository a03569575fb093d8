"""What this process knows of each agency's log from elsewhere than the database.

Whoever holds the database can rewrite it; what they cannot do is make this process sign the
rewritten tree. Before it signs, the stored tree must extend the newest checkpoint that it signed
or saw itself and, after a start, the one that the witness holds.
"""

from http import HTTPStatus

import structlog
from prometheus_client import Gauge

from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKey
from alpr_access_log.log.tree import Edge, Hashes, Span, edge_spans, hash_of, spans_of
from alpr_access_log.log.witness import Witness, WitnessDisagrees
from alpr_common.errors import AlprError
from alpr_common.postgres import Connection
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.merkle import root_of
from alpr_translog.note import NoteInvalid

log = structlog.get_logger()

ALARM = Gauge(
    "alpr_log_alarm", "1: the stored log is not what was vouched for; nothing is signed", ["agency"]
)


class LogRewritten(AlprError):
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "The stored log is not the one that was vouched for"


class Trust:
    """Trusted checkpoints by agency, and the agencies whose log is signed no more."""

    def __init__(self, key: LogKey, witness: Witness) -> None:
        self.key, self._witness = key, witness
        self._trusted: dict[str, Checkpoint | None] = {}
        self.alarms: dict[str, str] = {}
        """Why an agency's log is not signed any more, until a restart finds it in order."""

    async def of(self, agency_id: str) -> Checkpoint | None:
        """The newest trusted checkpoint; None for a log that nobody has seen yet.

        The witness is asked the first time. Raises `WitnessAway`, `LogRewritten`.
        """
        if agency_id not in self._trusted:
            note = await self._witness.newest(agency_id)
            try:
                verifier = self.key.verifier(agency_id)
                self._trusted[agency_id] = Checkpoint.open(note, verifier) if note else None
            except NoteInvalid as error:
                raise LogRewritten(f"The witness's copy of {agency_id}: {error}") from error
        return self._trusted[agency_id]

    def remember(self, agency_id: str, checkpoint: Checkpoint) -> None:
        """Trust what was signed here or found to extend what is trusted."""
        self._trusted[agency_id] = checkpoint

    async def keep(self, agency_id: str, checkpoint: Checkpoint) -> None:
        """Give the witness its copy. Raises `WitnessAway`, `LogRewritten`."""
        note = checkpoint.sign(self.key.signer(agency_id))  # Ed25519: always the same bytes
        try:
            await self._witness.keep(agency_id, checkpoint.size, note)
        except WitnessDisagrees as error:
            raise LogRewritten(error.detail) from error

    def alarm(self, agency_id: str, error: LogRewritten) -> None:
        """Sign nothing of this agency any more."""
        self.alarms[agency_id] = error.detail
        ALARM.labels(agency_id).set(1)
        log.error("log.rewritten", agency_id=agency_id, error=error.detail)

    async def checked_edge(self, connection: Connection, agency_id: str) -> Edge:
        """The right edge of the stored tree, found to extend the trusted checkpoint.

        The caller holds the agency's lock. Raises `LogRewritten`, `WitnessAway`.
        """
        trusted = await self.of(agency_id)
        newest = await self._newest(connection, agency_id)
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
        return edge

    async def _newest(self, connection: Connection, agency_id: str) -> Checkpoint:
        stored = await log_store.newest_checkpoint(connection, agency_id)
        count = await log_store.entry_count(connection, agency_id)
        verifier = self.key.verifier(agency_id)
        if stored is None:
            if count:
                raise LogRewritten(f"{count} entries are stored and no checkpoint of them.")
            return Checkpoint(verifier.name, 0, Edge(0, {}).root())
        try:
            newest = Checkpoint.open(stored.note, verifier)
        except NoteInvalid as error:
            raise LogRewritten(f"The newest checkpoint: {error}") from error
        if newest.size != stored.size or newest.root != stored.root or newest.size != count:
            raise LogRewritten(
                f"The newest checkpoint says {newest.size} entries; {count} are stored."
            )
        return newest

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
