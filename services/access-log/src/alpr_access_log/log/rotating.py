"""`python -m alpr_access_log rotate-log-key`: a new key for the log, handed over to by the old one.

Begun and finished with one command each; in between both keys sign, for whoever has not got the
new verifier key yet. The running service reads the file and hands over: no restart, and no log
begins anew.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_access_log.log import store as log_store
from alpr_access_log.log.key import LogKey, LogKeys, keys_in
from alpr_access_log.log.signing import KeyNotHeld
from alpr_access_log.log.trust import LogRewritten, signing_of
from alpr_access_log.settings import Settings
from alpr_common.errors import AlprError, Outage
from alpr_common.postgres import Database, migrate
from alpr_common.secret_file import write_secret_file
from alpr_translog.handover import Lineage


class RotationImpossible(AlprError):
    status = HTTPStatus.CONFLICT
    title = "The log's key is not changed now"


@dataclass(frozen=True)
class HandedOver:
    """How far one agency's log is."""

    agency_id: str
    lineage: Lineage | None
    """None: not handed over to the new key."""


def begin(file: Path, log_name: str, into: Path | None = None) -> LogKey:
    """Put a new key beside the file's, or into a copy of the file in a folder; returns it.

    Raises `RotationImpossible`, OSError, ValueError.
    """
    keys = keys_in(file.read_text(), log_name)
    if len(keys) != 1:
        raise RotationImpossible("Two keys sign already; finish that change first.")
    new = LogKey(log_name, Ed25519PrivateKey.generate())
    _write(file, f"Takes over:\n{new.to_pem()}Hands over:\n{keys[0].to_pem()}", into)
    return new


def finish(file: Path, log_name: str, into: Path | None = None) -> None:
    """Leave the new key alone in the file, which `progress` has found to be enough.

    Raises `RotationImpossible`, OSError, ValueError.
    """
    _write(file, changing(file, log_name)[1].to_pem(), into)


def changing(file: Path, log_name: str) -> tuple[LogKey, LogKey]:
    """The old and the new key; raises `RotationImpossible`, OSError, ValueError."""
    keys = keys_in(file.read_text(), log_name)
    if len(keys) != 2:
        raise RotationImpossible("One key signs alone; there is no change to finish.")
    return keys[0], keys[1]


async def progress(database: Database, new: LogKey) -> list[HandedOver]:
    """How far each agency's log is on its way to that key; raises an `Outage`."""
    async with database.transaction() as connection:
        agencies = await log_store.agencies(connection)
    return [await _handed_over(database, new, agency_id) for agency_id in agencies]


async def _handed_over(database: Database, new: LogKey, agency_id: str) -> HandedOver:
    try:
        async with database.transaction(agency_id) as connection:
            lineage = (await signing_of(connection, LogKeys(new), agency_id)).lineage
    except (KeyNotHeld, LogRewritten):
        return HandedOver(agency_id, None)
    return HandedOver(agency_id, lineage if lineage.hand_overs else None)


def _write(file: Path, text: str, into: Path | None) -> None:
    if into is not None:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret_file(into / file.name if into else file, text, 0o600)


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 when it is done, 1 when it is not to be done now, 2 on an outage."""
    parser = argparse.ArgumentParser(
        prog="python -m alpr_access_log rotate-log-key",
        description="Change the key that signs the access log. The service hands each log over to "
        "the new key by an entry of it, and signs with both keys until --finish.",
    )
    parser.add_argument(
        "--finish", action="store_true", help="take the old key out of the file, for good"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER",
        help="write the new file there, to be put in place by other means (secret stores)",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    settings = Settings()
    file, name = settings.log_key_file, settings.log_name
    try:
        if given.finish:
            found = asyncio.run(_progress(settings, changing(file, name)[1]))
            if not _tell(found):
                return 1
            finish(file, name, given.into)
            print("The new key signs alone. Hand out the verifier keys above.")
        else:
            begin(file, name, given.into)
            print(f"{(given.into or file.parent) / file.name} holds the old key and a new one.")
            print("The service hands the logs over once it has read it; then --finish.")
    except Outage as error:
        print(f"nothing was changed: {error}", file=sys.stderr)
        return 2
    except (RotationImpossible, ValueError, OSError) as error:
        print(f"nothing was changed: {error}", file=sys.stderr)
        return 1
    return 0


async def _progress(settings: Settings, new: LogKey) -> list[HandedOver]:
    await migrate(settings.migration_database_url, "alpr_access_log")
    database = await Database.connect(settings.database_url, 1)
    try:
        return await progress(database, new)
    finally:
        await database.close()


def _tell(found: Sequence[HandedOver]) -> bool:
    """Whether the old key can go."""
    for one in found:
        if one.lineage is None:
            print(f"{one.agency_id}: not handed over yet")
        else:
            entry = one.lineage.hand_overs[-1].size
            print(f"{one.agency_id}: handed over at entry {entry} to {one.lineage.last}")
    is_done = all(one.lineage for one in found)
    if not is_done:
        print("nothing was changed: the old key is needed still", file=sys.stderr)
    return is_done
