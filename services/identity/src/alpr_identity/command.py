"""`python -m alpr_identity …`: what an operator does before anybody can sign in."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_common.auth import TokenIssuer
from alpr_common.errors import AlprError
from alpr_common.policy import Policy, Role
from alpr_identity import factor_rotation, handlers, signing_keys, store
from alpr_identity.app import opened
from alpr_identity.audit import OPERATOR
from alpr_identity.domain import Person, folded_username
from alpr_identity.identity import Identity, OneKey
from alpr_identity.refusals import PersonNotFound, SecondFactorUnavailable
from alpr_identity.sealing import SecretUnreadable
from alpr_identity.settings import Settings
from alpr_identity.signing_keys import KeysDiffer, RotationUnderWay


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m alpr_identity",
        description="Without a command: run the service. Settings come from the environment.",
    )
    commands = top.add_subparsers(dest="command")
    create = commands.add_parser(
        "create-person",
        help="add a person (the first administrator, a service account)",
        description="Prints the generated password, and nothing else, on standard output.",
    )
    create.add_argument("--agency", required=True, help="agency id (ORI)")
    create.add_argument("--username", required=True)
    create.add_argument("--name", required=True)
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument("--rank", default="", help="a title, in any words")
    create.add_argument(
        "--supervisor-rank", default="", help="one of the policy's supervisor_ranks (sergeant)"
    )
    create.add_argument("--leads-until", type=date.fromisoformat, metavar="YYYY-MM-DD")
    create.add_argument("--leads-certificate", metavar="NUMBER")
    create.add_argument("--alpr-until", type=date.fromisoformat, metavar="YYYY-MM-DD")
    create.add_argument("--alpr-certificate", metavar="NUMBER")
    create.add_argument(
        "--password-stdin", action="store_true", help="read it from standard input instead"
    )
    create.add_argument(
        "--if-absent",
        action="store_true",
        help="when the agency has that person already: change nothing and succeed",
    )
    release = commands.add_parser(
        "release", help="unlock an account when no administrator can (they are locked too)"
    )
    release.add_argument("--username", required=True)
    _training_command(commands)
    _key_commands(commands)
    return top


def _training_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    training = commands.add_parser(
        "record-training",
        help="record a training when no other administrator can (nobody records their own)",
        description="What is not given stays as it is.",
    )
    training.add_argument("--username", required=True)
    for kind in ("leads", "alpr"):
        training.add_argument(f"--{kind}-until", type=date.fromisoformat, metavar="YYYY-MM-DD")
        training.add_argument(f"--{kind}-certificate", metavar="NUMBER")


def _key_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    rotate = commands.add_parser(
        "rotate-key",
        help="a new key that signs tokens",
        description="The old key verifies until its tokens have ended. No service is restarted.",
    )
    rotate.add_argument(
        "--after-seconds",
        type=int,
        default=120,
        help="when the new key begins to sign: until then every host must have the public file",
    )
    factor = commands.add_parser(
        "rotate-factor-key", help="a new secret that second factors are sealed with"
    )
    for command in (rotate, factor):
        command.add_argument(
            "--into",
            type=Path,
            metavar="FOLDER",
            help="write the new files there, to be put in place by other means (secret stores)",
        )
    reseal = commands.add_parser(
        "reseal-factors", help="seal all second factors anew under the file's first secret"
    )
    reseal.add_argument(
        "--drop-old", action="store_true", help="take the other secrets out of the file"
    )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run one command; 0 when it is done, 1 with the reason on standard error."""
    password = None
    if getattr(arguments, "password_stdin", False):
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        if arguments.command == "rotate-key":
            return _rotate_key(arguments, settings)
        return asyncio.run(_run(arguments, settings, password))
    except AlprError as error:
        sys.stderr.write(f"{error.title}. {error.detail}\n")
    except (KeysDiffer, RotationUnderWay, SecretUnreadable, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
    return 1


def _rotate_key(arguments: argparse.Namespace, settings: Settings) -> int:
    done = signing_keys.rotate(
        settings.token_private_key_file, settings.common.token_public_key_file,
        arguments.after_seconds, datetime.now(UTC), arguments.into,
    )  # fmt: skip
    sys.stderr.write(
        f"Key {done.new_key_id} signs from {done.signs_from:%Y-%m-%d %H:%M:%S} UTC on; "
        f"{done.old_key_id} verifies until {done.old_valid_until:%H:%M:%S} UTC.\n"
    )
    return 0


async def _reseal(identity: Identity, settings: Settings, *, drop_old: bool) -> int:
    done = await factor_rotation.reseal(identity)
    sys.stderr.write(f"{done.secrets} secrets were sealed anew.\n")
    if done.people_with_old_codes:
        sys.stderr.write(
            f"{done.people_with_old_codes} people have recovery codes that rest on an older secret:"
            " keep it in the file until they have made new ones.\n"
        )
        return 1 if drop_old else 0
    if drop_old and settings.second_factor_key_file is not None:
        gone = factor_rotation.keep_first(settings.second_factor_key_file)
        sys.stderr.write(f"{gone} older secrets were taken out of the file.\n")
    return 0


async def _run(arguments: argparse.Namespace, settings: Settings, password: str | None) -> int:
    policy = Policy.load(settings.common.policy_file)
    # No token is issued here, so the real key stays where it is.
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    if arguments.command == "rotate-factor-key":
        file = settings.second_factor_key_file
        if file is None:
            raise SecondFactorUnavailable("Set ALPR_IDENTITY_SECOND_FACTOR_KEY_FILE.")
        sys.stderr.write(f"{factor_rotation.add_secret(file, arguments.into)} was written.\n")
        if arguments.into is not None:
            return 0
    async with opened(settings, policy, OneKey(issuer)) as identity:
        if arguments.command == "release":
            await _release(identity, arguments.username)
        elif arguments.command == "record-training":
            await _record_training(identity, arguments)
        elif arguments.command == "create-person":
            await _create(identity, arguments, password)
        else:
            drop_old = arguments.command == "reseal-factors" and arguments.drop_old
            return await _reseal(identity, settings, drop_old=drop_old)
    return 0


async def _create(identity: Identity, arguments: argparse.Namespace, password: str | None) -> None:
    if arguments.if_absent:
        present = await _find(identity, folded_username(arguments.username))
        if present is not None and present.agency_id == arguments.agency:
            sys.stderr.write(f"{present.username} of {present.agency_id} is there already.\n")
            return
    new = handlers.NewPerson(
        username=arguments.username,
        name=arguments.name,
        role=Role(arguments.role),
        rank=arguments.rank,
        supervisor_rank=arguments.supervisor_rank,
        password=password,
        leads_until=arguments.leads_until,
        leads_certificate=arguments.leads_certificate,
        alpr_until=arguments.alpr_until,
        alpr_certificate=arguments.alpr_certificate,
    )
    person, generated = await handlers.create_person(
        identity, OPERATOR, arguments.agency, new, datetime.now(UTC)
    )
    sys.stderr.write(f"{person.username} ({person.role}) of {person.agency_id} was added.\n")
    if generated is not None:
        sys.stdout.write(f"{generated}\n")


async def _release(identity: Identity, username: str) -> None:
    person = await _find(identity, folded_username(username))
    if person is None:
        raise PersonNotFound(f"There is nobody called {username}.")
    await handlers.release(
        identity, OPERATOR, person.agency_id, person.person_id, datetime.now(UTC)
    )
    sys.stderr.write(f"{person.username} of {person.agency_id} was released.\n")


async def _record_training(identity: Identity, arguments: argparse.Namespace) -> None:
    records = [
        handlers.TrainingRecord("leads", arguments.leads_until, arguments.leads_certificate),
        handlers.TrainingRecord("alpr", arguments.alpr_until, arguments.alpr_certificate),
    ]
    said = [record for record in records if record.valid_until is not None]
    if not said or any(r.certificate and r.valid_until is None for r in records):
        raise ValueError("Say until when: --leads-until, --alpr-until, or both.")
    person = await _find(identity, folded_username(arguments.username))
    if person is None:
        raise PersonNotFound(f"There is nobody called {arguments.username}.")
    trained = await handlers.record_training(
        identity, OPERATOR, person.agency_id, person.person_id, said, datetime.now(UTC)
    )
    sys.stderr.write(
        f"{trained.username} of {trained.agency_id}: LEADS until {trained.leads_until or 'none'}, "
        f"ALPR until {trained.alpr_until or 'none'}.\n"
    )


async def _find(identity: Identity, username: str) -> Person | None:
    async with identity.database.transaction() as connection:
        agency_id = await store.agency_of_username(connection, username)
    if agency_id is None:
        return None
    async with identity.database.transaction(agency_id) as connection:
        found = await store.lock_credentials(connection, username)
    return found.person if found else None


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    return parser().parse_args(arguments)
