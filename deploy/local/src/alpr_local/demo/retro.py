"""The service account as which the demo's matcher looks at stored reads (retro-match)."""

import os
import secrets
import subprocess
import sys
import tomllib
from pathlib import Path

from alpr_local.errors import LocalStackError


def retro_accounts(folder: Path, agency_id: str) -> Path:
    """The accounts' file for `ALPR_MATCHER_RETRO_ACCOUNTS_FILE`, made on the first run, mode 0600.

    The password is generated and stays the same from run to run.
    """
    file = folder / "retro-accounts.toml"
    if not file.exists():
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(
                f'[{agency_id}]\nusername = "retro-match"\n'
                f'password = "{secrets.token_urlsafe(24)}"\n'
            )
    return file


def create_retro_accounts(file: Path, environment: dict[str, str]) -> None:
    """Make the file's accounts known to identity, once; raises LocalStackError."""
    for agency_id, account in tomllib.loads(file.read_text()).items():
        command = [
            sys.executable, "-m", "alpr_identity", "create-person", "--agency", agency_id,
            "--username", account["username"], "--role", "service", "--name", "Retro-match",
            "--password-stdin", "--if-absent",
        ]  # fmt: skip
        done = subprocess.run(
            command, env=environment, input=account["password"], text=True, capture_output=True
        )
        if done.returncode:
            raise LocalStackError(
                f"identity did not create {account['username']}: {done.stderr.strip()[-800:]}"
            )
