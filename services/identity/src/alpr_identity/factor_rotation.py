"""How the secrets that second factors are sealed with are changed while the service runs.

A new secret comes first in the file, what is stored is sealed anew under it, and old ones go once
nothing rests on them. Recovery codes are hashes: they rest on the secret under which they were
made until their person renews them.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path

from alpr_common.postgres import Connection
from alpr_common.secret_file import write_secret_file
from alpr_identity import factor_store
from alpr_identity.identity import Identity
from alpr_identity.sealing import Sealer


@dataclass(frozen=True)
class Resealed:
    """How much was sealed anew, and what rests on older secrets still."""

    secrets: int
    people_with_old_codes: int


def add_secret(path: Path, into: Path | None = None) -> Path:
    """Put a new secret first; returns the file written (in the folder `into`, or in place).

    Raises `KeyFileUnusable` for a file that could not be used before, OSError.
    """
    present = path.read_text()
    Sealer.from_text(present)
    return _write(path, [secrets.token_urlsafe(32), *_lines(present)], into)


def keep_first(path: Path) -> int:
    """Drop every secret but the first; returns how many went."""
    first, *others = _lines(path.read_text())
    if others:
        _write(path, [first], None)
    return len(others)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _write(path: Path, lines: list[str], into: Path | None) -> Path:
    if into is not None:
        into.mkdir(mode=0o700, exist_ok=True)
        path = into / path.name
    write_secret_file(path, "".join(f"{line}\n" for line in lines), 0o600)
    return path


async def reseal(identity: Identity) -> Resealed:
    """Seal everything anew under the first secret, agency by agency.

    Raises `SecretUnreadable` when something opens with no secret of the file: then nothing of that
    agency is changed.
    """
    async with identity.database.transaction() as connection:
        agencies = await factor_store.agencies(connection)
    sealed = people = 0
    for agency_id in agencies:
        async with identity.database.transaction(agency_id) as connection:
            sealed += await _reseal(connection, identity.sealing)
            people += await factor_store.people_with_other_codes(
                connection, identity.sealing.key_id
            )
    return Resealed(sealed, people)


async def _reseal(connection: Connection, sealer: Sealer) -> int:
    sealed = 0
    for person_id, factor in await factor_store.lock_factors(connection):
        anew = [
            sealer.seal(sealer.open(secret, person_id), person_id) if secret else None
            for secret in (factor.sealed_secret, factor.pending_secret)
        ]
        await factor_store.replace_sealed(connection, person_id, *anew)
        sealed += sum(one is not None for one in anew)
    return sealed
