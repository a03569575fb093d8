"""`alpr log`: check an agency's access log with nothing but its files and a key.

    alpr log verify https://…/v1/log/IL0222900 --key log.vkey --against held-checkpoint
    alpr log fetch https://…/v1/log/IL0222900 copy/ && alpr log verify copy/ --key log.vkey

Nobody has to be trusted for the answer but whoever handed out the key and kept the checkpoints.
"""

import json
import re
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from alpr_client.destinations import refuse_unencrypted
from alpr_client.errors import ClientError, RefusedError, UnavailableError
from alpr_client.transport import raise_for
from alpr_translog.checkpoint import Checkpoint
from alpr_translog.handover import HandOver, HandOverInvalid, Lineage, hand_over_in
from alpr_translog.note import NoteInvalid, VerifierKey
from alpr_translog.tiles import bundles_of, tiles_of
from alpr_translog.verify import Report, folder_source, verify_log

GOOD, TAMPERED, NOT_CHECKED = 0, 1, 2
"""Exit codes: the log is whole; it is not; nothing can be said."""

_AT_ONCE = 8
_TIMEOUT_SECONDS = 30.0
_SHOWN_FAULTS = 20

app = typer.Typer(
    help="Fetch and check the verifiable access log. Exit code 0: whole, 1: tampered with, "
    "2: could not be checked.",
    no_args_is_help=True,
)
Token = Annotated[
    str | None,
    typer.Option(envvar="ALPR_TOKEN", help="token of a supervisor, administrator or auditor"),
]


class NotChecked(ClientError):
    """Something that the check needs cannot be read."""


@app.command("verify")
def verify(
    source: Annotated[str, typer.Argument(help="folder with a copy, or https://…/v1/log/<agency>")],
    key: Annotated[str, typer.Option(help="the log's verifier key, or a file that holds it")],
    against: Annotated[
        list[Path] | None,
        typer.Option(help="checkpoint kept from earlier, or a folder of them; may be repeated"),
    ] = None,
    token: Token = None,
) -> None:
    """Check signature, entries and hashes of the whole log, and that it extends held checkpoints.

    Without --against it is only known that the log fits its own signature: whoever has the signing
    key could have written another one. Where the key was changed, an older or newer one will do:
    the log itself proves that one handed over to the other.
    """
    with _reporting() as console:
        verifier, held = _key(key), _held(against or [])
        report = _verified(source, verifier, held, token, console)
        _tell(console, verifier, report, len(held))
    raise typer.Exit(GOOD if report.is_good else TAMPERED)


@app.command("fetch")
def fetch(
    url: Annotated[str, typer.Argument(help="https://…/v1/log/<agency>")],
    folder: Annotated[Path, typer.Argument(help="where the copy goes; an older copy is continued")],
    token: Token = None,
) -> None:
    """Copy a log into a folder, all of what its newest checkpoint covers."""
    with _reporting() as console:
        size = fetch_log(url, folder, token)
        console.print(f"{size} entries in {folder}", markup=False)


def fetch_log(url: str, folder: Path, token: str | None, key: VerifierKey | None = None) -> int:
    """Copy the log at `url`; returns its size. Files that are there already are not asked for
    again: none ever changes. Of a checkpoint that neither `key` signed nor one that it leads to,
    nothing else is fetched.

    Raises `ClientError`, also for a token that would go to another machine unencrypted.
    """
    if token:
        refuse_unencrypted(url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(headers=headers, timeout=_TIMEOUT_SECONDS) as http:

        def get(path: str) -> bytes:
            try:
                response = http.get(f"{url.rstrip('/')}/{path}")
            except httpx.HTTPError as error:
                reason = error or type(error).__name__
                raise UnavailableError(f"{url} does not answer: {reason}") from error
            raise_for(response)
            return response.content

        note = get("checkpoint")
        size = _size_of(note) if key is None else _size_signed(note, key, get)
        missing = [path for path in paths_of(size) if not (folder / path).exists()]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda path: _save(folder / path, _present(get, path)), missing):
                pass
    # Last: a copy that was cut short is not taken for a whole one.
    _save(folder / "checkpoint", note)
    (folder / "fetched_at").write_text(datetime.now(UTC).isoformat(timespec="seconds") + "\n")
    return size


def paths_of(size: int) -> Iterator[str]:
    """All files of a log of that size but the checkpoint."""
    for tile in tiles_of(size):
        yield tile.path
    for bundle in bundles_of(size):
        yield bundle.path


def _verified(
    source: str, key: VerifierKey, held: Sequence[str], token: str | None, console: Console
) -> Report:
    if not source.startswith(("http://", "https://")):
        if not (Path(source) / "checkpoint").is_file():
            raise NotChecked(f"{source} holds no copy of a log: it has no file `checkpoint`")
        return verify_log(folder_source(Path(source)), key, held)
    with tempfile.TemporaryDirectory(prefix="alpr-log-") as folder:
        size = fetch_log(source, Path(folder), token, key)
        console.print(f"fetched {size} entries", style="dim")
        return verify_log(folder_source(Path(folder)), key, held)


def _tell(console: Console, key: VerifierKey, report: Report, held: int) -> None:
    for size, good in report.held:
        word = "extended" if good else "NOT extended"
        console.print(f"held checkpoint of {size} entries: {word}")
    if report.is_good:
        against = f"and extends {held} held checkpoint(s)" if held else "(no held checkpoint given)"
        console.print(
            f"[green]whole[/]: {escape(key.name)} has {report.size} entries, root "
            f"{report.root.hex()}, {against}"
        )
        _tell_keys(console, key, report)
        return
    for fault in report.faults[:_SHOWN_FAULTS]:
        console.print(f"[red]fault[/]: {escape(fault)}", soft_wrap=True)
    if len(report.faults) > _SHOWN_FAULTS:
        console.print(f"… and {len(report.faults) - _SHOWN_FAULTS} more")
    console.print(f"[red]TAMPERED[/]: {escape(key.name)} is not the log that was vouched for")


def _tell_keys(console: Console, key: VerifierKey, report: Report) -> None:
    """By whom the log is signed, and how that follows from the key that was given."""
    if report.lineage is None or not report.lineage.hand_overs:
        return
    last = report.lineage.last
    line = f"signed by key {last.key_id.hex()}"
    for one in reversed(report.lineage.hand_overs):
        line += f", handed over by key {one.old.key_id.hex()} at entry {one.size}"
    console.print(line)
    if last != key:
        console.print(f"the log's verifier key is now {last}", markup=False)


def _key(given: str) -> VerifierKey:
    path = Path(given)
    try:
        return VerifierKey.parse(path.read_text() if path.is_file() else given)
    except (NoteInvalid, OSError, UnicodeDecodeError) as error:
        raise NotChecked(f"--key: {error}") from error


def _held(given: Sequence[Path]) -> list[str]:
    """The notes in files and folders, each once."""
    notes: dict[str, None] = {}
    for path in given:
        files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        if not files:
            raise NotChecked(f"--against: {path} holds no checkpoint")
        for file in files:
            try:
                notes[file.read_text()] = None
            except (OSError, UnicodeDecodeError) as error:
                raise NotChecked(f"--against: {error}") from error
    return list(notes)


def _size_of(note: bytes) -> int:
    """How many entries the server says there are."""
    found = re.match(r"[^\n]+\n([0-9]{1,12})\n", note.decode("utf-8", "replace"))
    if found is None:
        raise NotChecked("the server's checkpoint is malformed")
    return int(found[1])


def _size_signed(note: bytes, key: VerifierKey, get: Callable[[str], bytes]) -> int:
    """How many entries to fetch: none for a checkpoint that says nothing true."""
    text = note.decode("utf-8", "replace")
    with suppress(NoteInvalid):
        return Checkpoint.open(text, key).size
    with suppress(NoteInvalid, HandOverInvalid):
        return Lineage.through(key, _hand_overs(get)).open(text).size
    return 0


def _hand_overs(get: Callable[[str], bytes]) -> list[HandOver]:
    """Those that the server tells of; whether the log has them is seen when it is checked."""
    try:
        items = json.loads(get("hand-overs"))["items"]
        found = [hand_over_in(b64decode(item["entry"]), int(item["index"])) for item in items]
    except (RefusedError, ValueError, KeyError, TypeError):  # RefusedError: of an older server
        return []
    return [one for one in found if one is not None]


def _present(get: Callable[[str], bytes], path: str) -> bytes | None:
    """The file; None where the server has none, which is for the check to complain about."""
    try:
        return get(path)
    except RefusedError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _save(path: Path, content: bytes | None) -> None:
    if content is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)


@contextmanager
def _reporting() -> Iterator[Console]:
    """Where to print, and exit code 2 with the reason for what keeps the check from being made."""
    try:
        yield Console(soft_wrap=True, highlight=False)
    except ClientError as error:
        Console(stderr=True, highlight=False).print(
            f"not checked: {error}", markup=False, soft_wrap=True
        )
        raise typer.Exit(NOT_CHECKED) from None
