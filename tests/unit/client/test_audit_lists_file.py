"""`alpr audit shifts`: a file that is no CSV is refused with its line, before anybody is asked."""

import asyncio

import pytest

from alpr_client.audit_lists import ListUnreadable, NobodyOfThatName, _with_person_ids
from alpr_client.transport import Transport

HEAD = "username,begins_at,ends_at\n"
GOOD = "ann,2026-01-01T06:00Z,2026-01-01T16:00Z\n"


class People(Transport):
    """Identity, which knows Ann alone."""

    def __init__(self) -> None:
        """Without a connection."""

    async def json(self, *_said: object, **_more: object) -> dict[str, object]:
        return {"items": [{"username": "Ann", "person_id": "p-1"}], "next_cursor": None}


def read(text: str) -> str:
    return asyncio.run(_with_person_ids(People(), text))


def test_user_names_become_person_ids() -> None:
    assert read(HEAD + GOOD) == "person_id,begins_at,ends_at\r\n" + GOOD.replace(
        "ann", "p-1"
    ).replace("\n", "\r\n")
    assert read("person_id,begins_at,ends_at\n" + GOOD).endswith(GOOD)
    assert read("") == ""


@pytest.mark.parametrize("bad", [f"{'x' * 140_000},a,b\n", f"ann,{'y' * 140_000},b\n"])
def test_what_the_reader_refuses_is_named_with_its_line(bad: str) -> None:
    with pytest.raises(ListUnreadable, match="line 3"):
        read(HEAD + GOOD + bad)


def test_an_unknown_name_is_named_with_the_files_line() -> None:
    with pytest.raises(NobodyOfThatName, match=r"line 5.*bea"):
        read(f"{HEAD}\n{GOOD}\nbea,a,b\n")
    with pytest.raises(NobodyOfThatName, match="line 2"):
        read("begins_at,username\nonly\n")
