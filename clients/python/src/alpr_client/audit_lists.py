"""`alpr audit shifts`, `cases` and `own-plates`: what an agency gives for its audit."""

import csv
import io
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from alpr_client.audit_period import From, To, moment, period
from alpr_client.client import AlprClient
from alpr_client.command_session import DONE, run
from alpr_client.errors import ClientError
from alpr_client.transport import Transport

_TIMEOUT_SECONDS = 120.0
_LISTS = "/v1/audit/lists"

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]


class ListUnreadable(ClientError):
    """The file is no CSV."""


class NobodyOfThatName(ClientError):
    """A user name of the list is nobody's of the agency."""


def shifts(file: File, from_at: From, to_at: To) -> None:
    """Give the list of shifts: a CSV with begins_at, ends_at, and person_id or username."""
    covered = period(from_at, to_at)
    text = _text(file)

    async def work(client: AlprClient, console: Console) -> int:
        said = covered | {"csv": await _with_person_ids(client.transport, text)}
        return await _give(client, console, "shifts", said)

    run(work, timeout_seconds=_TIMEOUT_SECONDS)


def cases(
    file: File, to_at: Annotated[str, typer.Option("--to", help="until when it is complete")]
) -> None:
    """Give the list of case and incident numbers: a CSV with a column case_number."""
    said = {"to": moment(to_at, "--to"), "csv": _text(file)}

    async def work(client: AlprClient, console: Console) -> int:
        return await _give(client, console, "cases", said)

    run(work, timeout_seconds=_TIMEOUT_SECONDS)


def own_plates(
    person_id: Annotated[str, typer.Argument(help="whose they are")],
    file: Annotated[Path, typer.Option(help="a plate a line", exists=True, dir_okay=False)],
) -> None:
    """Give a person's own and relatives' plates. They are kept as keyed hashes alone."""
    plates = [line.strip() for line in _text(file).splitlines() if line.strip()]

    async def work(client: AlprClient, console: Console) -> int:
        return await _give(client, console, f"plates/{person_id}", {"plates": plates})

    run(work, timeout_seconds=_TIMEOUT_SECONDS)


async def _give(client: AlprClient, console: Console, which: str, said: dict[str, Any]) -> int:
    shown = await client.transport.json("access_log", "PUT", f"{_LISTS}/{which}", json=said)
    for one in shown["lists"]:
        console.print(f"{one['kind']}: {one['entries']} entries, until {one['to_at'][:16]}")
    return DONE


async def _with_person_ids(http: Transport, text: str) -> str:
    """The CSV with a column person_id; user names are looked up where there is none.

    Raises `ListUnreadable`, `NobodyOfThatName`, both of which name the line.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ListUnreadable(f"line {reader.line_num}: {error}") from error
    names = [name.strip().lower() for name in rows[0][1]] if rows else []
    if "person_id" in names or "username" not in names:
        return text
    known: dict[str, str] = {}
    cursor: str | None = None
    while True:
        params = {"cursor": cursor, "limit": 200}
        page = await http.json("identity", "GET", "/v1/people", params=params)
        known |= {one["username"].lower(): one["person_id"] for one in page["items"]}
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    out = io.StringIO()
    writer = csv.DictWriter(out, ("person_id", "begins_at", "ends_at"), extrasaction="ignore")
    writer.writeheader()
    for line, values in rows[1:]:
        row = dict(zip(names, values, strict=False))
        person_id = known.get(row.get("username", "").strip().lower())
        if person_id is None:
            raise NobodyOfThatName(
                f"line {line}: nobody of the agency is named {row.get('username', '')!r}"
            )
        writer.writerow(row | {"person_id": person_id})
    return out.getvalue()


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error
