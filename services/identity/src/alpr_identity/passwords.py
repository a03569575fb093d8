"""Password hashes: argon2id, or PBKDF2-HMAC-SHA-512 where FIPS 140 binds.

Hashing takes tens of milliseconds and, for argon2id, 64 MiB on purpose: it runs in threads, a few
at a time, so that a burst of sign-ins neither stops the event loop nor fills the memory.
"""

import asyncio
import base64
import hashlib
import hmac
import importlib.resources
import secrets
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from alpr_identity.domain import normalized_password

_PBKDF2 = "pbkdf2-sha512"
_PBKDF2_SALT_BYTES = 16
_PBKDF2_ITERATIONS = 210_000
_AT_ONCE = 2


@dataclass(frozen=True)
class Verdict:
    """Whether the password is right, and whether its hash should be made anew."""

    right: bool
    stale: bool = False


@dataclass
class Passwords:
    """Hashes and verifies under the profile in force; parameters travel in the hash."""

    fips: bool = False
    argon2: PasswordHasher = field(default_factory=PasswordHasher)
    pbkdf2_iterations: int = _PBKDF2_ITERATIONS
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def __post_init__(self) -> None:
        # Of a password that nobody knows, with the parameters in force; made now, so that the
        # first stranger does not take longer than the second.
        self._nobodys = self._hash(secrets.token_urlsafe(32))

    @property
    def name(self) -> str:
        """What new hashes are made with, as an auditor reads it."""
        if self.fips:
            return f"PBKDF2-HMAC-SHA-512, {self.pbkdf2_iterations} iterations"
        made = self.argon2
        return f"argon2id, {made.memory_cost} KiB, {made.time_cost} passes"

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hash, normalized_password(password))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare with `stored`. None (nobody of that name) costs the same and is never right."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, normalized_password(password), stored)

    def _hash(self, password: str) -> str:
        if not self.fips:
            return self.argon2.hash(password)
        salt = secrets.token_bytes(_PBKDF2_SALT_BYTES)
        return _pbkdf2(password, salt, self.pbkdf2_iterations)

    def _verify(self, password: str, stored: str | None) -> Verdict:
        if stored is None or not self._may_use(stored):
            self._compare(password, self._nobodys)
            return Verdict(False)
        right = self._compare(password, stored)
        return Verdict(right, right and self._is_stale(stored))

    def _may_use(self, stored: str) -> bool:
        # An argon2id hash from before the FIPS profile is of no use under it: the person gets a
        # new password from their administrator.
        return not self.fips or stored.startswith(f"${_PBKDF2}$")

    def _compare(self, password: str, stored: str) -> bool:
        if stored.startswith(f"${_PBKDF2}$"):
            _, _, iterations, salt, _ = stored.split("$")
            again = _pbkdf2(password, base64.b64decode(salt), int(iterations))
            return hmac.compare_digest(again, stored)
        try:
            return self.argon2.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def _is_stale(self, stored: str) -> bool:
        if stored.startswith(f"${_PBKDF2}$"):
            return not self.fips or int(stored.split("$")[2]) != self.pbkdf2_iterations
        return self.argon2.check_needs_rehash(stored)


def _pbkdf2(password: str, salt: bytes, iterations: int) -> str:
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    parts = (base64.b64encode(part).decode() for part in (salt, made))
    return "$".join(["", _PBKDF2, str(iterations), *parts])


def banned_passwords() -> frozenset[str]:
    """The shipped list of common passwords, folded."""
    text = importlib.resources.files("alpr_identity").joinpath("banned_passwords.txt")
    lines = (line.strip() for line in text.read_text("utf-8").splitlines())
    return frozenset(line.casefold() for line in lines if line and not line.startswith("#"))
