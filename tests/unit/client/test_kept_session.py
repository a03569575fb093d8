"""The file that a sign-in is kept in: the owner's alone, and refreshed by one at a time."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alpr_client.errors import ClientError, NotSignedInError, UnavailableError
from alpr_client.kept_session import (
    KeptSession,
    KeptTokens,
    NobodySignedIn,
    SessionFile,
    SessionFileUnsafe,
)
from alpr_client.models import Person, Session

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Identity:
    """Refreshes each token once, as the real one; a token that comes back ends the session."""

    def __init__(self) -> None:
        self.number = 1
        self.asked = 0
        self.error: ClientError | None = None

    def session(self) -> Session:
        return Session(
            access_token=f"access-{self.number}",
            refresh_token=f"refresh-{self.number}",
            expires_at=NOW + timedelta(seconds=900),
        )

    async def refreshed(self, refresh_token: str) -> Session:
        self.asked += 1
        if self.error is not None:
            raise self.error
        assert refresh_token == f"refresh-{self.number}", "a token came twice"
        await asyncio.sleep(0)  # others get their turn here
        self.number += 1
        return self.session()


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest.fixture
def file(tmp_path: Path, identity: Identity) -> SessionFile:
    made = SessionFile(tmp_path / "alpr" / "session.json")
    made.write(kept(identity.session()))
    return made


def kept(session: Session) -> KeptSession:
    return KeptSession(services={"identity": "http://identity"}, signed_in_at=NOW, session=session)


def tokens(file: SessionFile, identity: Identity, now: datetime = NOW) -> KeptTokens:
    """As another process has them."""
    found = file.read()
    assert found is not None
    return KeptTokens(file, found, identity.refreshed, lambda: now)


def test_the_file_and_its_folder_are_the_owners_alone(file: SessionFile) -> None:
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert [p.name for p in file.path.parent.iterdir()] == ["session.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_not_used(file: SessionFile, mode: int) -> None:
    file.path.chmod(mode)
    with pytest.raises(SessionFileUnsafe, match="open to others"):
        file.read()


def test_a_link_in_its_place_is_not_followed(file: SessionFile, tmp_path: Path) -> None:
    elsewhere = file.path.rename(tmp_path / "elsewhere")
    file.path.symlink_to(elsewhere)
    with pytest.raises(SessionFileUnsafe):
        file.read()


@pytest.mark.parametrize("content", ["", "{}", '{"services": {}'])
def test_what_is_no_session_is_said_to_be_none(file: SessionFile, content: str) -> None:
    file.path.write_text(content)
    with pytest.raises(NobodySignedIn, match=r"holds no session.*alpr sign-in"):
        file.read()


@pytest.mark.parametrize("services", [{}, {"matcher": "https://a.example"}])
def test_a_session_that_does_not_say_who_issued_it_is_none(
    file: SessionFile, services: dict[str, str]
) -> None:
    said = json.loads(file.path.read_text()) | {"services": services}
    file.path.write_text(json.dumps(said))
    with pytest.raises(NobodySignedIn):
        file.read()


def test_a_session_of_an_earlier_alpr_signs_nobody_in(file: SessionFile) -> None:
    said = json.loads(file.path.read_text())
    del said["services"], said["allow_http"]
    said |= {"identity": "https://a.example", "gateway": "https://a.example"}
    file.path.write_text(json.dumps(said))
    with pytest.raises(NobodySignedIn, match="of an earlier alpr: run `alpr sign-in` again"):
        file.read()


def test_where_there_is_no_file_nobody_is_signed_in(tmp_path: Path) -> None:
    assert SessionFile(tmp_path / "none" / "session.json").read() is None


@pytest.mark.parametrize(("said", "used"), [("/state", "/state"), ("relative", ".local/state")])
def test_the_file_is_where_the_standard_says(
    monkeypatch: pytest.MonkeyPatch, said: str, used: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", said)
    assert str(SessionFile.of_user().path).endswith(f"{used}/alpr/session.json")


async def test_a_token_that_holds_is_used_as_it_is(file: SessionFile, identity: Identity) -> None:
    assert await tokens(file, identity).current() == "access-1"
    assert identity.asked == 0


async def test_a_token_that_is_about_to_end_is_refreshed_and_kept(
    file: SessionFile, identity: Identity
) -> None:
    late = NOW + timedelta(seconds=880)
    assert await tokens(file, identity, late).current() == "access-2"
    found = file.read()
    assert found is not None
    assert found.session.refresh_token == "refresh-2"


async def test_with_a_clock_that_is_far_ahead_a_token_is_refreshed_early_but_once(
    file: SessionFile, identity: Identity
) -> None:
    one = tokens(file, identity, NOW + timedelta(days=1))
    assert [await one.current() for _ in range(3)] == ["access-2"] * 3


async def test_of_many_that_are_refused_at_once_one_refreshes_and_all_go_on(
    file: SessionFile, identity: Identity
) -> None:
    processes = [tokens(file, identity) for _ in range(8)]
    assert await asyncio.gather(*(one.renewed("access-1") for one in processes)) == [True] * 8
    assert identity.asked == 1
    assert {await one.current() for one in processes} == {"access-2"}


async def test_who_signed_out_meanwhile_is_not_signed_in_again(
    file: SessionFile, identity: Identity
) -> None:
    one = tokens(file, identity)
    file.delete()
    assert not await one.renewed("access-1")
    assert file.read() is None


async def test_a_command_does_not_go_on_as_somebody_else_who_signed_in_meanwhile(
    file: SessionFile, identity: Identity
) -> None:
    one = tokens(file, identity)
    other = identity.session().model_copy(
        update={"access_token": "other", "person": Person(person_id="p-2")}
    )
    file.write(kept(other))
    assert not await one.renewed("access-1")
    assert await one.current() == "access-1"


async def test_nor_with_the_session_of_other_services(
    file: SessionFile, identity: Identity
) -> None:
    one = tokens(file, identity)
    services = {"identity": "http://identity", "matcher": "http://another"}
    other = identity.session().model_copy(update={"access_token": "other"})
    file.write(kept(other).model_copy(update={"services": services}))
    assert not await one.renewed("access-1")


async def test_a_session_that_has_ended_is_forgotten(file: SessionFile, identity: Identity) -> None:
    identity.error = NotSignedInError(401, {"title": "The session has ended"})
    with pytest.raises(NotSignedInError, match="has ended"):
        await tokens(file, identity).renewed("access-1")
    assert file.read() is None


async def test_an_outage_at_the_refresh_keeps_the_session(
    file: SessionFile, identity: Identity
) -> None:
    identity.error = UnavailableError("identity does not answer")
    with pytest.raises(UnavailableError):
        await tokens(file, identity).renewed("access-1")
    identity.error = None
    assert await tokens(file, identity).renewed("access-1")
