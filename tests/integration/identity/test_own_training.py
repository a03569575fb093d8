"""Nobody records their own training: another administrator does, or the operator."""

from __future__ import annotations

import subprocess
from datetime import date
from typing import Any

import pytest

from alpr_common.policy import Role
from alpr_local.processes import Services
from tests.integration.identity.conftest import OTHERS, OURS, IdentityUnderTest
from tests.integration.identity.test_identity_process import command, create

pytestmark = pytest.mark.integration


@pytest.mark.policy("131.6-1", "131.6-2")
@pytest.mark.parametrize(
    "said",
    [
        {"leads_until": "2031-01-01", "leads_certificate": "L-1"},
        {"alpr_until": "2031-01-01"},
        {"leads_until": None},
        {},
    ],
)
async def test_an_administrator_does_not_record_their_own_training(
    identity: IdentityUnderTest, said: dict[str, Any]
) -> None:
    chief = await identity.person(role=Role.ADMINISTRATOR, trained=False)
    url = f"/v1/people/{chief.person_id}"
    refused = await identity.client.put(f"{url}/training", json=said, headers=identity.token(chief))
    assert (refused.status_code, refused.json()["clause"]) == (409, "131.6-1")
    assert refused.json()["type"] == "urn:alpr:problem:own-training"
    assert "another administrator" in refused.json()["detail"]
    shown = (await identity.client.get(url, headers=identity.token(chief))).json()
    assert (shown["leads_until"], shown["alpr_until"], shown["training"]) == (None, None, [])


@pytest.mark.policy("131.5-a")
async def test_administrators_record_each_others_training(identity: IdentityUnderTest) -> None:
    one = await identity.person(role=Role.ADMINISTRATOR, trained=False)
    other = await identity.person(role=Role.ADMINISTRATOR, trained=False)
    for person, by in ((one, other), (other, one)):
        answer = await identity.client.put(
            f"/v1/people/{person.person_id}/training", json={"leads_until": "2031-01-01"},
            headers=identity.token(by),
        )  # fmt: skip
        assert answer.json()["leads_until"] == "2031-01-01"
        url = f"/v1/people/{person.person_id}"
        (kept,) = (await identity.client.get(url, headers=identity.token(by))).json()["training"]
        assert kept["recorded_by"] == str(by.person_id)


async def test_another_agencys_administrator_is_no_second_one(identity: IdentityUnderTest) -> None:
    chief = await identity.person(role=Role.ADMINISTRATOR, trained=False, agency=OURS)
    foreign = await identity.administrator(OTHERS)
    url = f"/v1/people/{chief.person_id}/training"
    answer = await identity.client.put(url, json={"leads_until": "2031-01-01"}, headers=foreign)
    assert answer.status_code == 404


async def test_the_operator_records_the_only_administrators_training(services: Services) -> None:
    assert create(services, "alone", "--leads-until", "2027-01-01").returncode == 0

    def record(*said: str) -> subprocess.CompletedProcess[str]:
        return command(services, "record-training", "--username", *said)

    until = date(2031, 6, 30).isoformat()
    done = record("Alone", "--alpr-until", until, "--alpr-certificate", "A-7")
    assert done.returncode == 0, done.stderr
    assert "alone of IL0222900: LEADS until 2027-01-01, ALPR until 2031-06-30." in done.stderr
    nothing = record("alone")
    assert nothing.returncode == 1
    assert "--leads-until" in nothing.stderr
    undated = record("alone", "--leads-until", until, "--alpr-certificate", "A-8")
    assert undated.returncode == 1, "a certificate that would be dropped is not passed over"
    nobody = record("nobody-here", "--leads-until", until)
    assert nobody.returncode == 1
    assert "nobody called nobody-here" in nobody.stderr
