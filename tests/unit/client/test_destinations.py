"""Where tokens, passwords and camera credentials may go: what `alpr` refuses before it sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alpr_client import transport
from alpr_client.command import app
from alpr_client.kept_session import KeptSession, SessionFile
from alpr_client.models import Session

pytestmark = pytest.mark.policy("131.7-3c")

ELSEWHERE = "https://alpr.example"
ALL = ("ingest", "matcher", "alerts", "access_log", "identity")
VARIABLES = ("TOKEN", "TOKEN_FILE", "USERNAME", "PASSWORD", "PASSWORD_FILE", "ALLOW_HTTP")


class Host:
    """Remembers with what it was asked; answers that nobody is signed in."""

    def __init__(self) -> None:
        asked: list[str | None] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.headers["Authorization"])
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*VARIABLES, *(f"{service.upper()}_URL" for service in ALL)):
        monkeypatch.delenv(f"ALPR_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_PROXY", "*")
    return monkeypatch


def signed_in(services: dict[str, str], *, allow_http: bool = False) -> None:
    """As `alpr sign-in` would have left it."""
    now = datetime.now(UTC)
    session = Session(access_token="secret", expires_at=now + timedelta(minutes=15))
    SessionFile.of_user().write(
        KeptSession(services=services, allow_http=allow_http, signed_in_at=now, session=session)
    )


def behind(url: str) -> dict[str, str]:
    return dict.fromkeys(ALL, url)


def alpr(*arguments: str, said: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), input=said)
    return done.exit_code, done.output


def default_here(environment: pytest.MonkeyPatch, service: str, host: Host) -> None:
    """Something listens where that service would be, were the system on this machine."""
    here = {**vars(transport.Addresses()), service: host.url}
    environment.setattr(transport.Addresses.__init__, "__defaults__", tuple(here.values()))


def test_a_session_of_another_machine_is_not_for_the_services_of_this_one(
    environment: pytest.MonkeyPatch, host: Host
) -> None:
    default_here(environment, "access_log", host)
    signed_in({"identity": "https://identity.example"})
    code, said = alpr("audit", "list")
    assert (code, host.asked, said.count("\n")) == (4, [], 1), said
    assert "for no access-log: run `alpr sign-in` again with ALPR_ACCESS_LOG_URL set" in said


def test_nor_is_a_token_of_the_environment(environment: pytest.MonkeyPatch, host: Host) -> None:
    default_here(environment, "access_log", host)
    environment.setenv("ALPR_TOKEN", "secret")
    environment.setenv("ALPR_IDENTITY_URL", "https://identity.example")
    code, said = alpr("audit", "list")
    assert (code, host.asked, said.count("\n")) == (2, [], 1), said
    assert "set ALPR_ACCESS_LOG_URL" in said


def test_on_one_machine_nobody_has_to_name_the_services(
    environment: pytest.MonkeyPatch, host: Host
) -> None:
    default_here(environment, "access_log", host)
    environment.setenv("ALPR_IDENTITY_URL", "http://localhost:9")
    environment.setenv("ALPR_TOKEN", "secret")
    alpr("audit", "list")
    assert host.asked == ["Bearer secret"]


@pytest.mark.parametrize("kept", [behind(ELSEWHERE), {"identity": ELSEWHERE}])
def test_an_address_that_was_named_since_gets_no_token(
    environment: pytest.MonkeyPatch, host: Host, kept: dict[str, str]
) -> None:
    signed_in(kept)
    environment.setenv("ALPR_ACCESS_LOG_URL", host.url)
    code, said = alpr("audit", "list")
    assert (code, host.asked, said.count("\n")) == (4, [], 1), said
    assert "ALPR_ACCESS_LOG_URL" in said


def test_the_address_that_was_kept_may_be_said_again(
    environment: pytest.MonkeyPatch, host: Host
) -> None:
    signed_in(behind(host.url))
    environment.setenv("ALPR_ACCESS_LOG_URL", f"{host.url}/")
    alpr("audit", "list")
    assert host.asked == ["Bearer secret"]


def test_a_service_that_a_command_does_not_use_may_be_said_to_be_elsewhere(
    environment: pytest.MonkeyPatch, host: Host
) -> None:
    signed_in(behind(host.url))
    environment.setenv("ALPR_ALERTS_URL", "http://another.example")
    alpr("audit", "list")
    assert host.asked == ["Bearer secret"]


def test_what_was_kept_is_used_and_not_what_is_usual(
    environment: pytest.MonkeyPatch, host: Host
) -> None:
    signed_in(behind(ELSEWHERE) | {"access_log": host.url})
    alpr("audit", "list")
    assert host.asked == ["Bearer secret"]


def test_a_session_goes_nowhere_unencrypted_unless_that_was_allowed(
    environment: pytest.MonkeyPatch,
) -> None:
    signed_in(behind(ELSEWHERE) | {"access_log": "http://log.invalid"})
    code, said = alpr("audit", "list")
    assert (code, "http://log.invalid is not https" in said, said.count("\n")) == (2, True, 1), said
    signed_in(behind(ELSEWHERE) | {"access_log": "http://log.invalid"}, allow_http=True)
    code, said = alpr("audit", "list")
    assert (code, "access_log does not answer" in said) == (2, True), said


@pytest.mark.parametrize("secret", ["ALPR_TOKEN", "ALPR_PASSWORD"])
def test_what_the_environment_holds_goes_nowhere_unencrypted_unless_that_is_allowed(
    environment: pytest.MonkeyPatch, secret: str
) -> None:
    environment.setenv("ALPR_USERNAME", "nightly")
    environment.setenv(secret, "secret")
    environment.setenv("ALPR_IDENTITY_URL", "http://identity.invalid")
    code, said = alpr("whoami")
    assert (code, "(131.7-3c)" in said, "ALPR_ALLOW_HTTP=1" in said) == (2, True, True), said
    environment.setenv("ALPR_ALLOW_HTTP", "1")
    code, said = alpr("whoami")
    assert (code, "identity does not answer" in said) == (2, True), said


def test_a_password_goes_to_no_default_while_another_service_is_elsewhere(
    environment: pytest.MonkeyPatch, host: Host
) -> None:
    default_here(environment, "identity", host)
    environment.setenv("ALPR_ACCESS_LOG_URL", ELSEWHERE)
    for arguments in (["sign-in", "-u", "ann"], ["whoami"]):
        code, said = alpr(*arguments, said="secret\n")
        environment.setenv("ALPR_USERNAME", "nightly")
        environment.setenv("ALPR_PASSWORD", "secret")
        assert (code, "set ALPR_IDENTITY_URL" in said) == (2, True), said
    assert host.asked == []


def test_a_session_of_an_earlier_alpr_signs_nobody_in(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signed_in(behind(ELSEWHERE))
    path = tmp_path / "alpr" / "session.json"
    path.write_text(path.read_text().replace('"services"', '"gateway"'))
    code, said = alpr("whoami")
    assert (code, "run `alpr sign-in` again" in said, said.count("\n")) == (4, True, 1), said
    assert alpr("sign-out", "--forget") == (2, "forgotten here; the server was not told\n")
    assert not path.exists()


def feed(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xd9")
    return alpr("feed", str(picture), "--patience", "0", *arguments)


def test_frames_go_to_the_system_that_one_is_signed_in_to(
    environment: pytest.MonkeyPatch, host: Host, tmp_path: Path
) -> None:
    signed_in(behind(host.url))
    feed(tmp_path, "--credential", "c.secret")
    assert host.asked == ["Camera c.secret"]


def test_and_not_to_this_machine_where_that_system_has_no_ingest(
    environment: pytest.MonkeyPatch, host: Host, tmp_path: Path
) -> None:
    default_here(environment, "ingest", host)
    signed_in({"identity": ELSEWHERE})
    code, said = feed(tmp_path, "--credential", "c.secret")
    assert (code, host.asked, "ALPR_INGEST_URL" in said) == (2, [], True), said


def test_without_a_sign_in_frames_go_to_this_machine(
    environment: pytest.MonkeyPatch, host: Host, tmp_path: Path
) -> None:
    default_here(environment, "ingest", host)
    feed(tmp_path, "--credential", "c.secret")
    assert host.asked == ["Camera c.secret"]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_cameras_own_credential_goes_where_the_feed_says(
    environment: pytest.MonkeyPatch, host: Host, tmp_path: Path, by: str
) -> None:
    signed_in(behind(ELSEWHERE))
    environment.setenv("ALPR_INGEST_URL", host.url if by == "variable" else ELSEWHERE)
    options = ["--url", host.url] if by == "option" else []
    feed(tmp_path, "--credential", "c.secret", *options)
    assert host.asked == ["Camera c.secret"]


def test_a_cameras_credential_goes_nowhere_unencrypted(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, said = feed(tmp_path, "--credential", "c.secret", "--url", "http://ingest.invalid")
    assert (code, "(131.7-3c)" in said) == (2, True), said


def test_registering_a_camera_uses_the_ingest_of_the_sign_in(
    environment: pytest.MonkeyPatch, host: Host, tmp_path: Path
) -> None:
    signed_in(behind(host.url))
    feed(tmp_path, "--register")
    assert host.asked == ["Bearer secret"]


def test_registering_a_camera_elsewhere_is_refused(
    environment: pytest.MonkeyPatch, host: Host, tmp_path: Path
) -> None:
    signed_in(behind(ELSEWHERE))
    code, said = feed(tmp_path, "--register", "--url", host.url)
    assert (code, host.asked, "(or --url)" in said) == (2, [], True), said


def test_an_address_that_is_none_is_said_to_be_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALPR_TOKEN", "secret")
    environment.setenv("ALPR_MATCHER_URL", "http://[")
    code, said = alpr("whoami")
    assert (code, "http://[ is no address" in said, said.count("\n")) == (2, True, 1), said
