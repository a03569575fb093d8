"""`alpr evidence`: check an evidence package with nothing but the file and the keys.

    alpr evidence verify EV-2026-000017.zip --key seal.vkey --log-key log.vkey
    alpr evidence verify EV-2026-000017.zip --key seal.vkey --log-key new-log.vkey \
        --hand-overs hand-overs.json

No server is asked, but with --hand-overs https://… for public proofs. The keys are those that the
provider handed out, on paper for example.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from alpr_client.errors import ClientError, UnavailableError
from alpr_client.transport import raise_for
from alpr_evidence.bag import BagInvalid
from alpr_evidence.verify import Beside, Report, log_size, verify_package
from alpr_translog.handover import HandOverInvalid
from alpr_translog.merkle import ProofInvalid
from alpr_translog.note import NoteInvalid, VerifierKey
from alpr_translog.proven import Consistency, ProvenHandOver
from alpr_translog.proven import read as read_hand_overs

GOOD, BAD = 0, 1
"""Exit codes: the package is what was sealed; it is not, or that cannot be said."""

_SHOWN_FAULTS = 50
_TIMEOUT_SECONDS = 30.0

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
        typer.Option(
            help="the access log's verifier key, or a file: checks the log's proofs. Any key that "
            "the log has had will do, see --hand-overs"
        ),
    ] = None,
    hand_overs: Annotated[
        list[str] | None,
        typer.Option(
            help="where the log's key was changed after the package was sealed: a saved answer of "
            "https://…/v1/log/<agency>/hand-overs?size=<the package's>, or https://…/v1/log/"
            "<agency>, which is asked for it; may be repeated"
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="checkpoint of the log kept from earlier, which the package has to agree with; "
            "may be repeated, and stands in for --log-key"
        ),
    ] = None,
    consistency: Annotated[
        list[Path] | None,
        typer.Option(
            help="for --against of another size: a saved answer of …/proofs/consistency; may be "
            "repeated"
        ),
    ] = None,
) -> None:
    """Check every file against its hash, the seal, and that the access log holds the accesses.

    A package has the log's hand-overs from one key to the next until it was sealed in it, so that
    an older key of the log will do. Those since then are given with --hand-overs.
    """
    console = Console(soft_wrap=True, highlight=False)
    try:
        seal_key = _key(key, "--key")
        trusted = _key(log_key, "--log-key") if log_key else None
        beside = Beside(
            [one for given in hand_overs or () for one in _hand_overs(given, file)],
            [_text(path, "--against") for path in against or ()],
            [_consistency(path) for path in consistency or ()],
        )
        report = verify_package(file, seal_key, trusted, beside)
    except (ValueError, ClientError) as error:
        console.print(f"[red]NOT CHECKED[/]: {escape(str(error))}")
        raise typer.Exit(BAD) from None
    _tell(console, file, seal_key, trusted, report)
    raise typer.Exit(GOOD if report.is_good else BAD)


def _key(given: str, option: str) -> VerifierKey:
    path = Path(given)
    try:
        return VerifierKey.parse(path.read_text() if path.is_file() else given)
    except (NoteInvalid, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{option}: {error}") from error


def _hand_overs(given: str, package: Path) -> Sequence[ProvenHandOver]:
    try:
        if given.startswith(("http://", "https://")):
            return read_hand_overs(_asked(given, log_size(package)))
        return read_hand_overs(Path(given).read_bytes())
    except (HandOverInvalid, BagInvalid, OSError) as error:
        raise ValueError(f"--hand-overs: {error}") from error


def _asked(url: str, size: int | None) -> bytes:
    """The answer of the log at that address; public, so that it is nobody's token that is sent."""
    address = f"{url.rstrip('/').removesuffix('/hand-overs')}/hand-overs"
    try:
        answer = httpx.get(
            address, params={} if size is None else {"size": size}, timeout=_TIMEOUT_SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = error or type(error).__name__
        raise UnavailableError(f"{url} does not answer: {reason}") from error
    raise_for(answer)
    return answer.content


def _consistency(path: Path) -> Consistency:
    try:
        return Consistency.read(path.read_bytes())
    except (ProofInvalid, OSError) as error:
        raise ValueError(f"--consistency: {error}") from error


def _text(path: Path, option: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{option}: {error}") from error


def _tell(
    console: Console, file: Path, key: VerifierKey, log_key: VerifierKey | None, report: Report
) -> None:
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
        _tell_keys(console, log_key, report)
        console.print("[green]GOOD[/]: this is the package that was sealed")
        return
    for fault in report.faults[:_SHOWN_FAULTS]:
        console.print(f"[red]fault[/]      {escape(fault)}")
    if len(report.faults) > _SHOWN_FAULTS:
        console.print(f"… and {len(report.faults) - _SHOWN_FAULTS} more")
    console.print("[red]BAD[/]: this is not, or not provably, the package that was sealed")


def _tell_keys(console: Console, log_key: VerifierKey | None, report: Report) -> None:
    """How it follows from the key that was given, or from what was held."""
    for one in report.lineage.hand_overs if report.lineage else ():
        console.print(
            f"           key {one.old.key_id.hex()} handed the log over to {one.new.key_id.hex()} "
            f"at entry {one.size}"
        )
    if report.lineage and log_key and report.lineage.last != log_key:
        console.print(f"           the log's newest verifier key here is {report.lineage.last}")
    for size in report.held:
        console.print(f"           agrees with the held checkpoint of {size} entries")
