"""`alpr hotlist import` and `preview`: a file into a list, with progress and report."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from alpr_client.client import AlprClient
from alpr_client.command_session import DONE, WITH_FINDINGS, run
from alpr_client.errors import ClientError
from alpr_client.models import ImportReport

ASKS = 3
"""Exit code: a refresh waits for --confirm-removals."""

_POLL_SECONDS = 0.5
_SHOWN_BAD_LINES = 50
_CHUNK_BYTES = 1024 * 1024

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="the list, as a file")
]
Source = Annotated[str, typer.Option(help="the list's word, such as leads or scofflaw")]
MapperName = Annotated[
    str | None, typer.Option(help="a mapper that the server has, or a mapper file (.toml)")
]
Refresh = Annotated[
    bool | None,
    typer.Option(
        "--refresh/--delta",
        help="whether what the file does not name is removed; as the list says if left out",
    ),
]


def import_list(
    file: File,
    source: Source,
    mapper: MapperName = None,
    refresh: Refresh = None,
    confirm_removals: Annotated[
        bool,
        typer.Option("--confirm-removals", help="go on although much of the list is removed"),
    ] = False,
) -> None:
    """Import a list: all of the file's good lines, or none of them.

    Exit code 1: done, but some lines were bad; 3: a refresh would remove so much of the list that
    it waits for --confirm-removals.
    """
    _import(file, source, mapper, refresh, dry_run=False, confirm_removals=confirm_removals)


def preview(file: File, source: Source, mapper: MapperName = None, refresh: Refresh = None) -> None:
    """Show what an import would add, change and remove, and the bad lines; change nothing.

    Exit code 1: some lines are bad.
    """
    _import(file, source, mapper, refresh, dry_run=True, confirm_removals=False)


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
            raise typer.BadParameter(str(error), param_hint="--mapper") from error
    mode = None if refresh is None else ("refresh" if refresh else "delta")

    async def work(client: AlprClient, console: Console) -> int:
        import_id = uuid4()
        with file.open("rb") as content:
            sending = client.hotlist.import_file(
                content, file.name, source, mode=mode, mapper=mapper, mapper_file=mapper_file,
                dry_run=dry_run, confirm_removals=confirm_removals, import_id=import_id,
            )  # fmt: skip
            report = await _with_progress(client, file, import_id, sending)
        _tell(console, report)
        return WITH_FINDINGS if report.rejected_count else DONE

    run(work, codes={"removals-not-confirmed": ASKS})


async def _with_progress(
    client: AlprClient,
    file: Path,
    import_id: UUID,
    sending: Coroutine[Any, Any, ImportReport],
) -> ImportReport:
    """The report of an import, its progress being shown meanwhile."""
    work = asyncio.ensure_future(sending)
    lines = await asyncio.to_thread(_count_lines, file)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        shown = progress.add_task("sending", total=lines)
        while not (await asyncio.wait([work], timeout=_POLL_SECONDS))[0]:
            # It is not known there before the file has arrived, and only the report counts.
            with suppress(ClientError):
                record = await client.hotlist.import_record(import_id)
                progress.update(
                    shown, description=record.state, completed=min(record.lines_read, lines)
                )
        if work.exception() is None:
            progress.update(shown, description="done", completed=lines)
        return await work


def _count_lines(file: Path) -> int:
    with file.open("rb") as content:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(_CHUNK_BYTES), b""))


def _tell(console: Console, report: ImportReport) -> None:
    would = "would be " if report.dry_run else ""

    def say(line: str) -> None:
        console.print(line, markup=False)

    say(
        f"{report.source} ({report.mode}, mapper {report.mapper}): {report.lines_read} lines; "
        f"{report.added} {would}added, {report.changed} {would}changed, "
        f"{report.removed} {would}removed, {report.unchanged} unchanged"
    )
    for what, entries in report.sample.items():
        for one in entries:
            before = f"  (was: {one['reason_before']})" if what == "changed" else ""
            say(f"  {what:8} {one['plate']:12} {one['category']}: {one['reason']}{before}")
    for dropped in report.dropped:
        say(f"dropped {dropped.count} of {dropped.category}: {dropped.why}")
    for bad in report.rejected[:_SHOWN_BAD_LINES]:
        say(f"line {bad.line}: {bad.what}")
    if (more := report.rejected_count - _SHOWN_BAD_LINES) > 0:
        say(f"… and {more} more bad lines")
