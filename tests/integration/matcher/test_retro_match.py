"""Retro-match over real services: an entry made after a read makes a hit of it, through the door,
recorded there, and put before people without a sound."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from alpr_common.auth import Principal, TokenIssuer
from alpr_common.messages.hit import HitKind
from alpr_common.policy import Role
from alpr_local.demo.retro import create_retro_accounts, retro_accounts
from alpr_local.processes import Services
from tests.integration.matcher.line import (
    AGENCY,
    client,
    hits_topic,
    person,
    publish_reads,
    publishing,
    read_of,
    until,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def line(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """The account is made as `make demo` makes it."""
    folder = tmp_path_factory.mktemp("accounts")
    accounts = retro_accounts(folder, AGENCY)
    assert accounts.stat().st_mode & 0o077 == 0
    services.start("identity")
    for _ in range(2):
        create_retro_accounts(accounts, services.environment_for_tools())
    assert retro_accounts(folder, AGENCY).read_text() == accounts.read_text(), "made once"
    services.start("access-log")
    services.start("alerts")
    services.start(
        "matcher",
        environment={
            "ALPR_MATCHER_RETRO_ACCOUNTS_FILE": str(accounts),
            "ALPR_MATCHER_RETRO_INTERVAL_SECONDS": "0.2",
            "ALPR_MATCHER_RETRO_SETTLE_SECONDS": "0",
        },
    )
    return services


@pytest.mark.policy("131.7-3a")
async def test_an_entry_meets_the_reads_stored_before_it_and_the_log_says_so(
    line: Services, tmp_path: Path
) -> None:
    plates = ("RETR077", "RETRO77", "PART123", "OTHER77")
    reads = [read_of(n, plate) for n, plate in enumerate(plates)]
    async with publishing(line.stack) as publisher:
        await publish_reads(publisher, reads)
    admin = await asyncpg.connect(line.stack.postgres_admin_dsn)
    try:

        async def stored() -> int:
            return int(await admin.fetchval("SELECT count(*) FROM access_log.read"))

        await until(stored, lambda n: n == len(reads))
        async with client(line.url("matcher"), person(line.stack)) as officer:
            exact = await _added(officer, "RETR077")
            pattern = await _added(officer, "PAR?1*", category="amber_alert")
        async with hits_topic(line.stack) as topic:
            await until(topic.look, lambda t: len({h.hit_id for h in t.hits}) >= 3)
            await topic.look()
            made = {(h.read.plate, h.kind, str(h.entry.entry_id)) for h in topic.hits}
            assert all(hit.retrospective for hit in topic.hits)
        assert made == {
            ("RETR077", HitKind.EXACT, exact["entry_id"]),
            ("RETRO77", HitKind.LOOKALIKE, exact["entry_id"]),
            ("PART123", HitKind.PATTERN, pattern["entry_id"]),
        }
        rows = await admin.fetch(
            "SELECT person_name, role, purpose, action, read_ids FROM access_log.access_record "
            "WHERE action = 'search.retro' ORDER BY record_sequence"
        )
        assert {(r["person_name"], r["role"], r["purpose"]) for r in rows} == {
            ("Retro-match", "service", "retro_match")
        }
        returned = {one for row in rows for one in row["read_ids"]}
        assert returned == {read.read_id for read in reads[:3]}
    finally:
        await admin.close()
    async with client(line.url("alerts"), person(line.stack)) as officer:

        async def alerts() -> list[dict[str, Any]]:
            return list((await officer.get("/v1/alerts")).json()["items"])

        shown = await until(alerts, lambda items: len(items) == 3)
        assert {(a["retrospective"], a["sound"]) for a in shown} == {(True, "silent")}


async def test_the_door_of_retro_match_is_open_to_service_accounts_alone_and_not_wide(
    line: Services,
) -> None:
    now = datetime.now(UTC)
    body = {
        "purpose": "retro_match",
        "match_keys": ["RETR077"],
        "from": (now - timedelta(hours=24)).isoformat(),
        "to": now.isoformat(),
    }
    url = line.url("access-log")
    async with client(url, person(line.stack)) as officer:
        assert (await officer.post("/v1/searches/retro", json=body)).status_code == 403
    issuer = TokenIssuer.from_file(line.stack.secrets.token_private_key)
    account = Principal("s-1", "Service", AGENCY, Role.SERVICE, "session", None, None)
    headers = {"Authorization": f"Bearer {issuer.issue(account, now)}"}
    async with client(url, headers) as service:
        wide = body | {"from": (now - timedelta(days=3)).isoformat()}
        sweep = body | {"match_keys": [], "patterns": ["*"]}
        other = body | {"purpose": "criminal_investigation"}
        answers = await asyncio.gather(
            *(service.post("/v1/searches/retro", json=b) for b in (wide, sweep, other))
        )
        assert [a.status_code for a in answers] == [422, 422, 422]
        search = await service.post("/v1/searches", json={"plate": "RETR077"})
        assert search.status_code == 403, "and nothing else is open to them"


async def _added(http: httpx.AsyncClient, plate: str, **given: Any) -> dict[str, Any]:
    body = {
        "plate": plate,
        "category": "stolen_vehicle",
        "reason": "Reported an hour later",
        "expires_at": (datetime.now(UTC) + timedelta(days=7)).isoformat(),
        **given,
    }
    answer = await http.post("/v1/hotlist/entries", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())
