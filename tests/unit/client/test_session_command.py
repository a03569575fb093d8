"""`alpr sign-in` before anything is sent: where a password may go, and who can be asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from alpr_client.command import app


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in ("ALPR_TOKEN", "ALPR_TOKEN_FILE", "ALPR_USERNAME", "ALPR_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return {"XDG_STATE_HOME": str(tmp_path), "COLUMNS": "200"}


def run(environment: dict[str, str], *arguments: str, said: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), input=said, env=environment)
    return done.exit_code, done.output


@pytest.mark.policy("131.7-3c")
@pytest.mark.parametrize("url", ["http://alpr.example", "http://10.0.0.7:8007", "alpr.example"])
def test_a_password_does_not_travel_unencrypted(environment: dict[str, str], url: str) -> None:
    code, said = run(environment, "sign-in", "--url", url, "-u", "ann", said="secret\n")
    assert (code, "(131.7-3c)" in said) == (2, True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"])
def test_to_this_machine_it_may_go_as_it_is(environment: dict[str, str], url: str) -> None:
    code, said = run(environment, "sign-in", "--url", url, "-u", "ann", said="secret\n")
    assert (code, "does not answer" in said, said.count("\n")) == (2, True, 1)


def test_an_address_that_is_none_is_said_to_be_none(environment: dict[str, str]) -> None:
    code, said = run(environment, "sign-in", "--url", "http://[", "-u", "ann", said="secret\n")
    assert (code, "is no address" in said) == (2, True)


def test_two_addresses_that_differ_are_not_chosen_from(environment: dict[str, str]) -> None:
    environment["ALPR_IDENTITY_URL"] = "https://another.example"
    code, said = run(
        environment, "sign-in", "--url", "https://alpr.example", "-u", "ann", said="secret\n"
    )
    assert (code, "ALPR_IDENTITY_URL" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said", "missing"),
    [([], "", "--username"), (["-u", "ann"], "", "first line of standard input")],
)
def test_what_nobody_can_be_asked_for_is_named(
    environment: dict[str, str], arguments: list[str], said: str, missing: str
) -> None:
    code, output = run(environment, "sign-in", *arguments, said=said)
    assert (code, missing in output) == (2, True)


def test_where_nobody_is_signed_in_the_way_to_it_is_told(environment: dict[str, str]) -> None:
    assert run(environment, "whoami") == (4, "not done: nobody is signed in: run `alpr sign-in`\n")
    assert run(environment, "sign-out") == (0, "nobody was signed in\n")


def test_a_file_of_others_is_not_used(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "alpr" / "session.json"
    path.parent.mkdir()
    path.write_text("{}")
    path.chmod(0o644)
    code, said = run(environment, "whoami")
    assert (code, "open to others" in said) == (2, True)


@pytest.mark.parametrize("variable", ["ALPR_TOKEN_FILE", "ALPR_PASSWORD_FILE"])
def test_a_secret_that_cannot_be_read_is_named(environment: dict[str, str], variable: str) -> None:
    environment |= {"ALPR_USERNAME": "cad", variable: "/nowhere/secret"}
    code, said = run(environment, "whoami")
    assert (code, "/nowhere/secret" in said, said.count("\n")) == (2, True, 1)
