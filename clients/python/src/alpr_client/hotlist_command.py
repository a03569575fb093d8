"""`alpr hotlist`: lists and their entries, from the command line.

alpr hotlist preview leads.txt --source leads --mapper ncic-fixed --refresh
alpr hotlist import  leads.txt --source leads --mapper ncic-fixed --refresh
alpr hotlist check "AB 12 345"
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alpr_client.client import AlprClient
from alpr_client.errors import ClientError, RefusedError
from alpr_client.models import HotListEntry
from alpr_client.transport import Addresses

DONE, WITH_FINDINGS, NOT_DONE, ASKS = 0, 1, 2, 3
"""Exit codes: done; done, but lines were bad (import, preview) or the plate is listed (check);
refused or out of reach; a refresh waits for --confirm-removals."""

_POLL_SECONDS = 0.5
_SHOWN_BAD_LINES = 50
_CHUNK_BYTES = 1024 * 1024
T = TypeVar("T")

app = typer.Typer(
    help="Hot lists. Exit code 0: done, 1: lines were bad or the plate is listed, 2: not done, "
    "3: waits for --confirm-removals. Signs in with ALPR_TOKEN, or ALPR_USERNAME and "
    "ALPR_PASSWORD.",
    no_args_is_help=True,
)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
Source = Annotated[str, typer.Option(help="the list's word, such as leads or scofflaw")]
MapperName = Annotated[
    str | None, typer.Option(help="a mapper that the server has, or a mapper file (.toml)")
]
Refresh = Annotated[
    bool | None,
    typer.Option(
        "--refresh/--delta", help="whether what the file does not name is removed; as the list says"
    ),
]


@app.command("import")
def import_list(
    file: File,
    source: Source,
    mapper: MapperName = None,
    refresh: Refresh = None,
    confirm_removals: Annotated[
        bool, typer.Option(help="go on although a large share of the list is removed")
    ] = False,
) -> None:
    """Import a list: all of the file's good lines, or none of them."""
    _import(file, source, mapper, refresh, dry_run=False, confirm_removals=confirm_removals)


@app.command("preview")
def preview(file: File, source: Source, mapper: MapperName = None, refresh: Refresh = None) -> None:
    """Show what an import would add, change and remove, and the bad lines; change nothing."""
    _import(file, source, mapper, refresh, dry_run=True, confirm_removals=False)


@app.command("list")
def list_lists() -> None:
    """The agency's lists and those offered to it, how fresh they are, and what is unchecked."""

    async def work(client: AlprClient, console: Console) -> int:
        columns = (
            "list",
            "kind",
            "owner",
            "entries",
            "refreshed",
            "freshness",
            "subscribers",
            "id",
        )
        table = Table(*columns, box=None)
        for one in await client.hotlist.lists():
            refreshed = (one["refreshed_at"] or "")[:16].replace("T", " ")
            table.add_row(
                one["source"], one["kind"], one["agency_id"], str(one["entries"]), refreshed,
                one["freshness"],
                ", ".join(f"{s['agency_id']} {s['state']}" for s in one.get("subscriptions", [])),
                str(one.get("list_id", "")),
            )  # fmt: skip
        console.print(table)
        waiting = await client.hotlist.unchecked()
        overdue = sum(bool(one["overdue"]) for one in waiting)
        console.print(f"{len(waiting)} entries wait for a second person, {overdue} overdue")
        return DONE

    _run(work)


@app.command("add")
def add(
    plate: Annotated[str, typer.Argument(help="a plate, or a pattern with ? and *")],
    category: Annotated[str, typer.Option(help="one of the policy's, such as stolen_vehicle")],
    reason: Annotated[str, typer.Option(help="why it is looked for; kept with the entry")],
    days: Annotated[float, typer.Option(help="how long it holds", min=0.01)] = 7,
    jurisdiction: Annotated[str | None, typer.Option(help="US-IL, or IL")] = None,
    case_number: Annotated[str | None, typer.Option()] = None,
    vehicle: Annotated[str | None, typer.Option(help="in words")] = None,
    caution: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Enter one plate by hand. A second person has to check it (131.6-7)."""

    async def work(client: AlprClient, console: Console) -> int:
        entry = await client.hotlist.add(
            plate, category=category, reason=reason,
            expires_at=datetime.now(UTC) + timedelta(days=days), jurisdiction=jurisdiction,
            case_number=case_number, vehicle=vehicle, caution=caution,
        )  # fmt: skip
        console.print(f"added {entry.plate} as {entry.entry_id}; it waits for a second person")
        return DONE

    _run(work)


@app.command("retract")
def retract(
    entry_id: Annotated[UUID, typer.Argument()],
    reason: Annotated[str, typer.Option(help="why it is not looked for any more")],
) -> None:
    """Take one entry off its list."""

    async def work(client: AlprClient, console: Console) -> int:
        entry = await client.hotlist.retract(entry_id, reason)
        console.print(f"retracted {entry.plate}")
        return DONE

    _run(work)


@app.command("accept")
def accept(
    list_id: Annotated[UUID, typer.Argument(help="another agency's list, as `list` shows it")],
    reason: Annotated[str, typer.Option(help="why; kept with the subscription")],
) -> None:
    """Have the agency's reads compared with a list that is offered to it (administrators)."""
    _answer(list_id, reason, accept=True)


@app.command("decline")
def decline(
    list_id: Annotated[UUID, typer.Argument(help="another agency's list, as `list` shows it")],
    reason: Annotated[str, typer.Option(help="why; kept with the subscription")],
) -> None:
    """Decline a list that is offered, or leave one that was accepted (administrators)."""
    _answer(list_id, reason, accept=False)


def _answer(list_id: UUID, reason: str, *, accept: bool) -> None:
    async def work(client: AlprClient, console: Console) -> int:
        done = await client.hotlist.answer_subscription(list_id, accept=accept, reason=reason)
        console.print(f"{done['state']}: version {done['version']}")
        return DONE

    _run(work)


@app.command("second-check")
def second_check(
    entry_id: Annotated[UUID, typer.Argument()],
    note: Annotated[str | None, typer.Option(help="what was looked at")] = None,
) -> None:
    """Confirm somebody else's entry by hand (131.6-7)."""

    async def work(client: AlprClient, console: Console) -> int:
        entry = await client.hotlist.check(entry_id, note)
        console.print(f"checked {entry.plate}")
        return DONE

    _run(work)


@app.command("check")
def check(
    plate: Annotated[str, typer.Argument(help="written as you like; look-alikes are shown too")],
) -> None:
    """Say whether a plate is listed: exit code 1 with the entries, 0 when it is not."""

    async def work(client: AlprClient, console: Console) -> int:
        found: list[HotListEntry] = []
        cursor: str | None = None
        while True:
            page = await client.hotlist.list(plate=plate, cursor=cursor, limit=100)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        if not found:
            console.print(f"{plate}: not listed", markup=False)
            return DONE
        table = Table("plate", "state", "category", "reason", "list", "expires", "check", box=None)
        for entry in found:
            until = f"{entry.expires_at:%Y-%m-%d %H:%M}" if entry.expires_at else ""
            table.add_row(
                entry.plate, entry.jurisdiction or "?", entry.category, entry.reason,
                entry.source or "", until, entry.check,
            )  # fmt: skip
        console.print(table)
        return WITH_FINDINGS

    _run(work)


def _import(
    file: Path,
    source: str,
    mapper: str | None,
    refresh: bool | None,
    *,
    dry_run: bool,
    confirm_removals: bool,
) -> None:
    mapper_file = None
    if mapper is not None and mapper.endswith(".toml"):
        try:
            mapper_file, mapper = Path(mapper).read_bytes(), None
        except OSError as error:
            raise typer.BadParameter(str(error)) from error
    mode = None if refresh is None else ("refresh" if refresh else "delta")

    async def work(client: AlprClient, console: Console) -> int:
        import_id = uuid4()
        with file.open("rb") as content:
            report = await _with_progress(
                client, file, import_id,
                client.hotlist.import_file(
                    content, file.name, source, mode=mode, mapper=mapper, mapper_file=mapper_file,
                    dry_run=dry_run, confirm_removals=confirm_removals, import_id=import_id,
                ),
            )  # fmt: skip
        _tell(console, report)
        return WITH_FINDINGS if report["rejected_count"] else DONE

    _run(work)


async def _with_progress(
    client: AlprClient,
    file: Path,
    import_id: UUID,
    sending: Coroutine[Any, Any, dict[str, Any]],
) -> dict[str, Any]:
    """The report of an import, its progress being shown meanwhile."""
    lines = await asyncio.to_thread(_count_lines, file)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        shown = progress.add_task("sending", total=lines)
        work = asyncio.ensure_future(sending)
        while not (await asyncio.wait([work], timeout=_POLL_SECONDS))[0]:
            # It is not known there before the file has arrived, and only the report counts.
            with suppress(ClientError):
                record = await client.hotlist.import_record(import_id)
                progress.update(
                    shown, description=record["state"], completed=min(record["lines_read"], lines)
                )
        if work.exception() is None:
            progress.update(shown, description="done", completed=lines)
        return await work


def _count_lines(file: Path) -> int:
    with file.open("rb") as content:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(_CHUNK_BYTES), b""))


def _tell(console: Console, report: dict[str, Any]) -> None:
    would = "would be " if report["dry_run"] else ""
    console.print(
        f"{report['source']} ({report['mode']}, mapper {report['mapper']}): "
        f"{report['lines_read']} lines; {report['added']} {would}added, "
        f"{report['changed']} {would}changed, {report['removed']} {would}removed, "
        f"{report['unchanged']} unchanged",
        markup=False,
    )
    for what, entries in report.get("sample", {}).items():
        for one in entries:
            before = f"  (was: {one['reason_before']})" if what == "changed" else ""
            console.print(
                f"  {what:8} {one['plate']:12} {one['category']}: {one['reason']}{before}",
                markup=False,
            )
    for one in report["dropped"]:
        console.print(f"dropped {one['count']} of {one['category']}: {one['why']}", markup=False)
    for bad in report["rejected"][:_SHOWN_BAD_LINES]:
        console.print(f"line {bad['line']}: {bad['what']}", markup=False)
    if (more := report["rejected_count"] - _SHOWN_BAD_LINES) > 0:
        console.print(f"… and {more} more bad lines")


def _run(work: Callable[[AlprClient, Console], Coroutine[Any, Any, int]]) -> None:
    """Sign in, do it, and end with its exit code, or 2 with the reason why it could not be done."""
    console = Console(soft_wrap=True, highlight=False)

    async def signed_in() -> int:
        token, username = os.environ.get("ALPR_TOKEN"), os.environ.get("ALPR_USERNAME")
        async with AlprClient(Addresses.from_environment(), token=token) as client:
            if token is None and username is not None:
                await client.sign_in(username, os.environ.get("ALPR_PASSWORD", ""))
            return await work(client, console)

    try:
        code = asyncio.run(signed_in())
    except RefusedError as error:
        _complain(error)
        code = ASKS if error.code == "removals-not-confirmed" else NOT_DONE
    except ClientError as error:
        _complain(error)
        code = NOT_DONE
    raise typer.Exit(code)


def _complain(error: ClientError) -> None:
    Console(stderr=True, highlight=False).print(f"not done: {error}", markup=False, soft_wrap=True)
