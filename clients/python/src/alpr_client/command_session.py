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
from alpr_client.errors import ClientError, NotSignedInError, RefusedError
from alpr_client.kept_session import KeptTokens, SessionFile
from alpr_client.tokens import GivenToken, TokenFile
from alpr_client.transport import Addresses

DONE, WITH_FINDINGS, NOT_DONE, NOT_SIGNED_IN = 0, 1, 2, 4
"""Exit codes: done; done, with something to look at (each command says what); refused or out of
reach; nobody is signed in, or the session has ended."""

SIGNS_IN = (
    "Acts as whoever ALPR_TOKEN, ALPR_TOKEN_FILE, ALPR_USERNAME with ALPR_PASSWORD or "
    "ALPR_PASSWORD_FILE, or `alpr sign-in` names: the first of them that is there."
)
Work = Callable[[AlprClient, Console], Coroutine[Any, Any, int]]


class NobodySignedIn(ClientError):
    """There is no token, no account and no kept session to act as."""


@asynccontextmanager
async def signed_in(*, timeout_seconds: float = 30.0) -> AsyncIterator[AlprClient]:
    """A client that acts as whom the environment names, else as the kept session.

    Raises `NobodySignedIn`, `NotSignedInError`, or a `ClientError` that says what is wrong.
    """
    addresses = Addresses.from_environment()
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
        async with as_kept(timeout_seconds=timeout_seconds) as client:
            yield client
        return
    async with AlprClient(addresses, timeout_seconds=timeout_seconds) as client:
        client.sign_with(tokens)
        yield client


@asynccontextmanager
async def as_kept(*, timeout_seconds: float = 30.0) -> AsyncIterator[AlprClient]:
    """A client that acts as who signed in with `alpr sign-in`, whatever the environment says."""
    file = SessionFile.of_user()
    kept = file.read()
    if kept is None:
        raise NobodySignedIn("nobody is signed in: run `alpr sign-in`")
    gateway = Addresses.behind(kept.gateway) if kept.gateway else None
    addresses = Addresses.from_environment(gateway)
    if addresses.identity != kept.identity:
        # A session's tokens are for those who issued it, and for nobody else.
        raise NobodySignedIn(
            f"the session is of {kept.identity}, but identity's address is now "
            f"{addresses.identity}: sign in there, or set ALPR_IDENTITY_URL"
        )
    async with AlprClient(addresses, timeout_seconds=timeout_seconds) as client:
        client.sign_with(KeptTokens(file, kept, client.transport.refreshed))
        yield client


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
