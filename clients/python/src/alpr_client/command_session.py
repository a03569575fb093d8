"""As whom a command of `alpr` acts, and how each ends: one sign-in and one set of exit codes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from alpr_client.client import AlprClient
from alpr_client.destinations import Destinations
from alpr_client.errors import ClientError, NotSignedInError, RefusedError
from alpr_client.kept_session import KeptTokens, NobodySignedIn, SessionFile
from alpr_client.tokens import GivenToken, TokenFile

DONE, WITH_FINDINGS, NOT_DONE, NOT_SIGNED_IN = 0, 1, 2, 4
"""Exit codes: done; done, with something to look at (each command says what); refused or out of
reach; nobody is signed in, or the session has ended."""

SIGNS_IN = (
    "Acts as whoever ALPR_TOKEN, ALPR_TOKEN_FILE, ALPR_USERNAME with ALPR_PASSWORD or "
    "ALPR_PASSWORD_FILE, or `alpr sign-in` names: the first of them that is there."
)
Work = Callable[[AlprClient, Console], Coroutine[Any, Any, int]]


@asynccontextmanager
async def signed_in(
    *, timeout_seconds: float = 30.0, ingest: str | None = None
) -> AsyncIterator[AlprClient]:
    """A client that acts as whom the environment names, else as the kept session.

    `ingest`: its address, where the command was given one.

    Raises `NobodySignedIn`, `NotSignedInError`, or a `ClientError` that says what is wrong.
    """
    addresses = Destinations.of_environment(ingest=ingest)
    if os.environ.get("ALPR_TOKEN"):
        tokens: GivenToken | TokenFile = GivenToken(os.environ["ALPR_TOKEN"])
    elif os.environ.get("ALPR_TOKEN_FILE"):
        tokens = TokenFile(Path(os.environ["ALPR_TOKEN_FILE"]))
    elif (account := _account()) is not None:
        async with AlprClient(addresses, timeout_seconds=timeout_seconds) as client:
            await client.sign_in(*account, os.environ.get("ALPR_CODE") or None)
            try:
                yield client
            finally:
                with suppress(ClientError):  # it idles out by itself
                    await client.sign_out()
        return
    else:
        async with as_kept(timeout_seconds=timeout_seconds, ingest=ingest) as client:
            yield client
        return
    async with AlprClient(addresses, timeout_seconds=timeout_seconds) as client:
        client.sign_with(tokens)
        yield client


@asynccontextmanager
async def as_kept(
    *, timeout_seconds: float = 30.0, ingest: str | None = None
) -> AsyncIterator[AlprClient]:
    """A client that acts as who signed in with `alpr sign-in`, whatever the environment says."""
    file = SessionFile.of_user()
    kept = file.read()
    if kept is None:
        raise NobodySignedIn("nobody is signed in: run `alpr sign-in`")
    addresses = Destinations.of_session(kept, ingest=ingest)
    addresses.of("identity")  # who names another system means that one, not this
    async with AlprClient(addresses, timeout_seconds=timeout_seconds) as client:
        client.sign_with(KeptTokens(file, kept, client.transport.refreshed))
        yield client


def for_cameras(ingest: str | None) -> Destinations:
    """Where frames go, which need nobody who is signed in: to the address that was given, else to
    the system that commands act in. Raises `ClientError`."""
    if ingest is None and named_in_environment() is None:
        kept = SessionFile.of_user().read()
        if kept is not None:
            return Destinations.of_session(kept)
    return Destinations.of_environment(ingest=ingest)


def named_in_environment() -> str | None:
    """Which variables say as whom commands act; None: it is the kept session."""
    if os.environ.get("ALPR_TOKEN"):
        return "ALPR_TOKEN"
    if os.environ.get("ALPR_TOKEN_FILE"):
        return "ALPR_TOKEN_FILE"
    if os.environ.get("ALPR_USERNAME"):
        for name in ("ALPR_PASSWORD", "ALPR_PASSWORD_FILE"):
            if os.environ.get(name):
                return f"ALPR_USERNAME and {name}"
    return None


def _account() -> tuple[str, str] | None:
    """User name and password of the environment. A name alone is none: `alpr sign-in` takes it."""
    username, password = os.environ.get("ALPR_USERNAME"), os.environ.get("ALPR_PASSWORD")
    file = os.environ.get("ALPR_PASSWORD_FILE")
    if not username or not (password or file):
        return None
    if not password and file:
        try:
            password = Path(file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ClientError(f"the password in {file} cannot be read: {error}") from error
    return username, password or ""


def run(
    work: Work, *, timeout_seconds: float = 30.0, codes: Mapping[str, int] | None = None
) -> None:
    """Sign in, do it, and end with its exit code; or say in one line why it was not done.

    `codes`: exit codes of refusals that a command tells apart, by the refusal's code.
    """

    async def acting(console: Console) -> int:
        async with signed_in(timeout_seconds=timeout_seconds) as client:
            return await work(client, console)

    end(acting, codes=codes)


def end(
    doing: Callable[[Console], Coroutine[Any, Any, int]],
    *,
    codes: Mapping[str, int] | None = None,
) -> None:
    """As `run`, for what signs in by itself or not at all."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        code = asyncio.run(doing(console))
    except (NobodySignedIn, NotSignedInError) as error:
        complain(error)
        code = NOT_SIGNED_IN
    except RefusedError as error:
        complain(error)
        code = (codes or {}).get(error.code, NOT_DONE)
    except (ClientError, OSError) as error:
        complain(error)
        code = NOT_DONE
    raise typer.Exit(code)


def complain(error: BaseException) -> None:
    """One line on standard error."""
    said = " ".join(str(error).split())
    Console(stderr=True, highlight=False).print(f"not done: {said}", markup=False, soft_wrap=True)
