"""The `alpr` command takes sub-commands from installed packages, and survives broken ones."""

from __future__ import annotations

import io
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from alpr_client import command
from alpr_client.command import add_commands
from alpr_client.command import app as real_app


class Offered:
    """As an entry point: a name, where it is, and what loading it does."""

    def __init__(self, name: str, what: Any) -> None:
        self.name, self.value, self._what = name, f"package.{name}:command", what
        self.loaded = False

    def load(self) -> Any:
        self.loaded = True
        if isinstance(self._what, BaseException):
            raise self._what
        return self._what


def evaluate(folder: str) -> None:
    """Say how well plates are read."""
    print("evaluated", folder)


def app_with(*offered: Offered, wanted: str | None = None) -> tuple[typer.Typer, str]:
    app = typer.Typer()

    @app.command("feed")
    def feed() -> None:
        print("fed")

    said = io.StringIO()
    add_commands(app, offered, wanted, Console(file=said, width=200))  # type: ignore[arg-type]
    return app, said.getvalue()


def test_a_package_adds_a_function_as_its_sub_command() -> None:
    app, _ = app_with(Offered("evaluate", evaluate))
    assert CliRunner().invoke(app, ["evaluate", "x"]).output == "evaluated x\n"


def test_a_package_adds_a_typer_app() -> None:
    single, group = typer.Typer(), typer.Typer()
    single.command()(evaluate)
    group.command("one")(evaluate)
    group.command("two")(evaluate)
    app, _ = app_with(Offered("single", single), Offered("group", group))
    assert CliRunner().invoke(app, ["single", "x"]).output == "evaluated x\n"
    assert CliRunner().invoke(app, ["group", "two", "y"]).output == "evaluated y\n"


@pytest.mark.parametrize(
    "what", [ImportError("no module named torch"), SyntaxError("bad"), "neither"]
)
def test_a_broken_package_costs_its_own_sub_command_alone(what: Any) -> None:
    app, said = app_with(Offered("broken", what), Offered("evaluate", evaluate))
    assert "broken" in said
    assert "cannot be loaded" in said
    assert CliRunner().invoke(app, ["feed"]).output == "fed\n"
    assert CliRunner().invoke(app, ["evaluate", "x"]).exit_code == 0


def test_only_the_wanted_sub_command_is_loaded() -> None:
    one, two = Offered("one", evaluate), Offered("two", evaluate)
    app_with(one, two, wanted="two")
    assert (one.loaded, two.loaded) == (False, True)
    app_with(one, wanted="feed")
    assert not one.loaded


def test_a_package_does_not_replace_what_is_there() -> None:
    app, _ = app_with(Offered("feed", evaluate), Offered("other", evaluate))
    assert CliRunner().invoke(app, ["feed"]).output == "fed\n"


def test_feed_is_a_sub_command_of_alpr() -> None:
    help_text = CliRunner().invoke(real_app, ["--help"]).output
    assert "feed" in help_text


def test_an_input_that_is_not_there_ends_with_a_reason() -> None:
    done = CliRunner().invoke(real_app, ["feed", "/nowhere/at/all"])
    assert done.exit_code == 2


def test_a_fault_of_a_command_is_one_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise KeyError("no such thing")

    app, _ = app_with(Offered("broken", broken))
    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(command, "entry_points", lambda group: [])
    monkeypatch.setattr("sys.argv", ["alpr", "broken"])
    monkeypatch.delenv("ALPR_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 70
    said = capsys.readouterr().err
    assert "KeyError" in said
    assert "Traceback" not in said
    monkeypatch.setenv("ALPR_TRACEBACK", "1")
    with pytest.raises(KeyError):
        command.main()


@pytest.mark.parametrize("name", ["sign-in", "sign-out", "whoami", "token", "feed", "audit", "log"])
def test_the_help_names_every_command_in_a_line_of_its_own(name: str) -> None:
    done = CliRunner().invoke(real_app, ["--help"], env={"COLUMNS": "200"})
    assert any(line.strip("│ ").startswith(name) for line in done.output.split("\n"))
