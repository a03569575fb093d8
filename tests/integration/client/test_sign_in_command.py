"""`alpr sign-in`, `whoami` and `sign-out` against a real identity."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from alpr_identity.one_time_codes import STEP_SECONDS
from tests.integration.client.conftest import PASSWORD, System, Terminal

pytestmark = [pytest.mark.integration, pytest.mark.policy("131.7-3c")]


def rewrite(terminal: Terminal, **session: Any) -> None:
    kept = terminal.kept()
    kept["session"] |= session
    terminal.session_file.write_text(json.dumps(kept))


async def test_who_signs_in_stays_signed_in_for_the_commands_that_follow(
    system: System, terminal: Terminal
) -> None:
    system.add_person("plain")
    assert (await terminal.alpr("whoami"))[0] == 4
    code, said = await terminal.sign_in("plain", PASSWORD)
    assert (code, "Plain Miller (plain), officer of IL0222900" in said) == (0, True), said
    assert stat.S_IMODE(terminal.session_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.session_file.parent.stat().st_mode) == 0o700
    code, said = await terminal.alpr("whoami")
    assert code == 0, said
    assert "by alpr sign-in" in said
    assert "ALPR data is open to you" in said
    code, said = await terminal.alpr("token")
    assert (code, said.count("."), said.count("\n")) == (0, 2, 1), said  # a JWT, for other programs


async def test_a_second_factor_is_asked_for_and_a_recovery_code_will_do(
    system: System, terminal: Terminal
) -> None:
    system.add_person("factor")
    secret, recovery = system.enrol("factor")
    code, said = await terminal.sign_in("factor", PASSWORD)
    assert (code, "second line of standard input" in said) == (2, True), said
    assert not terminal.session_file.exists()
    # The code that confirmed the factor is spent, with its step; the next is in tolerance.
    following = pyotp.TOTP(secret).at(int(time.time()) + STEP_SECONDS)
    code, said = await terminal.sign_in("factor", PASSWORD, following)
    assert code == 0, said
    code, said = await terminal.sign_in("factor", PASSWORD, recovery[0])
    assert code == 0, said
    code, said = await terminal.sign_in("factor", PASSWORD, recovery[0])
    assert (code, "(131.7-3c)" in said, said.count("\n")) == (4, True, 1), said
    assert (await terminal.alpr("whoami"))[0] == 0, "the session before stays"


async def test_at_a_terminal_password_and_code_are_asked_and_not_shown(
    system: System, terminal: Terminal
) -> None:
    system.add_person("typist")
    _, recovery = system.enrol("typist")
    answers = [(b"User name", "typist"), (b"Password", PASSWORD), (b"recovery code", recovery[0])]
    status, screen = await asyncio.to_thread(_typed, terminal.variables(), answers)
    assert status == 0, screen
    assert "signed in: Typist Miller" in screen
    assert PASSWORD not in screen


def _typed(variables: dict[str, str], answers: list[tuple[bytes, str]]) -> tuple[int, str]:
    """Run `alpr sign-in` at a terminal of its own, answer its questions, and read the screen."""
    child, screen = pty.fork()
    if child == 0:
        command = ["-c", "from alpr_client.command import main; main()", "sign-in"]
        os.execve(sys.executable, [sys.executable, *command], variables)
    seen, waiting, deadline = b"", list(answers), time.monotonic() + 120
    while time.monotonic() < deadline:
        if not select.select([screen], [], [], 1)[0]:
            continue
        try:
            some = os.read(screen, 1024)
        except OSError:  # the terminal is gone with the command
            break
        seen += some
        # The last blank comes when the terminal shows nothing any more.
        if waiting and waiting[0][0] in seen and seen.endswith(b": "):
            os.write(screen, f"{waiting.pop(0)[1]}\n".encode())
    else:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(screen)
    return os.waitstatus_to_exitcode(status), seen.decode()


async def test_commands_that_refresh_at_the_same_moment_share_one_session(
    system: System, terminal: Terminal
) -> None:
    system.add_person("racer")
    await terminal.sign_in("racer", PASSWORD)
    before = terminal.kept()["session"]["refresh_token"]
    # All of them find a token that is about to end.
    rewrite(terminal, expires_at="2020-01-01T00:00:00+00:00")
    done = await asyncio.gather(*(terminal.alpr("whoami") for _ in range(5)))
    assert [code for code, _ in done] == [0] * 5, done
    assert terminal.kept()["session"]["refresh_token"] != before
    # A refresh token that came twice would have ended the session.
    assert (await terminal.alpr("whoami"))[0] == 0


async def test_a_token_that_the_server_refuses_is_renewed(
    system: System, terminal: Terminal
) -> None:
    system.add_person("renewed")
    await terminal.sign_in("renewed", PASSWORD)
    token = terminal.kept()["session"]["access_token"]
    rewrite(terminal, access_token="of yesterday")
    code, said = await terminal.alpr("whoami")
    assert code == 0, said
    assert terminal.kept()["session"]["access_token"] not in ("of yesterday", token)


async def test_signing_out_ends_the_session_at_the_server_and_here(
    system: System, terminal: Terminal
) -> None:
    system.add_person("leaver")
    await terminal.sign_in("leaver", PASSWORD)
    refresh_token = terminal.kept()["session"]["refresh_token"]
    assert await terminal.alpr("sign-out") == (0, "signed out\n")
    assert not terminal.session_file.exists()
    async with httpx.AsyncClient(base_url=system.addresses.identity, timeout=60) as http:
        refused = await http.post("/v1/sessions/refresh", json={"refresh_token": refresh_token})
    assert refused.status_code == 401
    assert await terminal.alpr("sign-out") == (0, "nobody was signed in\n")


async def test_a_session_that_was_ended_is_told_in_one_line_and_forgotten(
    system: System, terminal: Terminal
) -> None:
    system.add_person("ended")
    await terminal.sign_in("ended", PASSWORD)
    refresh_token = terminal.kept()["session"]["refresh_token"]
    async with httpx.AsyncClient(base_url=system.addresses.identity, timeout=60) as http:
        # Somebody else has used the token.
        await http.post("/v1/sessions/refresh", json={"refresh_token": refresh_token})
    rewrite(terminal, access_token="refused")
    code, said = await terminal.alpr("whoami")
    assert (code, said.count("\n")) == (4, 1), said
    assert "used from two places" in said
    assert "Traceback" not in said
    assert not terminal.session_file.exists()


async def test_locked_and_deactivated_people_get_the_servers_words(
    system: System, terminal: Terminal
) -> None:
    system.add_person("locked")
    for _ in range(5):
        code, said = await terminal.sign_in("locked", "wrong")
        assert code == 4
    code, said = await terminal.sign_in("locked", PASSWORD)
    assert (code, said.count("\n")) == (4, 1), said
    assert "locked after failed attempts or not active" in said


async def test_who_is_not_trained_is_signed_in_but_told_that_nothing_is_open(
    system: System, terminal: Terminal
) -> None:
    system.add_person("untrained", trained=False)
    assert (await terminal.sign_in("untrained", PASSWORD))[0] == 0
    code, said = await terminal.alpr("whoami")
    assert code == 1, said
    assert re.search(r"LEADS training missing.*\n.*not open to you.*131\.6-1", said), said


async def test_the_environment_goes_before_the_kept_session(
    system: System, terminal: Terminal, tmp_path: Path
) -> None:
    for name in ("kept", "named"):
        system.add_person(name)
    await terminal.sign_in("kept", PASSWORD)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    password_file = str(tmp_path / "password")
    terminal.environment = {"ALPR_USERNAME": "named", "ALPR_PASSWORD_FILE": password_file}
    code, said = await terminal.alpr("whoami")
    assert (code, "(named)" in said, "ALPR_PASSWORD_FILE" in said) == (0, True, True), said
    (tmp_path / "token").write_text(terminal.kept()["session"]["access_token"])
    terminal.environment |= {"ALPR_TOKEN_FILE": str(tmp_path / "token")}
    code, said = await terminal.alpr("whoami")
    assert (code, "(kept)" in said, "by ALPR_TOKEN_FILE" in said) == (0, True, True), said
    terminal.environment |= {"ALPR_TOKEN": "of nobody"}
    code, said = await terminal.alpr("whoami")
    assert (code, said.count("\n")) == (4, 1), said


async def test_a_command_with_an_account_of_its_own_leaves_no_session_open(
    system: System, terminal: Terminal
) -> None:
    system.add_person("nightly")
    terminal.environment = {"ALPR_USERNAME": "nightly", "ALPR_PASSWORD": PASSWORD}
    assert (await terminal.alpr("whoami"))[0] == 0
    said = {"username": "nightly", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=system.addresses.identity, timeout=60) as http:
        token = (await http.post("/v1/sessions", json=said)).json()["access_token"]
        mine = await http.get("/v1/sessions", headers={"Authorization": f"Bearer {token}"})
    assert [one["current"] for one in mine.json()["items"]] == [True]
    assert not terminal.session_file.exists()


async def test_a_session_is_not_taken_to_another_system(system: System, terminal: Terminal) -> None:
    system.add_person("faithful")
    await terminal.sign_in("faithful", PASSWORD)
    terminal.environment = {"ALPR_IDENTITY_URL": "http://127.0.0.1:9"}
    code, said = await terminal.alpr("whoami")
    assert (code, "the session is for identity at http://127.0.0.1" in said) == (4, True), said
    # What is not said anew is where it was at the sign-in.
    terminal.environment = {"ALPR_IDENTITY_URL": ""}
    assert (await terminal.alpr("whoami"))[0] == 0
