"""`alpr sign-in`, `alpr sign-out`, `alpr whoami` and `alpr token`.

    alpr sign-in --url https://alpr.example
    alpr whoami
    alpr sign-out

Scripts that ask nobody: `printf '%s\\n%s\\n' "$PASSWORD" "$CODE" | alpr sign-in -u miller`.
"""

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from alpr_client.client import AlprClient
from alpr_client.command_session import (
    DONE,
    NOT_DONE,
    SIGNS_IN,
    WITH_FINDINGS,
    as_kept,
    end,
    named_in_environment,
    run,
)
from alpr_client.destinations import Destinations
from alpr_client.errors import ClientError, NotSignedInError, SecondFactorNeededError
from alpr_client.kept_session import KeptSession, SessionFile
from alpr_client.models import Me, Person, Session, Training

_PASSKEY_ONLY = (
    "your second factor is a passkey, which a terminal cannot show: sign in at the console and "
    "set up one-time codes there, or have a service account for scripts"
)


class NotAnswered(ClientError):
    """Something has to be said and nobody is there to ask."""


def sign_in(
    url: Annotated[
        str | None,
        typer.Option(
            help="the system's address, where one gateway is before all services; kept with the "
            "session. Else each service's own: ALPR_IDENTITY_URL, ALPR_MATCHER_URL, …"
        ),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option("--username", "-u", envvar="ALPR_USERNAME", help="asked if left out"),
    ] = None,
    allow_http: Annotated[
        bool,
        typer.Option(
            "--allow-http",
            envvar="ALPR_ALLOW_HTTP",
            help="password and session go unencrypted to other machines, whose network encrypts "
            "by itself; kept with the session",
        ),
    ] = False,
) -> None:
    """Sign in once for the commands that follow, with password and one-time code.

    Asks for the password and, where the account has a second factor, for the code (six digits, or
    a recovery code). Without a terminal they are the first and second line of standard input;
    never an argument, which others on this machine could see.

    The session is for the services that are named now, and goes to no other address later. Those
    that are not named are on this machine, if all that are named are.

    It is kept in $XDG_STATE_HOME/alpr/session.json (else ~/.local/state/…), readable by
    you alone, is refreshed while it is used, ends after an hour without use or twelve hours,
    and with `alpr sign-out`. ALPR_TOKEN, ALPR_TOKEN_FILE and ALPR_USERNAME with ALPR_PASSWORD go
    before it.

    Passkeys and an agency's own provider (OpenID Connect) need a browser: they sign in at the
    console only.
    """

    async def work(console: Console) -> int:
        addresses = Destinations.of_environment(url, allow_http=allow_http)
        if url is not None and addresses.identity != url.rstrip("/"):
            raise ClientError(
                f"--url is {url}, but ALPR_IDENTITY_URL says {addresses.identity}: drop one of them"
            )
        addresses.of("identity")  # before anybody is asked for a password
        async with AlprClient(addresses) as client:
            session = await _signed_in(client, username or _ask("User name", "--username"))
            if session.must_enrol:
                await client.sign_out()
                raise ClientError(
                    "your role signs in with a second factor and you have none yet: set it up at "
                    "the console, then sign in here"
                )
            await _keep(session, addresses)
        console.print(f"signed in: {_named(session.person or Person())}", markup=False)
        if (variables := named_in_environment()) is not None:
            console.print(f"but {variables} is set: commands act as that, not as you")
        return DONE

    end(work)


def sign_out(
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="delete the file even if the server cannot be told; the session "
            "then ends there an hour after its last use",
        ),
    ] = False,
) -> None:
    """End the session that `alpr sign-in` began, at the server and here."""

    async def work(console: Console) -> int:
        file = SessionFile.of_user()
        if not file.path.exists():
            console.print("nobody was signed in")
            return DONE
        try:
            async with as_kept() as client:
                await client.sign_out()
        except NotSignedInError:
            file.delete()
            console.print("signed out; the session had ended before")
            return DONE
        except ClientError:
            if not forget:
                raise
            file.delete()
            console.print("forgotten here; the server was not told")
            return NOT_DONE
        file.delete()
        console.print("signed out")
        return DONE

    end(work)


def whoami() -> None:
    """Say as whom commands act, and whether ALPR data is open to them: exit code 1 if not."""

    async def work(client: AlprClient, console: Console) -> int:
        me = await client.me()
        source = named_in_environment() or "alpr sign-in"
        console.print(
            f"{_named(me)}, by {source} at {client.transport.addresses.identity}",
            markup=False,
        )
        console.print(f"LEADS training {_training(me.leads)}, ALPR training {_training(me.alpr)}")
        console.print(_access(me), markup=False)
        return DONE if me.may_access else WITH_FINDINGS

    run(work)


whoami.__doc__ = f"{whoami.__doc__}\n\n{SIGNS_IN}"


def token() -> None:
    """Print an access token of whom commands act as, for a program that takes one; it is good for
    some minutes.

    ALPR_TOKEN=$(alpr token) alpr log verify https://alpr.example/v1/log/IL0222900 --key log.vkey
    """

    async def work(client: AlprClient, console: Console) -> int:
        await client.me()  # renews one that has run out
        console.print(await client.transport.token(), markup=False, highlight=False, soft_wrap=True)
        return DONE

    run(work)


async def _signed_in(client: AlprClient, username: str) -> Session:
    password = _ask("Password", "the first line of standard input", hidden=True)
    try:
        return await client.sign_in(username, password)
    except SecondFactorNeededError as error:
        if "code" not in error.ways:
            raise ClientError(_PASSKEY_ONLY) from None
    code = _ask("One-time or recovery code", "the second line of standard input")
    return await client.sign_in(username, password, code)


async def _keep(session: Session, addresses: Destinations) -> None:
    """In place of the session that was kept before, which is ended."""
    file = SessionFile.of_user()
    with suppress(ClientError):
        async with as_kept() as before:
            await before.sign_out()
    kept = KeptSession(
        services=addresses.services, allow_http=addresses.allow_http,
        signed_in_at=datetime.now(UTC), session=session,
    )  # fmt: skip
    async with file.locked():
        file.write(kept)


def _ask(what: str, where: str, *, hidden: bool = False) -> str:
    """From the person at the terminal, or the next line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=hidden, err=True))
    if what == "User name":
        raise NotAnswered(f"say {where}: there is no terminal to ask at")
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise NotAnswered(f"there is no {what.lower()}: give it as {where}")
    return line


def _named(person: Person) -> str:
    return f"{person.name} ({person.username}), {person.role} of {person.agency_id}"


def _training(training: Training) -> str:
    if training.valid_until is None:
        return "missing"
    if training.standing == "lapsed":
        return f"lapsed on {training.valid_until}"
    return f"until {training.valid_until} ({training.days_left} days)"


def _access(me: Me) -> str:
    if me.may_access:
        return "ALPR data is open to you"
    clause = f" ({me.clause})" if me.clause else ""
    return f"ALPR data is not open to you: {me.why_not or 'set up your second factor'}{clause}"
