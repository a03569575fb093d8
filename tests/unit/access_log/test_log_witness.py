"""A witness keeps every checkpoint it was given and replaces none, be it a folder or an address."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from alpr_access_log.log.witness import (
    FolderWitness,
    HttpWitness,
    Witness,
    WitnessAway,
    WitnessDisagrees,
    witness_at,
)


class Store:
    """What any WebDAV or object store does with PUT and GET."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.is_away = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_away:
            raise httpx.ConnectError("refused")
        path = request.url.raw_path.decode()
        if request.method == "GET":
            found = self.kept.get(path)
            return httpx.Response(404) if found is None else httpx.Response(200, content=found)
        if request.headers.get("if-none-match") == "*" and path in self.kept:
            return httpx.Response(412)
        self.kept[path] = request.content
        return httpx.Response(201)


Make = Callable[[], tuple[Witness, Callable[[], None]]]


@pytest.fixture(params=["folder", "address"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """A witness, and what takes it away."""

    def folder() -> tuple[Witness, Callable[[], None]]:
        def take_away() -> None:
            (tmp_path / "w").rename(tmp_path / "moved")
            (tmp_path / "w").write_text("not a folder")

        (tmp_path / "w").mkdir()
        return FolderWitness(tmp_path / "w"), take_away

    def address() -> tuple[Witness, Callable[[], None]]:
        store = Store()
        client = httpx.AsyncClient(transport=httpx.MockTransport(store.answer))
        witness = HttpWitness("https://witness.example/alpr/", client)
        return witness, lambda: setattr(store, "is_away", True)

    return folder if request.param == "folder" else address


async def test_it_gives_back_the_largest_checkpoint(make: Make) -> None:
    witness, _ = make()
    assert await witness.newest("IL0222900") is None
    for size in (9, 10, 200):
        await witness.keep("IL0222900", size, f"note {size}\n")
    assert await witness.newest("IL0222900") == "note 200\n"
    assert await witness.newest("IL0160000") is None


async def test_the_same_once_more_changes_nothing_and_another_is_not_taken(make: Make) -> None:
    witness, _ = make()
    await asyncio.gather(*(witness.keep("IL0222900", 5, "note\n") for _ in range(3)))
    await witness.keep("IL0222900", 5, "note\n")
    with pytest.raises(WitnessDisagrees):
        await witness.keep("IL0222900", 5, "another\n")
    assert await witness.newest("IL0222900") == "note\n"


async def test_one_that_cannot_be_reached_says_so(make: Make) -> None:
    witness, take_away = make()
    take_away()
    with pytest.raises(WitnessAway):
        await witness.keep("IL0222900", 5, "note\n")
    with pytest.raises(WitnessAway):
        await witness.newest("IL0222900")


@pytest.mark.parametrize("agency_id", ["..", ".", "a/b", "IL 1", "../../etc", "%2E%2E"])
async def test_no_agencys_name_leads_out_of_the_witness(
    make: Make, tmp_path: Path, agency_id: str
) -> None:
    witness, _ = make()
    await witness.keep(agency_id, 1, "note\n")
    assert await witness.newest(agency_id) == "note\n"
    assert {path.name for path in tmp_path.iterdir()} <= {"w"}  # noqa: ASYNC240


async def test_an_address_that_refuses_is_away(tmp_path: Path) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(403))
    witness = HttpWitness("https://w.example", httpx.AsyncClient(transport=transport))
    with pytest.raises(WitnessAway, match="403"):
        await witness.keep("IL0222900", 5, "note\n")


def test_a_witness_is_named_by_its_address(tmp_path: Path) -> None:
    assert isinstance(witness_at(tmp_path.as_uri()), FolderWitness)
    assert isinstance(witness_at("https://w.example/alpr"), HttpWitness)
    for wrong in ("", "ftp://w.example", "/var/lib/witness", "https://"):
        with pytest.raises(ValueError, match="neither"):
            witness_at(wrong)
