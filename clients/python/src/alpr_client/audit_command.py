"""`alpr audit`: prepare the yearly audit (131.5-d) and bring its files, from the command line.

alpr audit package --from 2026-01-01 --to 2027-01-01 --out audit-2026/
alpr audit findings --unreviewed
alpr audit shifts shifts.csv --from 2026-01-01 --to 2027-01-01
"""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from alpr_client import audit_lists, audit_package
from alpr_client.audit_period import From, To, period
from alpr_client.client import AlprClient
from alpr_client.command_session import DONE, SIGNS_IN, run

_TIMEOUT_SECONDS = 120.0
_SERVICE = "access_log"

app = typer.Typer(
    help="The yearly audit, for administrators, auditors and supervisors.\n\n" + SIGNS_IN,
    epilog="Exit codes: 0 done; 1 done, but the access log is not whole or a part is missing; "
    "2 not done; 4 nobody is signed in; 130 interrupted, the package is prepared all the same.",
    no_args_is_help=True,
)
app.command("shifts")(audit_lists.shifts)
app.command("cases")(audit_lists.cases)
app.command("own-plates")(audit_lists.own_plates)
Out = Annotated[Path, typer.Option("--out", help="folder; it is made where it is missing")]


@app.command("package")
def package(from_at: From, to_at: To, out: Out) -> None:
    """Prepare the audit of a period and save page, PDF, tables and summary, each checked.

    The service goes on by itself: Ctrl-C, a lost connection or a session that ended meanwhile end
    the waiting alone, and `alpr audit fetch` waits on.
    """
    asked = period(from_at, to_at)

    async def work(client: AlprClient, console: Console) -> int:
        return await audit_package.prepare(client.transport, console, asked, out)

    run(work, timeout_seconds=_TIMEOUT_SECONDS)


@app.command("list")
def list_packages() -> None:
    """The packages, newest first; those in the making and those that failed, too."""

    async def work(client: AlprClient, console: Console) -> int:
        table = Table("package", "from", "to", "state", "asked at", "by", box=None)
        cursor: str | None = None
        while True:
            page = await client.transport.json(
                _SERVICE, "GET", "/v1/audit/packages", params={"cursor": cursor, "limit": 100}
            )
            for one in page["items"]:
                table.add_row(
                    one["package_id"], one["from"][:16], one["to"][:16], one["state"],
                    one["asked_at"][:16], one["prepared_by"],
                )  # fmt: skip
            cursor = page["next_cursor"]
            if cursor is None:
                break
        console.print(table)
        return DONE

    run(work)


@app.command("fetch")
def fetch(package_id: Annotated[UUID, typer.Argument()], out: Out) -> None:
    """Save the files of a package; one that is in the making is waited for."""

    async def work(client: AlprClient, console: Console) -> int:
        return await audit_package.fetch(client.transport, console, str(package_id), out)

    run(work, timeout_seconds=_TIMEOUT_SECONDS)


@app.command("findings")
def findings(
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="those alone")] = False,
    rule: Annotated[str | None, typer.Option(help="of this rule alone")] = None,
) -> None:
    """Findings, newest first: hints to a human, with their reasons."""

    async def work(client: AlprClient, console: Console) -> int:
        asked = {"reviewed": "false" if unreviewed else None, "rule": rule, "limit": 200}
        page = await client.transport.json(_SERVICE, "GET", "/v1/audit/findings", params=asked)
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

    run(work)


@app.command("review")
def review(
    finding_id: Annotated[UUID, typer.Argument()],
    outcome: Annotated[str, typer.Option(help="explained, or referred")],
    note: Annotated[str, typer.Option(help="the explanation, or to whom it was referred")],
) -> None:
    """Say what came out of a finding."""

    async def work(client: AlprClient, console: Console) -> int:
        said = {"outcome": outcome, "note": note}
        await client.transport.json(
            _SERVICE, "POST", f"/v1/audit/findings/{finding_id}/review", json=said
        )
        console.print(f"{outcome}: {finding_id}")
        return DONE

    run(work)
