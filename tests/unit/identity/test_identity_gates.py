"""Every route of identity has a gate; the keys that sign and verify belong together."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from alpr_common.auth import ungated_routes
from alpr_common.settings import CommonSettings
from alpr_identity.app import build
from alpr_identity.settings import Settings
from alpr_identity.signing_keys import KeysDiffer


def settings(folder: Path, signing: Ed25519PrivateKey, verifying: Ed25519PrivateKey) -> Settings:
    (folder / "private.pem").write_bytes(
        signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (folder / "public.pem").write_bytes(
        verifying.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return Settings(
        database_url="postgresql://127.0.0.1:1/none",
        migration_database_url="postgresql://127.0.0.1:1/none",
        token_private_key_file=folder / "private.pem",
        common=CommonSettings(token_public_key_file=folder / "public.pem"),
    )


@pytest.mark.policy("131.6-1")
def test_every_route_of_identity_has_a_gate(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    app = build(settings(tmp_path, key, key))
    assert ungated_routes(app) == []
    assert "/v1/people" in app.openapi()["paths"]


def test_identity_does_not_start_with_keys_of_two_pairs(tmp_path: Path) -> None:
    with pytest.raises(KeysDiffer):
        build(settings(tmp_path, Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()))
