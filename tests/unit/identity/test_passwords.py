"""Password hashes: one class of tests for both profiles, and what tells them apart."""

import pytest
from argon2 import PasswordHasher

from alpr_common.policy import Policy
from alpr_identity import domain
from alpr_identity.passwords import Passwords, banned_passwords
from alpr_identity.refusals import PasswordTooWeak

_LIGHT = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
_RIGHT = "a horse, a lamp and 4 fences"


def passwords(fips: bool) -> Passwords:
    return Passwords(fips=fips, argon2=_LIGHT, pbkdf2_iterations=1000)


@pytest.mark.parametrize("fips", [False, True], ids=["argon2id", "PBKDF2"])
class TestBothProfiles:
    async def test_the_right_password_is_right(self, fips: bool) -> None:
        made = passwords(fips)
        verdict = await made.verify(_RIGHT, await made.hash(_RIGHT))
        assert verdict.right
        assert not verdict.stale

    async def test_another_password_is_wrong(self, fips: bool) -> None:
        made = passwords(fips)
        assert not (await made.verify(_RIGHT + ".", await made.hash(_RIGHT))).right

    async def test_nobodys_password_is_never_right(self, fips: bool) -> None:
        assert not (await passwords(fips).verify(_RIGHT, None)).right

    async def test_two_hashes_of_one_password_differ(self, fips: bool) -> None:
        made = passwords(fips)
        assert await made.hash(_RIGHT) != await made.hash(_RIGHT)

    async def test_a_composed_and_a_decomposed_accent_are_one_password(self, fips: bool) -> None:
        made = passwords(fips)
        stored = await made.hash("caf\N{LATIN SMALL LETTER E WITH ACUTE} on the corner")
        assert (await made.verify("cafe\N{COMBINING ACUTE ACCENT} on the corner", stored)).right


@pytest.mark.policy("131.7-3c")
async def test_the_profiles_are_argon2id_and_pbkdf2_with_sha_512() -> None:
    assert (await Passwords().hash(_RIGHT)).startswith("$argon2id$")
    assert (await Passwords(fips=True).hash(_RIGHT)).startswith("$pbkdf2-sha512$210000$")


async def test_a_hash_with_other_parameters_is_right_and_stale() -> None:
    old = await passwords(False).hash(_RIGHT)
    heavier = Passwords(argon2=PasswordHasher(time_cost=2, memory_cost=1024, parallelism=1))
    verdict = await heavier.verify(_RIGHT, old)
    assert verdict.right
    assert verdict.stale


async def test_a_pbkdf2_hash_becomes_stale_where_fips_ends() -> None:
    verdict = await passwords(False).verify(_RIGHT, await passwords(True).hash(_RIGHT))
    assert verdict.right
    assert verdict.stale


@pytest.mark.policy("131.7-3c")
async def test_under_fips_an_argon2id_hash_is_not_used_even_once() -> None:
    old = await passwords(False).hash(_RIGHT)
    assert not (await passwords(True).verify(_RIGHT, old)).right


async def test_a_stored_text_that_is_no_hash_is_never_right() -> None:
    assert not (await passwords(False).verify(_RIGHT, "not a hash")).right


@pytest.mark.policy("131.7-3c")
@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "Password1234!",
        "P4ssw0rd2026!",
        "123456789012",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "QwertyUiopAsdfghjkl1",
        "amiller is here today",
        "my dog likes Miller beer",
        "IL0222900 forever",
        "x" * 200 + "abcdefgh" * 10,
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(weak: str) -> None:
    with pytest.raises(PasswordTooWeak) as refused:
        domain.refuse_weak_password(
            weak, Policy(), banned_passwords(), "amiller", "Ann Miller", "IL0222900"
        )
    assert refused.value.clause == "policy file"


@pytest.mark.parametrize("strong", [_RIGHT, domain.generated_password()], ids=["own", "generated"])
def test_a_long_uncommon_password_is_taken(strong: str) -> None:
    domain.refuse_weak_password(strong, Policy(), banned_passwords(), "amiller", "Ann", "IL0222900")


def test_the_least_length_is_the_policys() -> None:
    with pytest.raises(PasswordTooWeak, match="20"):
        domain.refuse_weak_password(
            "tree lamp 4 road", Policy(password_min_characters=20), frozenset()
        )


def test_generated_passwords_differ_and_are_long() -> None:
    made = {domain.generated_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(p.replace("-", "")) == 20 for p in made)
