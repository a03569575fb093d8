"""The key that signs tokens, and how it is changed without anybody being signed out.

The private file holds PEM blocks; a line `Signs from: <time>` before a block says from when on it
signs, and the one that came last by then does. The public file, which every service reads, holds
the new key from the moment of the change and names until when the old one still verifies: until
the last token that it signed has ended.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from alpr_common.auth import TokenIssuer
from alpr_common.auth.keys import TokenKey, TokenKeys, pem_blocks, public_keys_in
from alpr_common.secret_file import write_secret_file
from alpr_common.watched_file import WatchedFile

log = structlog.get_logger()

SIGNS_FROM = "Signs from"
# The longest life of a token (settings), and what clocks may differ by.
_TOKENS_END_AFTER = timedelta(seconds=900 + 60)


class KeysDiffer(Exception):
    """The public keys that all services verify with do not hold the one that signs."""


class RotationUnderWay(Exception):
    """The last change has not come to its end: two keys at a time are enough."""


@dataclass(frozen=True)
class SigningKey:
    private_key: Ed25519PrivateKey
    signs_from: datetime

    @property
    def key_id(self) -> str:
        return TokenKey.of(self.private_key.public_key()).key_id

    def to_pem(self) -> str:
        pem = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        since = self.signs_from > _EVER
        return (f"{SIGNS_FROM}: {self.signs_from.isoformat()}\n" if since else "") + pem.decode()


_EVER = datetime.min.replace(tzinfo=UTC)


def private_keys_in(text: str) -> tuple[SigningKey, ...]:
    """The keys of a file, that which signs from last at the end. Raises ValueError when one is not
    Ed25519 or there is none."""
    keys = []
    for signs_from, pem in pem_blocks(text, SIGNS_FROM):
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the file holds a key that is no Ed25519 private key")
        keys.append(SigningKey(key, signs_from or _EVER))
    if not keys:
        raise ValueError("the file holds no Ed25519 private key")
    return tuple(sorted(keys, key=lambda key: key.signs_from))


def signing_at(keys: tuple[SigningKey, ...], now: datetime) -> SigningKey:
    """The key that signs at `now`; the first one where none does yet."""
    return next((key for key in reversed(keys) if key.signs_from <= now), keys[0])


class SigningKeys:
    """Issues tokens with the key whose turn it is; the file is read anew when it changes."""

    def __init__(self, path: Path, verifying: TokenKeys, lifetime_seconds: int) -> None:
        """Raises `KeysDiffer` rather than sign what nobody accepts, OSError, ValueError."""
        self._watched = WatchedFile(path, private_keys_in)
        self._verifying = verifying
        self.lifetime_seconds = lifetime_seconds
        now = datetime.now(UTC)
        # The key that signs next as well: its turn must not come as a surprise.
        for key in (signing_at(self._watched.content(), now), self._watched.content()[-1]):
            if not verifying.named(key.key_id, now):
                raise KeysDiffer(
                    "ALPR_TOKEN_PUBLIC_KEY_FILE does not hold the public half of "
                    "ALPR_IDENTITY_TOKEN_PRIVATE_KEY_FILE; no token would be accepted"
                )
        self._last = self._issuer(signing_at(self._watched.content(), now))

    def issuer(self, now: datetime) -> TokenIssuer:
        """What signs at `now`. A key that the public file does not hold does not get its turn: the
        one before goes on, and the operators are told."""
        key = signing_at(self._watched.content(), now)
        if key.private_key is not self._last.private_key:
            if self._verifying.named(key.key_id, now):
                self._last = self._issuer(key)
                log.info("token_key.signs", key_id=key.key_id)
            else:
                log.error("token_key.not_published", key_id=key.key_id)
        return self._last

    def _issuer(self, key: SigningKey) -> TokenIssuer:
        return TokenIssuer(key.private_key, self.lifetime_seconds)


@dataclass(frozen=True)
class Rotation:
    """What was changed: names of keys, and when which one comes and goes."""

    new_key_id: str
    signs_from: datetime
    old_key_id: str
    old_valid_until: datetime


def rotate(
    private_file: Path, public_file: Path, after_seconds: int, now: datetime,
    into: Path | None = None,
) -> Rotation:  # fmt: skip
    """A new key that signs after `after_seconds`, in the two files or in copies of them `into` a
    folder. Raises `RotationUnderWay`, `KeysDiffer`, OSError, ValueError.

    A crash in between leaves a public key more than is needed, never one too few: the old key's
    end is written last.
    """
    private = private_keys_in(private_file.read_text())
    public = public_keys_in(public_file.read_text())
    if private[-1].signs_from > now:
        raise RotationUnderWay(f"A key waits to sign from {private[-1].signs_from} on.")
    old = signing_at(private, now)
    if old.key_id not in {key.key_id for key in public}:
        raise KeysDiffer(f"{public_file} does not hold the key that signs")
    signs_from = now + timedelta(seconds=after_seconds)
    new = SigningKey(Ed25519PrivateKey.generate(), signs_from)
    ends = signs_from + _TOKENS_END_AFTER
    counting = [key for key in public if key.valid_until is None or key.valid_until > now]
    added = TokenKey.of(new.private_key.public_key())
    to_public, to_private = public_file, private_file
    if into is not None:
        into.mkdir(mode=0o700, exist_ok=True)
        to_public, to_private = into / public_file.name, into / private_file.name
    write_secret_file(to_public, "".join(key.to_pem() for key in [*counting, added]), 0o644)
    write_secret_file(to_private, old.to_pem() + new.to_pem(), 0o600)
    ending = [TokenKey.of(key.public_key, key.valid_until or ends) for key in counting]
    write_secret_file(to_public, "".join(key.to_pem() for key in [*ending, added]), 0o644)
    return Rotation(new.key_id, signs_from, old.key_id, ends)
