"""Session cookies: only this console reads them, and every replica of it does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from alpr_console.cookies import CookieKeyUnusable, CookieSeal, development_key

OLD, NEW = "an-old-secret-of-thirty-two-letters", "a-new-secret-of-thirty-two-letters!"


def seal(*secrets: str) -> CookieSeal:
    return CookieSeal.from_secrets(list(secrets), "the test")


def test_another_replica_with_the_same_key_opens_what_one_sealed() -> None:
    assert seal(NEW).open("session", seal(NEW).seal("session", {"a": "token"})) == {"a": "token"}


def test_the_content_cannot_be_read_from_the_cookie() -> None:
    assert "token-of-rivera" not in seal(NEW).seal("session", {"a": "token-of-rivera"})


@pytest.mark.parametrize("at", [0, 20, -1])
def test_a_changed_cookie_is_no_cookie(at: int) -> None:
    sealed = seal(NEW).seal("session", {"a": "token"})
    changed = list(sealed)
    changed[at] = "A" if sealed[at] != "A" else "Q"
    assert seal(NEW).open("session", "".join(changed)) is None


@pytest.mark.parametrize("text", ["", "x", "%%%", "ä", "A" * 5000])
def test_what_never_was_a_cookie_is_none(text: str) -> None:
    assert seal(NEW).open("session", text) is None


def test_one_cookie_cannot_be_passed_off_as_another() -> None:
    sealed = seal(NEW).seal("activity", {"t": 1})
    assert seal(NEW).open("session", sealed) is None


def test_a_key_can_be_changed_without_signing_people_out() -> None:
    sealed_before = seal(OLD).seal("session", {"a": "token"})
    both = seal(NEW, OLD)
    assert both.open("session", sealed_before) == {"a": "token"}
    assert seal(NEW).open("session", both.seal("session", {"a": "later"})) == {"a": "later"}


def test_a_short_secret_or_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for content in ("", "short\n", f"{NEW}\nshort\n"):
        file.write_text(content)
        with pytest.raises(CookieKeyUnusable):
            CookieSeal.from_file(file)
    with pytest.raises(CookieKeyUnusable):
        CookieSeal.from_file(tmp_path / "absent")


def test_a_developers_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = development_key(tmp_path / "secrets")
    content = first.read_text()
    assert development_key(tmp_path / "secrets").read_text() == content
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    CookieSeal.from_file(first)
