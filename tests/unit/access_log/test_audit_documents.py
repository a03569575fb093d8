"""Page, sheet and tables of an audit: what they show, and what nobody can make them do."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from alpr_access_log.audit.charts import Bar, Bars, nice_top, over_time
from alpr_access_log.audit.given import ListMalformed, cases_of, plates_of, rows_of, shifts_of
from alpr_access_log.audit.identity import Identity
from alpr_access_log.audit.logcheck import gaps
from alpr_access_log.audit.page import page
from alpr_access_log.audit.rendering import rendered
from alpr_access_log.audit.rules import RULES
from alpr_access_log.audit.summary import Summary
from alpr_access_log.audit.tables import archive, table
from alpr_access_log.audit.witnessed import (
    FolderCopies,
    HttpCopies,
    copies_at,
    shown_address,
    spread,
)
from alpr_access_log.log.witness import FolderWitness, WitnessAway
from alpr_common.auth import Principal
from alpr_common.policy import Role
from tests.support.identity_reports import PASSWORD_SECURITY, TRAINING, identity_answering

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def finding(**changed: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "finding_id": str(UUID(int=1)), "rule": "own_plate", "title": "Own or relatives' plates",
        "clause": "131.6-3c", "strength": "direct",
        "people": [{"person_id": "p-1", "name": HOSTILE, "role": "officer"}],
        "why": f"1 search for {HOSTILE}", "words": "=cmd|' /C calc'!A0", "limits": {},
        "first_at": NOW.isoformat(), "last_at": NOW.isoformat(), "record_count": 1,
        "records": [{"record_id": str(UUID(int=2)), "occurred_at": NOW.isoformat(),
                     "person_id": "p-1", "action": "search", "outcome": "done", "plate": "AB1"}],
        "reviews": [],
    }  # fmt: skip
    return said | changed


def summary(**changed: Any) -> Summary:
    nothing = dict.fromkeys(
        ("searches", "refused", "failed", "people", "pages", "sweeps", "pictures",
         "alert_pictures", "evidence_sealed", "evidence_downloaded", "holds_placed",
         "holds_released", "retro_accesses"), 0,
    )  # fmt: skip
    usage = {
        "time_zone": "UTC", "totals": nothing, "people": [], "purposes": [], "days": [],
        "hours": [], "refusals": [], "retro": [], "actions": [],
        "approvals": dict.fromkeys(("asked", "approved", "denied", "used", "undecided"), 0)
        | {"deciders": []},
    }  # fmt: skip
    log: dict[str, Any] = {
        "origin": "alpr.example/log/IL1", "key": "k", "is_good": None, "faults": [], "first": None,
        "last": None, "before": None, "entries": 0, "entries_in_period": 0, "checkpoints": 0,
        "checkpoints_checked": 0, "witness": "file:///w", "witness_why_not": None,
        "witness_copies": 0, "witness_copies_checked": 0, "gaps": [], "gap_after_seconds": 300,
    }  # fmt: skip
    said: dict[str, Any] = {
        "package_id": UUID(int=3), "agency_id": "IL1", "from": BEGIN, "to": NOW,
        "prepared_at": NOW, "prepared_by": "Quinn", "policy_version": "1", "is_complete": True,
        "missing": [], "usage": usage, "log": log, "purges": [],
        "password_security": {"answered": True, "data": PASSWORD_SECURITY},
        "training": {"answered": True, "data": TRAINING},
        "sessions": {"answered": False, "why_not": "identity does not answer"},
        "misuse": {"rules": [], "findings": [finding()], "lists": []},
    }  # fmt: skip
    return Summary.model_validate(said | changed)


def test_what_people_wrote_is_text_on_the_page_and_nothing_is_loaded() -> None:
    text = page(summary())
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    for part in (" src=", "@import", "url(", "http-equiv"):
        assert part not in text


def test_a_page_reads_aloud() -> None:
    text = page(summary())
    assert '<html lang="en">' in text
    assert text.count("<h1>") == 1
    assert text.count("<svg") == text.count('role="img"') == text.count("<title id=")
    assert text.count("<table>") == text.count("<caption>")
    assert 'scope="col"' in text


def test_what_a_spreadsheet_would_run_is_written_as_text() -> None:
    with zipfile.ZipFile(io.BytesIO(archive(summary()))) as tables:
        (row,) = csv.DictReader(io.StringIO(tables.read("misuse-findings.csv").decode()))
    assert row["words"].startswith("'=cmd")
    assert table([{"a": "+1", "b": 3}]).decode().splitlines()[1] == "'+1,3"


def test_the_same_summary_gives_the_same_bytes() -> None:
    assert rendered(summary()) == rendered(summary())


def test_a_department_without_anything_has_a_document_too() -> None:
    away = {"answered": False, "why_not": "identity does not answer"}
    bare = summary(
        password_security=away, training=away, sessions=away, missing=["Training: it is away."],
        misuse={"rules": [], "findings": [], "lists": []},
    )  # fmt: skip
    files = rendered(bare)
    assert files["report.pdf"][1].startswith(b"%PDF-")
    text = files["report.html"][1].decode()
    assert "This part is missing: identity does not answer." in text
    assert "Nothing asks for a human" in text


def test_letters_beyond_latin_1_and_odd_answers_of_identity_make_nothing_fail() -> None:
    odd = {
        "policy": "none", "accounts": [{"role": "größer Ω 漢字", "new": {"deep": [1]}}],
        "second_factors": [{}], "password_ages": {"buckets": [{}]},
        "lockouts": [{"name": "Łukasz"}],
        "sign_ins": {"by_method": {"x": 1}}, "closed_accounts": "?",
    }  # fmt: skip
    made = summary(
        password_security={"answered": True, "data": odd},
        training={"answered": True, "data": {"people": [{"training": [{}]}], "lapses": [{}]}},
    )
    assert set(rendered(made)) == {"report.html", "report.pdf", "tables.zip"}


def test_a_long_period_is_shown_by_weeks() -> None:
    bars = over_time([], BEGIN.date(), NOW.date())
    assert bars.title == "Searches per week"
    assert len(bars.bars) == 48
    assert over_time([], BEGIN.date(), BEGIN.date()).title == "Searches per day"
    assert Bars("x", [Bar("a", 2, 1)], ("v", None)).most == 3
    assert [nice_top(n) for n in (0, 4, 12, 86, 301, 999)] == [1, 4, 15, 100, 400, 1000]


def test_every_rule_has_words_a_clause_and_limits_that_exist() -> None:
    from alpr_common.misuse import MisuseLimits
    from alpr_common.policy import CLAUSES

    assert len({rule.name for rule in RULES}) == len(RULES) == 17
    for rule in RULES:
        assert rule.clause in CLAUSES
        assert set(rule.limits) <= set(MisuseLimits.model_fields)


def minutes(*numbers: int) -> list[tuple[int, datetime]]:
    return [(n + 1, NOW + timedelta(minutes=m)) for n, m in enumerate(numbers)]


@pytest.mark.policy("131.5-d")
def test_a_gap_in_witnessing_is_what_waited_too_long_for_a_copy() -> None:
    times = minutes(0, 1, 2, 30, 31)
    assert not gaps(times, [1, 3, 5], NOW + timedelta(hours=1))
    (closed,) = gaps(times, [1, 5], NOW + timedelta(hours=1))
    assert (closed.minutes, closed.is_open) == (30, False)
    (open_one,) = gaps(times, [1, 2, 3, 4], NOW + timedelta(hours=1))
    assert (open_one.minutes, open_one.is_open) == (29, True)
    assert not gaps(times, [1, 2, 3, 4], NOW + timedelta(minutes=33))


async def test_copies_are_read_as_the_witness_wrote_them(tmp_path: Path) -> None:
    witness = FolderWitness(tmp_path)
    for size in (3, 12, 112):
        await witness.keep("IL.1", size, f"note {size}\n")
    copies = FolderCopies(tmp_path)
    assert await copies.sizes("IL.1", [2, 3, 12, 13]) == [3, 12]
    assert await copies.copy("IL.1", 12) == "note 12\n"
    assert await copies.copy("IL.1", 2) is None
    assert await copies.sizes("other", [3]) == []
    with pytest.raises(ValueError, match="neither"):
        copies_at("ftp://somewhere")


async def test_copies_at_an_address_are_asked_for_one_by_one() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        if name == "9":
            return httpx.Response(500)
        return httpx.Response(200, text=f"note {name}") if name == "4" else httpx.Response(404)

    copies = HttpCopies("http://witness/x", httpx.MockTransport(answer))
    assert await copies.sizes("IL1", [3, 4]) == [4]
    assert await copies.copy("IL1", 4) == "note 4"
    with pytest.raises(WitnessAway):
        await copies.copy("IL1", 9)


def test_an_address_is_shown_without_what_somebody_signs_in_with() -> None:
    assert shown_address("https://me:secret@witness/x") == "https://witness/x"
    assert shown_address("file:///var/witness") == "file:///var/witness"


def test_a_choice_is_even_and_has_both_ends() -> None:
    assert spread([1, 2], 5) == [1, 2]
    chosen = spread(list(range(1000)), 11)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 999, 11)


def test_lists_name_the_lines_that_cannot_be_read() -> None:
    text = "person_id,begins_at,ends_at\nann,2026-01-01T06:00:00Z,2026-01-01T16:00:00Z\n"
    (shift,) = shifts_of(rows_of("\ufeff" + text))
    assert shift.person_id == "ann"
    bad = text + "ben,2026-01-01T16:00:00Z,2026-01-01T06:00:00Z\n,x,y\n"
    with pytest.raises(ListMalformed) as refused:
        shifts_of(rows_of(bad))
    assert "line 3" in str(refused.value)
    assert "line 4" in str(refused.value)
    assert cases_of(rows_of("Case_Number,what\n26-0001,x\n26 0001,y\n")) == ["260001"]
    with pytest.raises(ListMalformed):
        cases_of([{"case_number": " - "}])
    assert plates_of(["bo-5 123", "805123"]) == ["805123"]
    with pytest.raises(ListMalformed, match="plate 1"):
        plates_of(["..."])


async def test_sessions_of_all_pages_are_told_in_figures() -> None:
    principal = Principal("q", "Quinn", "IL1", Role.AUDITOR, "s", None, None, token="t")
    said = await Identity("http://identity", identity_answering()).audited(principal, BEGIN, NOW)
    assert said.sessions.data is not None
    assert said.sessions.data["sessions"] == 2
    assert [one.session_id for one in said.open_sessions or []] == ["s-1", "s-2"]
    assert [one.kind for one in said.lapses or []] == ["leads"]
    strange = identity_answering(training={"lapses": [{"person_id": 1}]})
    said = await Identity("http://identity", strange).audited(principal, BEGIN, NOW)
    assert said.training.answered
    assert said.lapses is None
