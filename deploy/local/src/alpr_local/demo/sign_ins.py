"""One person per role for the demo, with generated passwords that stay the same from run to run."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alpr_local.errors import LocalStackError

_TRAINED_DAYS = 365


@dataclass(frozen=True)
class SignIn:
    username: str
    password: str
    role: str
    name: str
    supervisor_rank: str = ""


_RANKS = {"supervisor": "sergeant"}
_PEOPLE = (
    ("officer", "officer", "Officer Dana Reyes"),
    ("cso", "cso", "CSO Robin Hale"),
    ("dispatcher", "dispatcher", "Dispatcher Sam Ortiz"),
    ("supervisor", "supervisor", "Sergeant Alex Kim"),
    ("administrator", "administrator", "Deputy Chief Jordan Cole"),
    ("auditor", "auditor", "Auditor Chris Lund"),
)


def sign_ins(folder: Path) -> list[SignIn]:
    """The demo's people; passwords are made on the first run and kept with mode 0600."""
    file = folder / "sign-ins.json"
    if file.exists():
        return [SignIn(**entry) for entry in json.loads(file.read_text())]
    made = [
        SignIn(username, secrets.token_urlsafe(12), role, name, _RANKS.get(role, ""))
        for username, role, name in _PEOPLE
    ]
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump([asdict(entry) for entry in made], out, indent=1)
    return made


def create_administrator(
    people: list[SignIn], agency_id: str, environment: dict[str, str]
) -> SignIn:
    """The first person, through identity's own command, as on any new system; the others follow
    over REST. Raises LocalStackError."""
    first = next(person for person in people if person.role == "administrator")
    until = trained_until()
    command = [
        sys.executable, "-m", "alpr_identity", "create-person", "--agency", agency_id,
        "--username", first.username, "--role", first.role, "--name", first.name,
        "--leads-until", until, "--alpr-until", until, "--password-stdin", "--if-absent",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=environment, input=first.password, text=True, capture_output=True
    )
    if done.returncode:
        raise LocalStackError(
            f"identity did not create {first.username}: {done.stderr.strip()[-800:]}"
        )
    return first


def trained_until() -> str:
    """The day on which the demo's trainings lapse."""
    return (datetime.now(UTC) + timedelta(days=_TRAINED_DAYS)).date().isoformat()
