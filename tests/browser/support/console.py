"""The console on top of the double."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alpr_common.settings import CommonSettings
from alpr_console.app import build
from alpr_console.settings import Settings
from alpr_local.ports import choose_port
from tests.browser.support.rest_double import Double
from tests.browser.support.serving import Served, served


def settings_for(double: Double, api_url: str, folder: Path, url: str, **own: Any) -> Settings:
    """Settings of a console whose services are all the double."""
    public_key = folder / "token-public.pem"
    public_key.write_bytes(
        double.signing_key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
    )
    common = CommonSettings(
        token_public_key_file=public_key, alerts_url=api_url, matcher_url=api_url,
        access_log_url=api_url, identity_url=api_url, ingest_url=api_url, console_url=url,
    )  # fmt: skip
    return Settings(common=common, development_folder=folder / "secrets", **own)


@contextmanager
def console_on(
    double: Double, api_url: str, folder: Path, port: int | None = None, **own: Any
) -> Iterator[Served]:
    port = port or choose_port()
    url = f"http://127.0.0.1:{port}"
    with served(build(settings_for(double, api_url, folder, url, **own)), port) as running:
        yield running
