"""`alpr hotlist`: lists and their entries, from the command line.

alpr hotlist preview leads.txt --source leads --mapper ncic-fixed --refresh
alpr hotlist import  leads.txt --source leads --mapper ncic-fixed --refresh
alpr hotlist check "AB 12 345"
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from alpr_client.client import AlprClient
from alpr_client.command_session import DONE, SIGNS_IN, WITH_FINDINGS, run
from alpr_client.hotlist_import import import_list, preview

app = typer.Typer(
    help=f"Hot lists and their entries.\n\n{SIGNS_IN}",
    epilog="Exit codes: 0 done; 1 done, but lines were bad, or the plate is listed; 2 not done; "
    "3 waits for --confirm-removals; 4 nobody is signed in.",
    no_args_is_help=True,
)
app.command("import")(import_list)
app.command("preview")(preview)

EntryId = Annotated[UUID, typer.Argument(help="as `add` and the console show it")]
ListId = Annotated[UUID, typer.Argument(help="another agency's list, as `list` shows it")]
SubscriptionReason = Annotated[str, typer.Option(help="why; kept with the subscription")]


@app.command("list")
def list_lists() -> None:
    """Show the agency's lists and those offered to it, their freshness, and what is unchecked."""

    async def work(client: AlprClient, console: Console) -> int:
        table = Table(
            "list", "kind", "owner", "entries", "refreshed", "freshness", "subscribers", "id",
            box=None,
        )  # fmt: skip
        for one in await client.hotlist.lists():
            table.add_row(
                one.source, one.kind, one.agency_id, str(one.entries), _minute(one.refreshed_at),
                one.freshness, ", ".join(f"{s.agency_id} {s.state}" for s in one.subscriptions),
                str(one.list_id or ""),
            )  # fmt: skip
        console.print(table)
        waiting = await client.hotlist.unchecked()
        overdue = sum(one.overdue for one in waiting)
        console.print(f"{len(waiting)} entries wait for a second person, {overdue} overdue")
        return DONE

    run(work)


@app.command("add")
def add(
    plate: Annotated[str, typer.Argument(help="a plate, or a pattern with ? and *")],
    category: Annotated[str, typer.Option(help="one of the policy's, such as stolen_vehicle")],
    reason: Annotated[str, typer.Option(help="why it is looked for; kept with the entry")],
    days: Annotated[float, typer.Option(help="how long it holds", min=0.01)] = 7,
    jurisdiction: Annotated[str | None, typer.Option(help="US-IL, or IL")] = None,
    case_number: Annotated[str | None, typer.Option(help="of the case or incident")] = None,
    vehicle: Annotated[str | None, typer.Option(help="in words")] = None,
    caution: Annotated[str | None, typer.Option(help="what whoever meets it should know")] = None,
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

    run(work)


@app.command("retract")
def retract(
    entry_id: EntryId,
    reason: Annotated[str, typer.Option(help="why it is not looked for any more")],
) -> None:
    """Take one entry off its list."""

    async def work(client: AlprClient, console: Console) -> int:
        entry = await client.hotlist.retract(entry_id, reason)
        console.print(f"retracted {entry.plate}")
        return DONE

    run(work)


@app.command("second-check")
def second_check(
    entry_id: EntryId,
    note: Annotated[str | None, typer.Option(help="what was looked at")] = None,
) -> None:
    """Confirm somebody else's entry by hand (131.6-7)."""

    async def work(client: AlprClient, console: Console) -> int:
        entry = await client.hotlist.check(entry_id, note)
        console.print(f"checked {entry.plate}")
        return DONE

    run(work)


@app.command("accept")
def accept(list_id: ListId, reason: SubscriptionReason) -> None:
    """Have the agency's reads compared with a list that is offered to it (administrators)."""
    _answer(list_id, reason, accept=True)


@app.command("decline")
def decline(list_id: ListId, reason: SubscriptionReason) -> None:
    """Decline a list that is offered, or leave one that was accepted (administrators)."""
    _answer(list_id, reason, accept=False)


def _answer(list_id: UUID, reason: str, *, accept: bool) -> None:
    async def work(client: AlprClient, console: Console) -> int:
        done = await client.hotlist.answer_subscription(list_id, accept=accept, reason=reason)
        console.print(f"{done.state}: version {done.version}")
        return DONE

    run(work)


@app.command("check")
def check(
    plate: Annotated[str, typer.Argument(help="written as you like; look-alikes are shown too")],
) -> None:
    """Say whether a plate is listed: exit code 1 with the entries, 0 when it is not."""

    async def work(client: AlprClient, console: Console) -> int:
        found = [entry async for entry in client.hotlist.every(plate=plate)]
        if not found:
            console.print(f"{plate}: not listed", markup=False)
            return DONE
        table = Table("plate", "state", "category", "reason", "list", "expires", "check", box=None)
        for entry in found:
            table.add_row(
                entry.plate, entry.jurisdiction or "?", entry.category, entry.reason,
                entry.source or "", _minute(entry.expires_at), entry.check,
            )  # fmt: skip
        console.print(table)
        return WITH_FINDINGS

    run(work)


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else ""
