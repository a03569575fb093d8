"""The matcher's apps: every route passes the gate, settings come from the environment."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alpr_common.auth import ungated_routes
from alpr_common.settings import CommonSettings
from alpr_matcher.__main__ import main
from alpr_matcher.app import build
from alpr_matcher.settings import Settings, WorkerSettings


@pytest.fixture
def matcher_settings(tmp_path: Path) -> Settings:
    public_key = tmp_path / "public.pem"
    key = Ed25519PrivateKey.generate().public_key()
    public_key.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return Settings(
        database_url="postgresql://nowhere",
        migration_database_url="postgresql://nowhere",
        common=CommonSettings(token_public_key_file=public_key),
    )


@pytest.mark.policy("131.1")
def test_every_route_of_the_hot_list_api_passes_the_gate(matcher_settings: Settings) -> None:
    assert ungated_routes(build(matcher_settings)) == []


def test_the_worker_reads_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPR_MATCHER_WORKER_PORT", "1234")
    monkeypatch.setenv("ALPR_MATCHER_WORKER_DATA_FOLDER", "/tmp/somewhere")
    found = WorkerSettings()
    assert (found.port, found.data_folder) == (1234, Path("/tmp/somewhere"))


def test_a_command_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 2
    assert "usage" in capsys.readouterr().err
