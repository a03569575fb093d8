"""A package of the yearly audit: waited for, saved, and told of."""

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from alpr_client.command_session import DONE, WITH_FINDINGS
from alpr_client.errors import ClientError, RefusedError, UnavailableError
from alpr_client.transport import Transport

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_SERVICE = "access_log"
_LOOKS_AGAIN_SECONDS = 1.0
# A service that is started again answers soon; the package does not mind.
_PATIENCE_SECONDS = 300.0
_STEPS = {
    "waiting": "waiting for its turn", "identity": "asking identity", "records": "reading records",
    "log": "recomputing the access log", "usage": "counting", "writing": "writing the files",
}  # fmt: skip


class NotStored(ClientError):
    """What was sent is not what arrived."""


class NotPrepared(ClientError):
    """The service could not prepare the package."""


async def prepare(http: Transport, console: Console, period: dict[str, str], out: Path) -> int:
    """Ask for a package and `fetch` it. Raises a `ClientError`."""
    try:
        package_id = await _ask_for(http, period)
    except asyncio.CancelledError:
        return _interrupted("it may be prepared all the same: alpr audit list")
    return await fetch(http, console, package_id, out)


async def _ask_for(http: Transport, period: dict[str, str]) -> str:
    try:
        asked = await http.json(_SERVICE, "POST", "/v1/audit/packages", json=period)
    except RefusedError as error:
        other = error.members.get("package_id")
        if other is None:
            raise
        raise NotPrepared(f"{error} (`alpr audit fetch {other} --out …` waits for it)") from error
    return str(asked["package_id"])


async def fetch(http: Transport, console: Console, package_id: str, out: Path) -> int:
    """Wait for a package, save its files and tell of it; the command's exit code.

    Ctrl-C ends the waiting alone: the package is prepared all the same. Raises a `ClientError`.
    """
    try:
        made = await _ready(http, _said(), package_id)
        await _save(http, made, out)
    except asyncio.CancelledError:
        return _interrupted(
            f"the package is prepared all the same: alpr audit fetch {package_id} --out {out}"
        )
    return _tell(console, made, out)


def _interrupted(what: str) -> int:
    """Ctrl-C cancels the command once; from here on it ends in peace."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    _said().print(f"interrupted; {what}", markup=False)
    return INTERRUPTED


def _said() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)


async def _ready(http: Transport, said: Console, package_id: str) -> dict[str, Any]:
    """The package as soon as it is ready, with what is done until then on standard error."""
    told: str | None = None
    with said.status(f"package {package_id}") as status:
        while True:
            package = await _looked_at(http, package_id)
            if package["state"] == "failed":
                raise NotPrepared(f"the package could not be prepared: {package['failure']}")
            if package["state"] == "ready":
                return package
            step = _STEPS.get(package["step"], package["step"])
            status.update(f"package {package_id}: {step}, {package['progress']:.0%}")
            if step != told and not said.is_terminal:
                said.print(f"package {package_id}: {step}", markup=False)
            told = step
            await asyncio.sleep(_LOOKS_AGAIN_SECONDS)


async def _looked_at(http: Transport, package_id: str) -> dict[str, Any]:
    """The package; a service that does not answer is asked again for a while."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            found = await http.json(_SERVICE, "GET", f"/v1/audit/packages/{package_id}")
            return dict(found)
        except UnavailableError as error:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(error.retry_after_seconds or _LOOKS_AGAIN_SECONDS)


async def _save(http: Transport, made: dict[str, Any], out: Path) -> None:
    """All files of a package; raises `NotStored` for one that is not what its hash says."""
    for file in made["files"]:
        path = f"/v1/audit/packages/{made['package_id']}/files/{file['name']}"
        content = (await http.call(_SERVICE, "GET", path)).content
        if hashlib.sha256(content).hexdigest() != file["sha256"]:
            raise NotStored(f"{file['name']} is not what its SHA-256 says")
        _write(out / file["name"], content)
    summary = json.dumps(made["summary"], indent=1, ensure_ascii=False)
    _write(out / "summary.json", f"{summary}\n".encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _tell(console: Console, made: dict[str, Any], out: Path) -> int:
    summary = made["summary"]
    totals, log = summary["usage"]["totals"], summary["log"]
    found = summary["misuse"]["findings"]
    unreviewed = sum(not one["reviews"] for one in found)
    console.print(f"package     {made['package_id']} in {out}", markup=False)
    console.print(f"period      {made['from'][:16]} to {made['to'][:16]}", markup=False)
    console.print(
        f"searches    {totals['searches']} answered, {totals['refused']} refused, "
        f"{totals['people']} people"
    )
    whole = {None: "nothing to check", True: "whole", False: "NOT WHOLE"}[log["is_good"]]
    console.print(f"access log  {whole}, {log['entries']} entries recomputed")
    console.print(f"findings    {len(found)}, {unreviewed} of them not reviewed")
    for missing in summary["missing"]:
        console.print(f"missing     {missing}", markup=False)
    return WITH_FINDINGS if summary["missing"] or log["is_good"] is False else DONE
