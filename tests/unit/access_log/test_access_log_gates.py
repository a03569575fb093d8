"""Every route of the door has a gate, and the service does not start on a wrong policy."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alpr_access_log.app import build
from alpr_access_log.refusals import TopicsOutliveRetention
from alpr_access_log.settings import Settings
from alpr_common.auth import ungated_routes
from alpr_common.settings import CommonSettings


def settings(folder: Path, policy: str = "") -> Settings:
    key = Ed25519PrivateKey.generate().public_key()
    (folder / "public.pem").write_bytes(
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (folder / "policy.toml").write_text(policy)
    return Settings(
        database_url="postgresql://127.0.0.1:1/none",
        migration_database_url="postgresql://127.0.0.1:1/none",
        common=CommonSettings(
            token_public_key_file=folder / "public.pem", policy_file=folder / "policy.toml"
        ),
    )


@pytest.mark.policy("131.6-1")
@pytest.mark.policy("131.6-2")
def test_every_route_of_the_door_has_a_gate(tmp_path: Path) -> None:
    app = build(settings(tmp_path))
    assert ungated_routes(app) == []
    assert "/v1/searches" in app.openapi()["paths"]


@pytest.mark.policy("131.7-1d")
def test_the_service_does_not_start_when_topics_outlive_the_policys_retention(
    tmp_path: Path,
) -> None:
    with pytest.raises(TopicsOutliveRetention):
        build(settings(tmp_path, "reads_retention_days = 5"))
