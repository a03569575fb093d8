"""The `alpr` command. Installed packages add sub-commands through the entry-point group
`alpr.commands`: a function (or a typer app) under the sub-command's name.
"""

import os
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import typer
from rich.console import Console

from alpr_client.audit_command import app as audit
from alpr_client.feed import feed
from alpr_client.log_command import app as log
from alpr_client.session_command import sign_in, sign_out, token, whoami

GROUP = "alpr.commands"
_BROKEN = 70
"""Exit code of a fault of the command itself (EX_SOFTWARE)."""

app = typer.Typer(
    name="alpr",
    help="Feed cameras, evaluate recognition, work with a running ALPR system.\n\n"
    "Services are where ALPR_IDENTITY_URL, ALPR_INGEST_URL, ALPR_MATCHER_URL, ALPR_ALERTS_URL and "
    "ALPR_ACCESS_LOG_URL say, or where they were at `alpr sign-in`, whose session goes nowhere "
    "else; on this machine where none is named. Unencrypted to other machines only with "
    "ALPR_ALLOW_HTTP=1 or `alpr sign-in --allow-http`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_SIGNING_IN = "Signing in"
app.command("sign-in", rich_help_panel=_SIGNING_IN)(sign_in)
app.command("sign-out", rich_help_panel=_SIGNING_IN)(sign_out)
app.command("whoami", rich_help_panel=_SIGNING_IN)(whoami)
app.command("token", rich_help_panel=_SIGNING_IN)(token)
app.command("feed")(feed)
app.add_typer(log, name="log", short_help="Fetch and check the verifiable access log.")
app.add_typer(audit, name="audit", short_help="Prepare the yearly audit (131.5-d) and fetch it.")


@app.callback()
def _group() -> None:
    """Keeps `feed` a sub-command while it is the only one."""


def add_commands(
    app: typer.Typer, found: Iterable[EntryPoint], wanted: str | None, console: Console
) -> None:
    """Add the sub-commands that packages offer; only `wanted`, when it is one of them, is loaded.

    A package that cannot be loaded costs its own sub-command alone, with a line that says so.
    """
    offered = {point.name: point for point in found}
    taken = {command.name for command in app.registered_commands}
    if wanted in taken:
        return
    for name in [wanted] if wanted in offered else sorted(offered):
        assert name is not None
        if name in taken:
            continue
        try:
            _add(app, name, offered[name].load())
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            console.print(
                f"alpr: the sub-command {name} ({offered[name].value}) cannot be loaded: "
                f"{type(error).__name__}: {error}",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )


def _add(app: typer.Typer, name: str, offered: object) -> None:
    if isinstance(offered, typer.Typer):
        single = offered.registered_commands
        if len(single) == 1 and offered.registered_callback is None and single[0].callback:
            app.command(name)(single[0].callback)
        else:
            app.add_typer(offered, name=name)
    elif callable(offered):
        app.command(name)(offered)
    else:
        raise TypeError("it is neither a function nor a typer app")


def main() -> None:
    """Run the command line."""
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    console = Console(stderr=True)
    try:
        add_commands(app, entry_points(group=GROUP), wanted, console)
        app()
    except Exception as error:
        if os.environ.get("ALPR_TRACEBACK"):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        console.print(
            f"alpr: this is a fault of the command: {said} (ALPR_TRACEBACK=1 shows where)",
            style="red",
            markup=False,
            soft_wrap=True,
        )
        sys.exit(_BROKEN)
