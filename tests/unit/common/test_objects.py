"""Pictures in the object store (a real one: a local folder)."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest

from alpr_common.errors import Outage
from alpr_common.objects import ObjectNotFound, Pictures, picture_key

_FRAME = UUID("00000000-0000-4000-8000-000000000001")


async def test_what_is_put_is_got_back(tmp_path: Path) -> None:
    pictures = Pictures.at((tmp_path / "store").as_uri())
    await pictures.put("IL1/2026/05/04/cam/a.jpg", b"jpeg")
    assert await pictures.get("IL1/2026/05/04/cam/a.jpg") == b"jpeg"


async def test_putting_again_replaces(tmp_path: Path) -> None:
    pictures = Pictures.at(tmp_path.as_uri())
    await pictures.put("a.jpg", b"one")
    await pictures.put("a.jpg", b"one")
    assert await pictures.get("a.jpg") == b"one"


async def test_a_picture_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        await Pictures.at(tmp_path.as_uri()).get("nobody/a.jpg")


async def test_a_store_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "agency").write_text("a file where a folder must be")
    with pytest.raises(Outage):
        await Pictures.at(tmp_path.as_uri()).put("agency/a.jpg", b"jpeg")


def test_the_key_holds_the_utc_day_so_that_retention_can_drop_it() -> None:
    late = datetime(2026, 5, 4, 22, 30, tzinfo=timezone(timedelta(hours=-5)))
    key = picture_key("IL1", "cam-1", late, _FRAME, "-plate-x")
    assert key == f"IL1/2026/05/05/cam-1/{_FRAME}-plate-x.jpg"
    assert picture_key("IL1", "cam-1", late.astimezone(UTC), _FRAME, "-plate-x") == key
