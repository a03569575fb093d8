"""`alpr evidence`: check an evidence package with nothing but the file and the keys.

    alpr evidence verify EV-2026-000017.zip --key seal.vkey --log-key log.vkey

No server is asked. The keys are those that the provider handed out, on paper for example.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from alpr_evidence.verify import Report, verify_package
from alpr_translog.note import NoteInvalid, VerifierKey

GOOD, BAD = 0, 1
"""Exit codes: the package is what was sealed; it is not, or that cannot be said."""

_SHOWN_FAULTS = 50

app = typer.Typer(
    help="Check evidence packages offline. Exit code 0: as it was sealed, 1: not.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Keeps `verify` a sub-command while it is the only one."""


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="the package, a .zip")],
    key: Annotated[str, typer.Option(help="the seal's verifier key, or a file that holds it")],
    log_key: Annotated[
        str | None,
        typer.Option(help="the access log's verifier key, or a file: checks the log's proofs"),
    ] = None,
) -> None:
    """Check every file against its hash, the seal, and that the access log holds the accesses."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        seal_key = _key(key, "--key")
        report = verify_package(file, seal_key, _key(log_key, "--log-key") if log_key else None)
    except ValueError as error:
        console.print(f"[red]NOT CHECKED[/]: {escape(str(error))}")
        raise typer.Exit(BAD) from None
    _tell(console, file, seal_key, report)
    raise typer.Exit(GOOD if report.is_good else BAD)


def _key(given: str, option: str) -> VerifierKey:
    path = Path(given)
    try:
        return VerifierKey.parse(path.read_text() if path.is_file() else given)
    except (NoteInvalid, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{option}: {error}") from error


def _tell(console: Console, file: Path, key: VerifierKey, report: Report) -> None:
    if report.inventory_number:
        console.print(f"package    {escape(report.inventory_number)} ({escape(file.name)})")
    for label, word in (
        ("Source-Organization", "agency"), ("External-Description", "about"),
        ("Contact-Name", "by"), ("Bagging-Date", "on"),
    ):  # fmt: skip
        if label in report.info:
            console.print(f"{word:10} {escape(report.info[label])}")
    if report.is_good:
        console.print(f"files      {report.files}, each as its manifest says")
        console.print(f"seal       {escape(key.name)}")
        console.print(f"access log {report.log_entries} entries, each proven to be in the log")
        console.print("[green]GOOD[/]: this is the package that was sealed")
        return
    for fault in report.faults[:_SHOWN_FAULTS]:
        console.print(f"[red]fault[/]      {escape(fault)}")
    if len(report.faults) > _SHOWN_FAULTS:
        console.print(f"… and {len(report.faults) - _SHOWN_FAULTS} more")
    console.print("[red]BAD[/]: this is not, or not provably, the package that was sealed")
