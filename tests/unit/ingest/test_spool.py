"""The spool: whole frames, in order, across processes and power cuts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alpr_common.errors import Outage
from alpr_ingest import spool_files
from alpr_ingest.refusals import SpoolFull
from alpr_ingest.spool import Spool
from alpr_ingest.spool_files import OutgoingFrame, SpoolEntry, SpoolInUse, TornFrame

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def frame(camera_id: str, number: int, size: int = 100) -> OutgoingFrame:
    return OutgoingFrame(
        camera_id,
        number.to_bytes(4, "big") * (size // 4),
        (("alpr-frame", f'{{"n":{number}}}'.encode()), ("traceparent", b"\x00\xff")),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
async def spool(folder: Path) -> AsyncIterator[Spool]:
    opened = await open_spool(folder)
    yield opened
    opened.close()


async def open_spool(folder: Path, max_bytes: int = 1_000_000) -> Spool:
    spool = Spool(folder, max_bytes=max_bytes, min_free_bytes=0)
    await spool.open(patience_seconds=0)
    return spool


async def drained(spool: Spool, camera_id: str) -> list[OutgoingFrame]:
    found = []
    while (entry := spool.head(camera_id)) is not None:
        found.append(await spool.load(entry))
        await spool.remove(entry)
    return found


async def test_frames_come_back_as_they_were_in_order_per_camera(spool: Spool) -> None:
    kept = {c: [frame(c, n) for n in range(20)] for c in ("a", "b.2")}
    for n in range(20):
        for camera_id in kept:
            await spool.put(kept[camera_id][n], NOW)
    assert spool.cameras() == ["a", "b.2"]
    for camera_id, frames in kept.items():
        assert await drained(spool, camera_id) == frames
    assert spool.cameras() == []


async def test_a_new_process_finds_what_an_earlier_one_kept_and_appends_to_it(
    folder: Path,
) -> None:
    first = await open_spool(folder)
    for n in range(12):
        await first.put(frame("a", n), NOW)
    first.close()
    second = await open_spool(folder)
    await second.put(frame("a", 12), NOW)
    assert await drained(second, "a") == [frame("a", n) for n in range(13)]
    second.close()


async def test_a_full_spool_refuses_until_there_is_room_again(folder: Path) -> None:
    spool = await open_spool(folder, max_bytes=3 * frame("a", 0, 1000).spooled_size)
    for n in range(3):
        await spool.put(frame("a", n, 1000), NOW)
    assert spool.is_full
    with pytest.raises(SpoolFull) as refusal:
        await spool.put(frame("b", 3, 1000), NOW)
    assert refusal.value.retry_after_seconds
    entry = spool.head("a")
    assert entry
    await spool.remove(entry)
    await spool.put(frame("b", 3, 1000), NOW)
    spool.close()


async def test_the_spool_leaves_disk_to_others(folder: Path) -> None:
    spool = Spool(folder, max_bytes=10**9, min_free_bytes=2**62)
    await spool.open()
    with pytest.raises(SpoolFull):
        await spool.put(frame("a", 1), NOW)
    spool.close()


async def test_a_disk_that_fails_is_an_outage_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await open_spool(folder)

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(Outage):
            await spool.put(frame("a", 1), NOW)
    assert os.listdir(folder) == ["lock"]  # noqa: PTH208 - nothing else is left
    assert not spool.has("a")
    await spool.put(frame("a", 2), NOW)
    assert await drained(spool, "a") == [frame("a", 2)]
    spool.close()


async def test_an_unfinished_write_is_cleared_away_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path
    (folder / "00000000000000000007.tmp").write_bytes(b"half a fra")
    spool = await open_spool(folder)
    assert spool.cameras() == []
    assert not (folder / "00000000000000000007.tmp").exists()
    said = capsys.readouterr()
    assert "unfinished_write_removed" in said.out + said.err
    spool.close()


@pytest.mark.parametrize("kept_bytes", [0, 10, 60, -1])
async def test_a_torn_file_is_known_and_set_aside(folder: Path, kept_bytes: int) -> None:
    spool = await open_spool(folder)
    torn = await spool.put(frame("a", 1), NOW)
    await spool.put(frame("a", 2), NOW)
    file = folder / torn.name
    file.write_bytes(file.read_bytes()[:kept_bytes])
    with pytest.raises(TornFrame):
        await spool.load(torn)
    await spool.set_aside(torn)
    assert await drained(spool, "a") == [frame("a", 2)]
    assert (folder / f"{torn.name}.torn").exists()
    spool.close()


@pytest.mark.policy("131.7-1d")
async def test_torn_files_are_kept_for_a_while_and_no_longer(folder: Path) -> None:
    spool = await open_spool(folder)
    old, young = await spool.put(frame("a", 1), NOW), await spool.put(frame("a", 2), NOW)
    await spool.put(frame("a", 3), NOW)
    now = datetime.now(UTC)
    for entry, days in ((old, 15), (young, 13)):
        await spool.set_aside(entry)
        written = (now - timedelta(days=days)).timestamp()
        os.utime(folder / f"{entry.name}.torn", (written, written))
    assert await spool.forget_torn(now - timedelta(days=14)) == 1
    assert (folder / f"{young.name}.torn").exists()
    assert not (folder / f"{old.name}.torn").exists()
    assert await drained(spool, "a") == [frame("a", 3)]
    spool.close()


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    entry = SpoolEntry(1, "a", 0, NOW)
    spool_files.write(tmp_path, entry, frame("a", 1))
    data = bytearray((tmp_path / entry.name).read_bytes())
    data[-3] ^= 1
    (tmp_path / entry.name).write_bytes(data)
    with pytest.raises(TornFrame, match="checksum"):
        spool_files.read(tmp_path, entry)


async def test_one_process_has_the_folder(spool: Spool, folder: Path) -> None:
    with pytest.raises(SpoolInUse):
        spool_files.lock_folder(folder, patience_seconds=0)


_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from alpr_ingest.spool_files import OutgoingFrame, SpoolEntry, write
folder = Path(sys.argv[1])
folder.mkdir()
now = datetime.now(UTC)
for n in range(1, 100_000):
    write(folder, SpoolEntry(n, "a", 0, now), OutgoingFrame("a", bytes(50_000), ()))
    print(n, flush=True)
"""


def test_what_was_acknowledged_before_a_sigkill_is_there(folder: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    acknowledged = [int(writer.stdout.readline()) for _ in range(40)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    entries, _ = spool_files.recover(folder)
    assert {e.number for e in entries} >= set(acknowledged)
    for entry in entries:
        assert len(spool_files.read(folder, entry).jpeg) == 50_000


def test_pictures_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    entry = SpoolEntry(1, "a", 0, NOW)
    spool_files.write(tmp_path, entry, frame("a", 1))
    assert (tmp_path / entry.name).stat().st_mode & 0o077 == 0
