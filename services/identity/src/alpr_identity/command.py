"""`python -m alpr_identity …`: what an operator does before anybody can sign in."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alpr_common.auth import TokenIssuer
from alpr_common.errors import AlprError
from alpr_common.policy import Policy, Role
from alpr_identity import handlers, store
from alpr_identity.app import opened
from alpr_identity.audit import OPERATOR
from alpr_identity.domain import Person, folded_username
from alpr_identity.identity import Identity
from alpr_identity.refusals import PersonNotFound
from alpr_identity.settings import Settings


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
    create.add_argument("--rank", default="")
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
    return top


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run one command; 0 when it is done, 1 with the reason on standard error."""
    password = None
    if getattr(arguments, "password_stdin", False):
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        return asyncio.run(_run(arguments, settings, password))
    except AlprError as error:
        sys.stderr.write(f"{error.title}. {error.detail}\n")
        return 1


async def _run(arguments: argparse.Namespace, settings: Settings, password: str | None) -> int:
    policy = Policy.load(settings.common.policy_file)
    # No token is issued here, so the real key stays where it is.
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    async with opened(settings, policy, issuer) as identity:
        if arguments.command == "release":
            await _release(identity, arguments.username)
        else:
            await _create(identity, arguments, password)
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
