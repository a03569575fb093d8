"""The cover sheet: a PDF of several pages that survives whatever names and pictures bring."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from alpr_access_log.evidence.cover import Cover, Item, ListedFile, render

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 40), (200, 210, 220)).save(out, "JPEG")
    return out.getvalue()


def item(number: int, picture: bytes | None) -> Item:
    at = NOON + timedelta(minutes=number)
    return Item(f"AB{number:05d}", "US-IL", at, "cam-1", 41.8, -87.9, 0.97, f"r{number}", picture)


COVER = Cover(
    inventory_number="EV-2026-000017",
    agency_id="IL0222900",
    case_number="26-000123",
    purpose="Criminal investigation",
    prepared_by="Sergeant Alex Kim (kim)",
    prepared_at=NOON,
    alert_lines=["Alert 1: Stolen vehicle, enforced, incident 26-004711."],
    items=[item(1, jpeg())],
    files=[ListedFile("reads/r1.json", 1234, "ab" * 32)],
    custody=[(NOON, "Kim", "packed and sealed it")],
    log_line="alpr.example/log: 3 entries",
    seal_key="alpr.example/evidence+00000000+AA==",
)


@pytest.mark.policy("131.7-2")
def test_the_same_cover_gives_the_same_sheet() -> None:
    sheet = render(COVER)
    assert sheet.startswith(b"%PDF-")
    assert render(COVER) == sheet


def test_names_of_any_script_and_missing_pictures_do_not_stop_it() -> None:
    strange = replace(
        COVER,
        prepared_by="Łukasz Żółć — 山田…",
        case_number="26-\u0141",
        items=[
            item(1, None),
            item(2, b"not a picture"),
            item(3, jpeg()[:-200]),
            item(4, jpeg()[:9]),
        ],
        alert_lines=[],
    )
    assert render(strange).startswith(b"%PDF-")


def test_hundreds_of_items_go_on_over_pages() -> None:
    files = [ListedFile(f"reads/{n}.json", n, "cd" * 32) for n in range(200)]
    custody = [(NOON, f"Person {n}", "viewed a picture of it") for n in range(120)]
    many = replace(COVER, items=[item(n, None) for n in range(60)], files=files, custody=custody)
    sheet = render(many)
    assert sheet.count(b"/Type /Page\n") > 5
