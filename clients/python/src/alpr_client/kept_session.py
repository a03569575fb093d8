"""The session that `alpr sign-in` keeps between commands, in a file of the owner alone.

A refresh token works once, and one that comes back ends the session: so whoever refreshes holds a
lock, looks at what the file says by then, and has written the next token before letting go.
"""

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from alpr_client.errors import ClientError, NotSignedInError
from alpr_client.models import Session
from alpr_client.tokens import Refresh

_REFRESHED_BEFORE = timedelta(seconds=60)
_LOCK_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.05


class NobodySignedIn(ClientError):
    """There is no token, no account and no kept session to act as."""


class SessionFileUnsafe(ClientError):
    """Others may have read or written the file."""


class SessionFileBusy(ClientError):
    """Another command holds the session for too long."""


class KeptSession(BaseModel):
    """What the file says. `services`: the addresses that the tokens are for, by service, and no
    others; `allow_http`: those may be unencrypted."""

    model_config = ConfigDict(frozen=True)

    services: dict[str, str]
    allow_http: bool = False
    signed_in_at: datetime
    session: Session

    @field_validator("services")
    @classmethod
    def _one_issued_it(cls, services: dict[str, str]) -> dict[str, str]:
        if "identity" not in services:
            raise ValueError("it does not say which identity issued it")
        return services

    @property
    def whose(self) -> tuple[dict[str, str], str | None]:
        person = self.session.person
        return self.services, person.person_id if person else None


class SessionFile:
    """One session at most; reading and writing raise `ClientError` with the reason."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_user(cls) -> "SessionFile":
        """`$XDG_STATE_HOME/alpr/session.json`, or under ~/.local/state."""
        said = os.environ.get("XDG_STATE_HOME", "")
        # The standard has relative paths ignored.
        folder = Path(said) if Path(said).is_absolute() else Path.home() / ".local" / "state"
        return cls(folder / "alpr" / "session.json")

    def read(self) -> KeptSession | None:
        """Raises `SessionFileUnsafe` for a file that is not the owner's alone, `NobodySignedIn`
        for one that holds no session, or that of an earlier `alpr`: what it may be used with is
        not in there."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SessionFileUnsafe(f"{self.path} cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
                raise SessionFileUnsafe(
                    f"{self.path} is open to others than you: delete it and sign in again"
                )
            content = file.read()
        try:
            return KeptSession.model_validate_json(content)
        except ValidationError as error:
            raise NobodySignedIn(
                f"{self.path} holds no session, or one of an earlier alpr: run `alpr sign-in` again"
            ) from error

    def write(self, kept: KeptSession) -> None:
        """Replaces what is there in one step; nobody else can read it at any moment."""
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self._make_folder()
            fresh.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(fresh, flags, 0o600), "w") as file:
                file.write(kept.model_dump_json())
                file.flush()
                os.fsync(file.fileno())  # the token before works no more
            fresh.replace(self.path)
        except OSError as error:
            raise ClientError(f"{self.path} cannot be written: {error.strerror}") from error

    def delete(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise ClientError(f"{self.path} cannot be deleted: {error.strerror}") from error

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Nobody else refreshes, replaces or deletes the session meanwhile."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOCK_SECONDS
        # A file of its own: the session's is replaced, and a lock belongs to what was opened.
        path = self.path.with_suffix(".lock")
        try:
            self._make_folder()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ClientError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            while not _locked(descriptor):
                if loop.time() > deadline:
                    raise SessionFileBusy("another alpr command has held the session for too long")
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


class KeptTokens:
    """Tokens of the kept session: refreshed shortly before they end, by one process at a time."""

    def __init__(
        self,
        file: SessionFile,
        kept: KeptSession,
        refresh: Refresh,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file = file
        self._kept = kept
        self._refresh = refresh
        self._now = now
        # With a clock that is far ahead every token looks spent: each is refreshed early once.
        self._looked_after: str | None = None

    async def current(self) -> str | None:
        session = self._kept.session
        ends_soon = session.expires_at - self._now() < _REFRESHED_BEFORE
        if ends_soon and self._looked_after != session.access_token:
            await self.renewed(session.access_token)
            self._looked_after = self._kept.session.access_token
        return self._kept.session.access_token

    async def renewed(self, refused: str | None) -> bool:
        async with self._file.locked():
            kept = self._file.read()
            if kept is None or kept.whose != self._kept.whose:
                return False  # signed out, or somebody else signed in, meanwhile
            if kept.session.access_token != refused:
                self._kept = kept
                return True
            if kept.session.refresh_token is None:
                return False
            try:
                session = await self._refresh(kept.session.refresh_token)
            except NotSignedInError:
                self._file.delete()
                raise
            self._kept = kept.model_copy(update={"session": session})
            self._file.write(self._kept)
            return True


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
