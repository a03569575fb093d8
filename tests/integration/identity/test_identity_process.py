"""The whole service as a process, its command line, and its audit trail on Kafka."""

import subprocess
import sys

import httpx
import pytest

from alpr_common.auth import TokenVerifier
from alpr_common.messages.audit import AuditRecord
from alpr_common.topics import AUDIT
from alpr_local.processes import Services
from tests.support.topics import everything
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

PASSWORD = "seven boats under one bridge"


def command(
    services: Services, *arguments: str, said: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alpr_identity", *arguments],
        env=services.environment_for_tools(), input=said, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


def create(
    services: Services, username: str, *more: str, said: str = "", agency: str = "IL0222900"
) -> subprocess.CompletedProcess[str]:
    return command(
        services, "create-person", "--agency", agency, "--username", username,
        "--name", "Ann Miller", "--role", "administrator", *more, said=said,
    )  # fmt: skip


async def test_the_first_administrator_is_made_at_the_command_line_and_signs_in(
    services: Services,
) -> None:
    # Before the service ever ran: the command brings the schema up by itself.
    made = create(services, "first", "--leads-until", "2030-01-01", "--alpr-until", "2030-01-01")
    assert made.returncode == 0, made.stderr
    password = made.stdout.strip()
    assert made.stdout == f"{password}\n"
    again = create(services, "FIRST")
    assert (again.returncode, again.stdout) == (1, "")
    assert "taken" in again.stderr
    unchanged = create(services, "first", "--if-absent")
    assert (unchanged.returncode, unchanged.stdout) == (0, "")
    chosen = create(services, "second", "--password-stdin", said=f"{PASSWORD}\n")
    assert (chosen.returncode, chosen.stdout) == (0, "")
    weak = create(services, "third", "--password-stdin", said="password\n")
    assert weak.returncode == 1

    unknown = create(services, "hale", "--role", "supervisor", "--supervisor-rank", "captain")
    assert unknown.returncode == 1
    assert "asc, sergeant, command" in unknown.stderr
    ranked = create(services, "hale", "--role", "supervisor", "--supervisor-rank", "asc")
    assert ranked.returncode == 0, ranked.stderr

    services.start("identity")
    async with httpx.AsyncClient(base_url=services.url("identity"), timeout=30) as client:
        refused = await client.post("/v1/sessions", json={"username": "first", "password": "wrong"})
        assert refused.status_code == 401
        signed_in = await client.post(
            "/v1/sessions", json={"username": "first", "password": password}
        )
        assert signed_in.status_code == 200
        other = {"username": "second", "password": PASSWORD}
        assert (await client.post("/v1/sessions", json=other)).status_code == 200
        assert 'alpr_sign_ins_total{outcome="refused"}' in (await client.get("/metrics")).text
        asc = {"username": "hale", "password": ranked.stdout.strip()}
        token = (await client.post("/v1/sessions", json=asc)).json()["access_token"]
    verifier = TokenVerifier.from_file(services.stack.secrets.token_public_key)
    assert verifier.verify(signed_in.json()["access_token"]).agency_id == "IL0222900"
    assert verifier.verify(token).rank == "asc"


async def test_what_happened_is_told_on_the_audit_topic(services: Services) -> None:
    agency = "IL0160000"  # nobody else's here
    made = create(services, "told", "--password-stdin", said=f"{PASSWORD}\n", agency=agency)
    assert made.returncode == 0, made.stderr
    # What came to nothing is not told.
    assert create(services, "told", "--if-absent", agency=agency).returncode == 0
    weak = create(services, "weak", "--password-stdin", said="password\n", agency=agency)
    assert weak.returncode == 1
    services.start("identity")
    async with httpx.AsyncClient(base_url=services.url("identity"), timeout=30) as client:
        for password, status in (("wrong", 401), (PASSWORD, 200)):
            said = {"username": "told", "password": password}
            assert (await client.post("/v1/sessions", json=said)).status_code == status
    servers = services.stack.kafka_bootstrap_servers

    async def told() -> list[AuditRecord]:
        messages = await everything(servers, AUDIT)
        records = [AuditRecord.from_bytes(m.value) for m in messages if m.value]
        ours = [r for r in records if r.agency_id == agency]
        return ours if len(ours) >= 3 else []

    records = await eventually(told, 60, interval_seconds=0.3, what="three audit records")
    assert [(r.action, r.outcome) for r in records] == [
        ("person.created", "done"),
        ("session.opened", "refused"),
        ("session.opened", "done"),
    ]


@pytest.mark.policy("131.7-3c")
async def test_an_operator_releases_a_locked_administrator(services: Services) -> None:
    made = create(services, "locked", "--password-stdin", said=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    services.start("identity")
    right = {"username": "locked", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=services.url("identity"), timeout=30) as client:
        for _ in range(5):
            await client.post("/v1/sessions", json=right | {"password": "wrong"})
        assert (await client.post("/v1/sessions", json=right)).status_code == 401
        released = command(services, "release", "--username", "locked")
        assert released.returncode == 0, released.stderr
        assert (await client.post("/v1/sessions", json=right)).status_code == 200
    nobody = command(services, "release", "--username", "nobody-at-all")
    assert nobody.returncode == 1
