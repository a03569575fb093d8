"""The providers' file: what it takes, and what it refuses before anybody relies on it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alpr_common.policy import Role
from alpr_identity.provider_config import ProviderConfig, ProvidersFile

TEXT = """
[[provider]]
provider_id = "county"
agency_id = "IL0222900"
label = "County Police"
issuer = "https://login.county.example/tenant"
client_id = "alpr"
client_secret_file = "/etc/alpr/county.secret"
amr = ["mfa"]
password_roles = ["administrator"]
"""


def test_a_file_names_providers_and_no_file_names_none(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(TEXT)
    (one,) = ProvidersFile.load(file).provider
    assert (one.provider_id, one.vouches) == ("county", True)
    assert one.password_roles == {Role.ADMINISTRATOR}
    assert ProvidersFile.load(None).provider == ()


def test_two_providers_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(TEXT + TEXT)
    with pytest.raises(ValidationError, match="provider_id"):
        ProvidersFile.load(file)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://login.county.example"},
        {"issuer": "ftp://login.county.example"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"scopes": ["profile"]},
        {"provider_id": "No Spaces"},
        {"clock_skew_seconds": 3600},
        {"strip_domain": True},
        {"secret": "in the file itself"},
    ],
)
def test_what_would_weaken_the_sign_in_is_refused(wrong: dict[str, Any]) -> None:
    right = {
        "provider_id": "county", "agency_id": "ILX", "label": "County", "client_id": "alpr",
        "issuer": "https://login.county.example", "client_secret_file": "/x",
    }  # fmt: skip
    ProviderConfig.model_validate(right)
    with pytest.raises(ValidationError):
        ProviderConfig.model_validate(right | wrong)
