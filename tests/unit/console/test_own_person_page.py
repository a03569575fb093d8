"""An administrator's page of their own account offers nothing that another one has to do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.support.rest_double import Double
from tests.unit.console.conftest import Page
from tests.unit.console.test_administration_pages import ID, PERSON

NOTHING: dict[str, Any] = {"items": [], "next_cursor": None}


def answers(double: Double, person_id: str) -> None:
    trained = {"person_id": person_id, "leads_until": "2027-06-30", "leads_certificate": "L-7"}
    double.canned.answer("GET", f"/v1/people/{ID}", PERSON | trained)
    for part in ("sessions", "passkeys"):
        double.canned.answer("GET", f"/v1/people/{ID}/{part}", NOTHING)


@pytest.mark.policy("131.6-1")
async def test_ones_own_trainings_are_shown_and_not_recorded(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    answers(double, "person-reyes")
    shown = (await page.get(f"/people/{ID}")).text
    assert "until 30 Jun 2027, certificate L-7" in shown
    assert "Nobody records their own training" in shown
    assert "Record the trainings" not in shown
    assert 'name="leads_until"' not in shown
    assert 'name="leads_away"' not in shown


async def test_anothers_trainings_are_recorded(page: Page, double: Double) -> None:
    await page.sign_in("reyes")
    answers(double, ID)
    shown = (await page.get(f"/people/{ID}")).text
    assert "Record the trainings" in shown
    assert 'name="leads_until"' in shown
    assert "Nobody records their own training" not in shown
