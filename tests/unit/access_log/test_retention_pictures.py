"""What the picture store does for holds and purges, on a real folder."""

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from alpr_common.objects import ObjectNotFound, Pictures, day_prefix, held_key, picture_key

AT = datetime(2026, 5, 4, 23, 59, tzinfo=UTC)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures.at((tmp_path / "objects").as_uri())


async def listed(pictures: Pictures, prefix: str) -> list[str]:
    return sorted([key async for batch in pictures.keys(prefix, 2) for key in batch])


@pytest.mark.policy("131.5-c")
async def test_a_held_picture_is_found_after_the_original_went(pictures: Pictures) -> None:
    key = picture_key("IL0", "cam-1", AT, uuid4())
    await pictures.put(key, b"jpeg")
    assert await pictures.hold(key)
    await pictures.delete([key])
    assert await pictures.get(key) == b"jpeg"
    assert await pictures.hold(key), "it is held already"
    await pictures.delete([held_key(key)])
    with pytest.raises(ObjectNotFound):
        await pictures.get(key)
    assert not await pictures.hold(key)


@pytest.mark.policy("131.7-1d")
async def test_all_pictures_of_an_agencys_day_lie_under_one_prefix(pictures: Pictures) -> None:
    keys = [picture_key("IL0", f"cam-{n}", AT, uuid4()) for n in range(5)]
    other_day = picture_key("IL0", "cam-1", AT.replace(day=5), uuid4())
    other_agency = picture_key("IL01", "cam-1", AT, uuid4())
    for key in (*keys, other_day, other_agency):
        await pictures.put(key, b"jpeg")
    assert await listed(pictures, day_prefix("IL0", date(2026, 5, 4))) == sorted(keys)
    assert await pictures.folders("IL0/2026/05/") == ["04", "05"]


async def test_deleting_what_is_gone_deletes_the_rest(pictures: Pictures, tmp_path: Path) -> None:
    keys = [picture_key("IL0", "cam-1", AT, uuid4()) for _ in range(3)]
    for key in keys[1:]:
        await pictures.put(key, b"jpeg")
    for _ in range(2):
        await pictures.delete(keys)
    assert await listed(pictures, "IL0/") == []
    assert await listed(pictures, "nobody/") == []
