"""Makes the containers' secrets once: `python make_secrets.py FOLDER`.

FOLDER/<service>/ holds what that service alone may know, FOLDER/postgres/ what the server and the
provisioning need. Each is a volume of its own. Passwords and keys that exist are kept.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

# Mounted beside this file in the container, from deploy/local/postgres.
SERVICES_WITH_A_SCHEMA = Path(__file__).parent / "services.txt"
SERVICES = (
    "ingest", "recognizer", "matcher", "matcher-worker", "alerts", "access-log", "identity",
    "console",
)  # fmt: skip

# The user of our images and of the official PostgreSQL image.
_ALPR, _POSTGRES = 10001, 999


def main(folder: Path, services_file: Path = SERVICES_WITH_A_SCHEMA) -> None:
    public_key = _token_keys(folder)
    for service in SERVICES:
        copy = folder / service / "token-public-key.pem"
        # Once there it is the operator's: after a change of key it holds what the first did not.
        if not copy.exists():
            _write(copy, public_key, _ALPR)
    _password(folder / "postgres" / "superuser.password")
    for service in _with_a_schema(services_file):
        _database_addresses(folder, service)
    for name in ("log-signing-key.pem", "evidence-key.pem"):
        key = folder / "access-log" / name
        if not key.exists():
            _write(key, _private_pem(Ed25519PrivateKey.generate()), _ALPR)
    factor_key = folder / "identity" / "second-factor.key"
    if not factor_key.exists():
        _write(factor_key, secrets.token_urlsafe(32), _ALPR)
    cookie_key = folder / "console" / "cookie.key"
    if not cookie_key.exists():
        _write(cookie_key, secrets.token_urlsafe(32), _ALPR)
    _write(
        folder / "console" / "environment",
        "ALPR_CONSOLE_COOKIE_KEY_FILE='/run/alpr/cookie.key'\n",
        _ALPR,
    )


def _with_a_schema(services_file: Path) -> list[str]:
    lines = services_file.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _database_addresses(folder: Path, service: str) -> None:
    lines = []
    for role, name in (
        (f"alpr_{service}", "DATABASE_URL"),
        (f"alpr_{service}_owner", "MIGRATION_DATABASE_URL"),
    ):
        password = _password(folder / "postgres" / f"{role}.password")
        url = f"postgresql://{role}:{password}@postgres:5432/alpr"
        lines.append(f"ALPR_{service.upper()}_{name}='{url}'\n")
    if service == "identity":
        lines.append("ALPR_IDENTITY_TOKEN_PRIVATE_KEY_FILE='/run/alpr/token-private-key.pem'\n")
        lines.append("ALPR_IDENTITY_SECOND_FACTOR_KEY_FILE='/run/alpr/second-factor.key'\n")
    if service == "access_log":
        lines.append("ALPR_ACCESS_LOG_LOG_KEY_FILE='/run/alpr/log-signing-key.pem'\n")
        lines.append("ALPR_ACCESS_LOG_EVIDENCE_KEY_FILE='/run/alpr/evidence-key.pem'\n")
    _write(folder / service.replace("_", "-") / "environment", "".join(lines), _ALPR)


def _token_keys(folder: Path) -> str:
    """What verifies tokens; the private half goes to identity alone."""
    path = folder / "identity" / "token-private-key.pem"
    known = folder / "identity" / "token-public-key.pem"
    if known.exists():
        return known.read_text()
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), password=None)
    else:
        key = Ed25519PrivateKey.generate()
        _write(path, _private_pem(key), _ALPR)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _private_pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _password(path: Path) -> str:
    if not path.exists():
        _write(path, secrets.token_urlsafe(32), _POSTGRES)
    return path.read_text()


def _write(path: Path, content: str, user: int) -> None:
    """Write a file that nobody but `user` (and root) can ever have read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:  # noqa: PTH123
        file.write(content)
    if os.geteuid() == 0:
        os.chown(temporary, user, user)
        os.chown(path.parent, user, user)
    temporary.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
