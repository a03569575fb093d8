"""The key that signs tokens is changed while everybody stays signed in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_common.auth import NotSignedIn, Principal, TokenIssuer, TokenVerifier
from alpr_common.auth.keys import TokenKey, TokenKeys, json_web_key, public_keys_in
from alpr_common.policy import Role
from alpr_identity import factor_rotation, signing_keys
from alpr_identity.sealing import KeyFileUnusable, Sealer
from alpr_identity.signing_keys import (
    KeysDiffer,
    RotationUnderWay,
    SigningKey,
    SigningKeys,
    private_keys_in,
    rotate,
)

pytestmark = pytest.mark.policy("131.7-3c")

OFFICER = Principal("p-1", "Ann", "IL0222900", Role.OFFICER, "s-1", None, None)


def now() -> datetime:
    return datetime.now(UTC)


class Files:
    """The two key files of an installation, of one key at first."""

    def __init__(self, folder: Path) -> None:
        self.private, self.public = folder / "private.pem", folder / "public.pem"
        key = Ed25519PrivateKey.generate()
        self.private.write_text(SigningKey(key, datetime.min.replace(tzinfo=UTC)).to_pem())
        self.private.chmod(0o600)
        self.public.write_text(TokenKey.of(key.public_key()).to_pem())
        self.verifier = TokenVerifier.from_file(self.public)
        self.signing = SigningKeys(self.private, self.verifier.keys, 900)

    def rotate(self, at: datetime, after_seconds: int = 120) -> signing_keys.Rotation:
        return rotate(self.private, self.public, after_seconds, at)

    def token(self, at: datetime | None = None) -> str:
        return self.signing.issuer(at or now()).issue(OFFICER, now())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_new_key_signs_when_its_time_has_come_and_both_verify(files: Files) -> None:
    before = files.token()
    done = files.rotate(now())
    assert files.signing.issuer(now()).key_id == done.old_key_id
    assert files.signing.issuer(done.signs_from).key_id == done.new_key_id
    after = files.token(done.signs_from)
    assert jwt.get_unverified_header(after)["kid"] == done.new_key_id
    for token in (before, after):
        assert files.verifier.verify(token).person_id == "p-1"
    assert files.private.stat().st_mode & 0o777 == 0o600


def test_the_old_key_goes_when_its_last_token_has_ended(files: Files) -> None:
    done = files.rotate(now())
    last_ends = done.signs_from + timedelta(seconds=900)
    assert last_ends < done.old_valid_until < last_ends + timedelta(minutes=2)
    names = {key.key_id for key in files.verifier.keys.valid(done.old_valid_until)}
    assert names == {done.new_key_id}


def test_a_token_of_a_key_that_has_gone_is_refused(files: Files) -> None:
    token = files.token()
    files.rotate(now() - timedelta(hours=2))
    with pytest.raises(NotSignedIn, match="not one of this system's"):
        files.verifier.verify(token)
    assert files.verifier.verify(files.token()).person_id == "p-1"


def test_the_next_change_drops_what_has_gone_and_waits_for_what_has_not_come(
    files: Files,
) -> None:
    files.rotate(now() - timedelta(hours=3))
    second = files.rotate(now())
    assert len(public_keys_in(files.public.read_text())) == 2
    assert len(private_keys_in(files.private.read_text())) == 2
    assert second.old_key_id in {k.key_id for k in files.verifier.keys.valid(now())}
    with pytest.raises(RotationUnderWay):
        files.rotate(now())


def test_nothing_is_changed_when_the_files_do_not_belong_together(
    files: Files, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    other = Files(stranger)
    private = files.private.read_text()
    with pytest.raises(KeysDiffer):
        rotate(files.private, other.public, 0, now())
    assert files.private.read_text() == private


def test_copies_are_written_where_the_files_cannot_be(files: Files, tmp_path: Path) -> None:
    before = files.private.read_text(), files.public.read_text()
    rotate(files.private, files.public, 120, now(), tmp_path / "out")
    assert (files.private.read_text(), files.public.read_text()) == before
    written = tmp_path / "out" / "private.pem"
    assert len(private_keys_in(written.read_text())) == 2
    assert written.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_not_published_does_not_get_its_turn(files: Files) -> None:
    public = files.public.read_text()
    done = files.rotate(now() - timedelta(minutes=5))
    files.public.write_text(public)
    assert files.signing.issuer(now()).key_id == done.old_key_id
    assert files.verifier.verify(files.token()).person_id == "p-1"


def test_identity_does_not_start_when_the_next_key_is_not_published(files: Files) -> None:
    public = files.public.read_text()
    files.rotate(now())
    files.public.write_text(public)
    with pytest.raises(KeysDiffer):
        SigningKeys(files.private, TokenKeys.from_file(files.public), 900)


def test_a_file_that_cannot_be_read_changes_nothing_and_lets_no_stranger_in(
    files: Files,
) -> None:
    token = files.token()
    stranger = TokenIssuer(Ed25519PrivateKey.generate()).issue(OFFICER, now())
    for content in ("", "not a key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        files.public.write_text(content)
        assert files.verifier.verify(token).person_id == "p-1"
        with pytest.raises(NotSignedIn):
            files.verifier.verify(stranger)
    files.public.unlink()
    assert files.verifier.verify(token).person_id == "p-1"


def test_a_key_taken_out_of_the_file_counts_no_more_from_then_on(files: Files) -> None:
    token = files.token()
    other = Ed25519PrivateKey.generate()
    replacing = files.public.with_suffix(".new")
    replacing.write_text(TokenKey.of(other.public_key()).to_pem())
    replacing.replace(files.public)
    with pytest.raises(NotSignedIn):
        files.verifier.verify(token)
    assert files.verifier.verify(TokenIssuer(other).issue(OFFICER, now())).person_id == "p-1"


def test_a_token_that_names_no_key_or_another_one_is_tried_with_care(files: Files) -> None:
    key = private_keys_in(files.private.read_text())[0].private_key
    claims = jwt.decode(files.token(), options={"verify_signature": False})
    nameless = jwt.encode(claims, key, algorithm="EdDSA")
    assert files.verifier.verify(nameless).person_id == "p-1"
    misnamed = jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "another"})
    with pytest.raises(NotSignedIn):
        files.verifier.verify(misnamed)


@pytest.mark.parametrize("line", ["Valid until: soon", "Valid until: 2026-01-01T00:00:00"])
def test_an_end_that_makes_no_sense_is_refused_at_the_start(files: Files, line: str) -> None:
    files.public.write_text(f"{line}\n{files.public.read_text()}")
    with pytest.raises(ValueError, match=r"soon|offset"):
        TokenVerifier.from_file(files.public)


def test_the_published_key_is_the_one_that_verifies() -> None:
    private = Ed25519PrivateKey.generate()
    (key,) = jwt.PyJWKSet.from_dict({"keys": [json_web_key(private.public_key())]}).keys
    token = jwt.encode({"sub": "x"}, private, algorithm="EdDSA")
    assert jwt.decode(token, key.key, algorithms=["EdDSA"]) == {"sub": "x"}


def test_a_new_sealing_secret_comes_first_and_old_ones_open(tmp_path: Path) -> None:
    file = tmp_path / "factor.key"
    file.write_text("a" * 40)
    file.chmod(0o400)
    old = Sealer.from_text(file.read_text())
    assert factor_rotation.add_secret(file) == file
    new = Sealer.from_text(file.read_text())
    assert new.secrets[1:] == old.secrets
    assert new.key_id != old.key_id
    assert file.stat().st_mode & 0o777 == 0o400
    assert factor_rotation.keep_first(file) == 1
    assert Sealer.from_text(file.read_text()).secrets == new.secrets[:1]
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(KeyFileUnusable):
        factor_rotation.add_secret(file)
