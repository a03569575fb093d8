"""The lists that an agency gives for its audit, over HTTP."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from alpr_access_log.audit import given
from alpr_access_log.audit.bodies import (
    CasesGiven,
    ListChecked,
    ListsShown,
    OwnPlatesShown,
    PersonId,
    PlatesGiven,
    ShiftsGiven,
)
from alpr_access_log.audit.given import GivenShift
from alpr_access_log.audit.handlers import lists
from alpr_access_log.audit.injected import AUDITORS, TheAudit
from alpr_access_log.audit.store.lists import OwnPlates
from alpr_access_log.audit.summary import GivenList
from alpr_common.auth import Gate, Principal
from alpr_common.policy import Role

_Rows = list[dict[str, str | None]]


def add_to(routes: APIRouter, gate: Gate) -> None:
    """The routes under `/lists`."""
    _show(routes, gate)
    _give(routes, gate)
    _check(routes, gate)
    _withdraw(routes, gate)


def _show(routes: APIRouter, gate: Gate) -> None:
    auditor = Annotated[Principal, Depends(gate.signed_in(*AUDITORS))]

    @routes.get("/lists")
    async def show_lists(principal: auditor, audit: TheAudit) -> ListsShown:
        """Which lists the agency gave: shifts, cases, own and relatives' plates (counts alone)."""
        return _shown(principal, *await lists.show(audit, principal, datetime.now(UTC)))


def _give(routes: APIRouter, gate: Gate) -> None:
    giver = Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR, Role.SUPERVISOR))]
    administrator = Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR))]

    @routes.put("/lists/shifts")
    async def give_shifts(asked: ShiftsGiven, principal: giver, audit: TheAudit) -> ListsShown:
        """Replace the list of shifts, as JSON or CSV."""
        shifts = given.shifts_of(_shift_rows(asked))
        shown = await lists.give_shifts(
            audit, principal, asked.from_at, asked.to_at, shifts, datetime.now(UTC)
        )
        return ListsShown(lists=shown, own_plates=[])

    @routes.put("/lists/cases")
    async def give_cases(asked: CasesGiven, principal: giver, audit: TheAudit) -> ListsShown:
        """Replace the list of case and incident numbers, as JSON or CSV."""
        keys = given.cases_of(_case_rows(asked))
        shown = await lists.give_cases(audit, principal, asked.to_at, keys, datetime.now(UTC))
        return ListsShown(lists=shown, own_plates=[])

    @routes.put("/lists/plates/{person_id}")
    async def give_plates(
        person_id: PersonId, asked: PlatesGiven, principal: administrator, audit: TheAudit
    ) -> ListsShown:
        """Replace a person's own and relatives' plates; they are kept as keyed hashes alone."""
        shown = await lists.give_plates(
            audit, principal, person_id, given.plates_of(asked.plates), datetime.now(UTC)
        )
        return ListsShown(lists=shown, own_plates=[])


def _check(routes: APIRouter, gate: Gate) -> None:
    giver = Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR, Role.SUPERVISOR))]

    @routes.post("/lists/shifts/check")
    async def check_shifts(asked: ShiftsGiven, principal: giver, audit: TheAudit) -> ListChecked:
        """What a list of shifts says, without giving it; bad lines are refused by number."""
        lists.check_period(asked.from_at, asked.to_at)
        rows = _shift_rows(asked)
        shifts = given.shifts_of(rows)
        await lists.check(audit, principal, "shifts", len(shifts), datetime.now(UTC))
        return _checked(rows, shifts, asked.from_at, asked.to_at)

    @routes.post("/lists/cases/check")
    async def check_cases(asked: CasesGiven, principal: giver, audit: TheAudit) -> ListChecked:
        """What a list of case numbers says, without giving it; bad lines are refused by number."""
        rows = _case_rows(asked)
        keys = given.cases_of(rows)
        await lists.check(audit, principal, "cases", len(keys), datetime.now(UTC))
        return ListChecked(entries=len(keys), repeated=len(rows) - len(keys))


def _withdraw(routes: APIRouter, gate: Gate) -> None:
    giver = Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR, Role.SUPERVISOR))]
    administrator = Annotated[Principal, Depends(gate.signed_in(Role.ADMINISTRATOR))]

    @routes.delete("/lists/{kind}")
    async def withdraw_list(
        kind: Literal["shifts", "cases"], principal: giver, audit: TheAudit
    ) -> ListsShown:
        """Take a list back: rules that need it are not applied any more."""
        left = await lists.withdraw(audit, principal, kind, datetime.now(UTC))
        return _shown(principal, *left)

    @routes.delete("/lists/plates/{person_id}")
    async def withdraw_plates(
        person_id: PersonId, principal: administrator, audit: TheAudit
    ) -> ListsShown:
        """Take a person's own and relatives' plates off the list."""
        left = await lists.withdraw_plates(audit, principal, person_id, datetime.now(UTC))
        return _shown(principal, *left)


def _shown(principal: Principal, shown: list[GivenList], plates: Sequence[OwnPlates]) -> ListsShown:
    own = plates if principal.role is Role.ADMINISTRATOR else ()
    return ListsShown(lists=shown, own_plates=[OwnPlatesShown(**vars(one)) for one in own])


def _shift_rows(asked: ShiftsGiven) -> _Rows:
    if asked.csv is not None:
        return given.rows_of(asked.csv)
    return [
        {"person_id": one.person_id, "begins_at": one.begins_at.isoformat(),
         "ends_at": one.ends_at.isoformat()}
        for one in asked.shifts
    ]  # fmt: skip


def _case_rows(asked: CasesGiven) -> _Rows:
    if asked.csv is not None:
        return given.rows_of(asked.csv)
    return [{"case_number": one} for one in asked.case_numbers]


def _checked(
    rows: _Rows, shifts: Sequence[GivenShift], from_at: datetime, to_at: datetime
) -> ListChecked:
    return ListChecked(
        entries=len(shifts),
        repeated=len(rows) - len(shifts),
        people=len({one.person_id for one in shifts}),
        first_at=min((one.begins_at for one in shifts), default=None),
        last_at=max((one.ends_at for one in shifts), default=None),
        outside=sum(one.ends_at <= from_at or one.begins_at >= to_at for one in shifts),
    )
