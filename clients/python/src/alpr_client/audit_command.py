"""`alpr audit`: prepare the yearly audit (131.5-d) and bring its files, from the command line.

alpr audit package --from 2026-01-01 --to 2027-01-01 --out audit-2026/
alpr audit findings --unreviewed
alpr audit shifts shifts.csv --from 2026-01-01 --to 2027-01-01
"""

import asyncio
import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from alpr_client.errors import ClientError
from alpr_client.models import Session
from alpr_client.transport import Addresses, Transport

DONE, WITH_FINDINGS, NOT_DONE = 0, 1, 2
"""Exit codes: done; done, and the log is not whole or something is missing; not done."""

_TIMEOUT_SECONDS = 900.0
_SERVICE = "access_log"

app = typer.Typer(
    help="The yearly audit. Exit code 0: done, 1: done, but the access log is not whole or a part "
    "is missing, 2: not done. Signs in with ALPR_TOKEN, or ALPR_USERNAME, ALPR_PASSWORD and "
    "(with a second factor) ALPR_CODE, as an "
    "administrator, auditor or supervisor.",
    no_args_is_help=True,
)
From = Annotated[str, typer.Option("--from", help="a day (UTC), or a time with its offset")]
To = Annotated[str, typer.Option("--to", help="the first day, or moment, that is not in it")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Work = Callable[[Transport, Console], Coroutine[Any, Any, int]]


class NotStored(ClientError):
    """What was sent is not what arrived."""


@app.command("package")
def package(
    from_at: From,
    to_at: To,
    out: Annotated[Path, typer.Option("--out", help="folder; it is made where it is missing")],
) -> None:
    """Prepare the audit of a period and save page, PDF, tables and summary, each checked."""
    period = _period(from_at, to_at)

    async def work(http: Transport, console: Console) -> int:
        made = await http.json(_SERVICE, "POST", "/v1/audit/packages", json=period)
        await _save(http, made, out)
        return _tell(console, made, out)

    _run(work)


@app.command("list")
def list_packages() -> None:
    """The prepared packages, newest first."""

    async def work(http: Transport, console: Console) -> int:
        table = Table("package", "from", "to", "prepared at", "prepared by", box=None)
        cursor: str | None = None
        while True:
            page = await http.json(
                _SERVICE, "GET", "/v1/audit/packages", params={"cursor": cursor, "limit": 100}
            )
            for one in page["items"]:
                table.add_row(
                    one["package_id"], one["from"][:16], one["to"][:16], one["prepared_at"][:16],
                    one["prepared_by"],
                )  # fmt: skip
            cursor = page["next_cursor"]
            if cursor is None:
                break
        console.print(table)
        return DONE

    _run(work)


@app.command("fetch")
def fetch(
    package_id: Annotated[UUID, typer.Argument()],
    out: Annotated[Path, typer.Option("--out", help="folder; it is made where it is missing")],
) -> None:
    """Save the files of a package that was prepared before."""

    async def work(http: Transport, console: Console) -> int:
        made = await http.json(_SERVICE, "GET", f"/v1/audit/packages/{package_id}")
        await _save(http, made, out)
        return _tell(console, made, out)

    _run(work)


@app.command("findings")
def findings(
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="those alone")] = False,
    rule: Annotated[str | None, typer.Option(help="of this rule alone")] = None,
) -> None:
    """Findings, newest first: hints to a human, with their reasons."""

    async def work(http: Transport, console: Console) -> int:
        asked = {"reviewed": "false" if unreviewed else None, "rule": rule, "limit": 200}
        page = await http.json(_SERVICE, "GET", "/v1/audit/findings", params=asked)
        for one in page["items"]:
            people = "; ".join(p["name"] or p["person_id"] for p in one["people"])
            console.print(f"{one['finding_id']}  {one['title']}", style="bold", markup=False)
            console.print(f"  {people}, {one['strength']}, {one['last_at'][:16]}", markup=False)
            console.print(f"  {one['why']}", markup=False)
            for review in one["reviews"]:
                said = f"  {review['outcome']} by {review['reviewed_by']}: {review['note']}"
                console.print(said, markup=False)
        if page["next_cursor"]:
            console.print("… and more", style="dim")
        return DONE

    _run(work)


@app.command("review")
def review(
    finding_id: Annotated[UUID, typer.Argument()],
    outcome: Annotated[str, typer.Option(help="explained, or referred")],
    note: Annotated[str, typer.Option(help="the explanation, or to whom it was referred")],
) -> None:
    """Say what came out of a finding."""

    async def work(http: Transport, console: Console) -> int:
        said = {"outcome": outcome, "note": note}
        await http.json(_SERVICE, "POST", f"/v1/audit/findings/{finding_id}/review", json=said)
        console.print(f"{outcome}: {finding_id}")
        return DONE

    _run(work)


@app.command("shifts")
def shifts(file: File, from_at: From, to_at: To) -> None:
    """Give the list of shifts: a CSV with begins_at, ends_at, and person_id or username."""
    period = _period(from_at, to_at)
    text = _text(file)

    async def work(http: Transport, console: Console) -> int:
        said = period | {"csv": await _with_person_ids(http, text)}
        shown = await http.json(_SERVICE, "PUT", "/v1/audit/lists/shifts", json=said)
        return _tell_lists(console, shown)

    _run(work)


@app.command("cases")
def cases(
    file: File, to_at: Annotated[str, typer.Option("--to", help="until when it is complete")]
) -> None:
    """Give the list of case and incident numbers: a CSV with a column case_number."""
    said = {"to": _moment(to_at, "--to"), "csv": _text(file)}

    async def work(http: Transport, console: Console) -> int:
        return _tell_lists(
            console, await http.json(_SERVICE, "PUT", "/v1/audit/lists/cases", json=said)
        )

    _run(work)


@app.command("own-plates")
def own_plates(
    person_id: Annotated[str, typer.Argument(help="whose they are")],
    file: Annotated[Path, typer.Option(help="a plate a line", exists=True, dir_okay=False)],
) -> None:
    """Give a person's own and relatives' plates. They are kept as keyed hashes alone."""
    plates = [line.strip() for line in _text(file).splitlines() if line.strip()]

    async def work(http: Transport, console: Console) -> int:
        path = f"/v1/audit/lists/plates/{person_id}"
        return _tell_lists(console, await http.json(_SERVICE, "PUT", path, json={"plates": plates}))

    _run(work)


async def _save(http: Transport, made: dict[str, Any], out: Path) -> None:
    """All files of a package; raises `NotStored` for one that is not what its hash says."""
    for file in made["files"]:
        path = f"/v1/audit/packages/{made['package_id']}/files/{file['name']}"
        content = (await http.call(_SERVICE, "GET", path)).content
        if hashlib.sha256(content).hexdigest() != file["sha256"]:
            raise NotStored(f"{file['name']} is not what its SHA-256 says")
        _write(out / file["name"], content)
    summary = json.dumps(made["summary"], indent=1, ensure_ascii=False)
    _write(out / "summary.json", f"{summary}\n".encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _tell(console: Console, made: dict[str, Any], out: Path) -> int:
    summary = made["summary"]
    totals, log = summary["usage"]["totals"], summary["log"]
    found = summary["misuse"]["findings"]
    unreviewed = sum(not one["reviews"] for one in found)
    console.print(f"package     {made['package_id']} in {out}", markup=False)
    console.print(f"period      {made['from'][:16]} to {made['to'][:16]}", markup=False)
    console.print(
        f"searches    {totals['searches']} answered, {totals['refused']} refused, "
        f"{totals['people']} people"
    )
    whole = {None: "nothing to check", True: "whole", False: "NOT WHOLE"}[log["is_good"]]
    console.print(f"access log  {whole}, {log['entries']} entries recomputed")
    console.print(f"findings    {len(found)}, {unreviewed} of them not reviewed")
    for missing in summary["missing"]:
        console.print(f"missing     {missing}", markup=False)
    return WITH_FINDINGS if summary["missing"] or log["is_good"] is False else DONE


def _tell_lists(console: Console, shown: dict[str, Any]) -> int:
    for one in shown["lists"]:
        console.print(f"{one['kind']}: {one['entries']} entries, until {one['to_at'][:16]}")
    return DONE


async def _with_person_ids(http: Transport, text: str) -> str:
    """The CSV with a column person_id; user names are looked up where there is none."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if "person_id" in names or "username" not in names:
        return text
    reader.fieldnames = names
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
    for line, row in enumerate(reader, 2):
        person_id = known.get((row["username"] or "").strip().lower())
        if person_id is None:
            raise NotStored(f"line {line}: nobody of the agency is named {row['username']!r}")
        writer.writerow(row | {"person_id": person_id})
    return out.getvalue()


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error


def _period(from_at: str, to_at: str) -> dict[str, str]:
    return {"from": _moment(from_at, "--from"), "to": _moment(to_at, "--to")}


def _moment(text: str, option: str) -> str:
    """A day begins at midnight UTC; a time has to say its offset."""
    try:
        if len(text) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(text), time(), UTC).isoformat()
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"{option}: say a day, or a time with its offset from UTC")
    return at.isoformat()


def _run(work: Work) -> None:
    """Sign in, do it, and end with its exit code, or 2 with the reason why it was not done."""
    console = Console(soft_wrap=True, highlight=False)

    async def signed_in() -> int:
        token, username = os.environ.get("ALPR_TOKEN"), os.environ.get("ALPR_USERNAME")
        http = Transport(Addresses.from_environment(), token, _TIMEOUT_SECONDS)
        try:
            if token is None and username is not None:
                said = {
                    "username": username, "password": os.environ.get("ALPR_PASSWORD", ""),
                    "code": os.environ.get("ALPR_CODE"),
                }  # fmt: skip
                opened = await http.json(
                    "identity", "POST", "/v1/sessions", signed=False, json=said
                )
                http.use(Session.model_validate(opened))
            return await work(http, console)
        finally:
            await http.close()

    try:
        code = asyncio.run(signed_in())
    except (ClientError, OSError) as error:
        Console(stderr=True, highlight=False).print(
            f"not done: {error}", markup=False, soft_wrap=True
        )
        code = NOT_DONE
    raise typer.Exit(code)
