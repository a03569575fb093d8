"""The `alpr` command. Installed packages add sub-commands through the entry-point group
`alpr.commands`: a function (or a typer app) under the sub-command's name.
"""

import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import typer
from rich.console import Console

from alpr_client.audit_command import app as audit
from alpr_client.feed import feed
from alpr_client.log_command import app as log

GROUP = "alpr.commands"

app = typer.Typer(
    name="alpr",
    help="Feed cameras, evaluate recognition, work with a running ALPR system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("feed")(feed)
app.add_typer(log, name="log")
app.add_typer(audit, name="audit")


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
    add_commands(app, entry_points(group=GROUP), wanted, Console(stderr=True))
    app()
