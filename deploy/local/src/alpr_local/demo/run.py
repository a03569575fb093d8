"""`make demo`: start everything, set it up as its people would, and let vehicles pass."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from alpr_local.demo.hits import print_hits
from alpr_local.demo.retro import create_retro_accounts, retro_accounts
from alpr_local.demo.setting_up import Administrator
from alpr_local.demo.sign_ins import SignIn, create_administrator, sign_ins
from alpr_local.demo.story import AGENCY_ID, CAMERAS, ENTRIES, DemoCamera
from alpr_local.demo.traffic import drive
from alpr_local.errors import LocalStackError
from alpr_local.processes import Services
from alpr_local.stack import Stack
from alpr_local.wiring import PROCESSES, remembered_ports

_OWN_CAMERA = CAMERAS[0]
_START_DEADLINE_SECONDS = 120
_PICTURES_PER_SECOND = 0.5
_OUTDATED_DATA = (
    "The demo's data are of another version of this code. Forget them and start again:\n"
    f"  {sys.executable} -m alpr_local down --remove"
)


def run_demo(source: str | None, hotlist: Path | None) -> int:
    """Run until Ctrl-C; returns an exit status. `source` is a folder, a video or rtsp://…"""
    console = Console(highlight=False)
    began = time.monotonic()
    try:
        _check_arguments(source, hotlist)
        with console.status("starting Kafka and PostgreSQL"), Stack.local("demo") as stack:
            stack.create_topics()
            console.print(f"servers ready after {time.monotonic() - began:.1f} s")
            accounts = retro_accounts(stack.folder / "secrets", AGENCY_ID)
            variables = {"ALPR_MATCHER_RETRO_ACCOUNTS_FILE": str(accounts)}
            services = Services(stack, {"ALPR_LOG_FORMAT": "json", **variables})
            services.ports = remembered_ports(stack.folder)
            try:
                asyncio.run(_run(console, stack, services, source, hotlist, began))
            finally:
                console.print("stopping")
                services.stop_all()
    except LocalStackError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        if "MigrationChanged" in str(error):
            console.print(_OUTDATED_DATA, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _check_arguments(source: str | None, hotlist: Path | None) -> None:
    if source and "://" not in source and not Path(source).exists():
        raise LocalStackError(
            f"INPUT={source}: there is no such folder or video. Give a folder of pictures, a "
            "video file, or an rtsp:// address."
        )
    if hotlist and not hotlist.is_file():
        raise LocalStackError(
            f"HOTLIST={hotlist}: there is no such file. Give a CSV file with the columns "
            "plate,category,reason (and, if you have them, jurisdiction, expires_at, vehicle)."
        )


async def _run(
    console: Console,
    stack: Stack,
    services: Services,
    source: str | None,
    hotlist: Path | None,
    began: float,
) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    if not await _services_started(console, services, stopped):
        return
    people = sign_ins(stack.folder / "secrets")
    await asyncio.to_thread(
        create_retro_accounts,
        retro_accounts(stack.folder / "secrets", AGENCY_ID),
        services.environment_for_tools(),
    )
    credentials = await asyncio.to_thread(_set_up, console, services, people, hotlist)
    _welcome(console, services, people, stack, time.monotonic() - began)
    traffic = (
        _feed(source, services, credentials)
        if source
        else drive(services.url("ingest"), credentials, console)
    )
    running = [
        asyncio.create_task(print_hits(stack.kafka_bootstrap_servers, console)),
        asyncio.create_task(traffic),
    ]
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *running):
        task.cancel()
    for done in await asyncio.gather(waiting, *running, return_exceptions=True):
        if isinstance(done, Exception):
            raise done


async def _services_started(console: Console, services: Services, stopped: asyncio.Event) -> bool:
    """Start all and wait until each is ready; False when the user stopped it meanwhile."""
    deadline = time.monotonic() + _START_DEADLINE_SECONDS
    with console.status("starting the services") as status:
        for name in PROCESSES:
            services.start(name, wait=False)
        for number, name in enumerate(PROCESSES, 1):
            status.update(f"starting the services: {name} ({number} of {len(PROCESSES)})")
            process = services.get(name)
            while not process.is_ready():
                if stopped.is_set():
                    return False
                if not process.is_running() or time.monotonic() > deadline:
                    process.wait_until_ready(0)  # raises with the end of the process's log
                await asyncio.sleep(0.2)
    console.print(f"services ready: {', '.join(PROCESSES)}")
    return True


def _set_up(
    console: Console, services: Services, people: list[SignIn], hotlist: Path | None
) -> dict[str, str]:
    """People, cameras, hot list; returns the cameras' credentials."""
    with console.status("people, cameras and hot list"):
        first = create_administrator(people, AGENCY_ID, services.environment_for_tools())
        urls = {name: services.url(name) for name in PROCESSES}
        with Administrator(urls, first) as administrator:
            administrator.add_people(people)
            credentials = {c.camera_id: administrator.camera_credential(c) for c in CAMERAS}
            if hotlist:
                report = administrator.import_hot_list(hotlist)
                console.print(
                    f"hot list {hotlist.name}: {report['added']} added, {report['changed']} "
                    f"changed, {report['unchanged']} unchanged, {len(report['rejected'])} rejected"
                )
                for line in report["rejected"][:20]:
                    console.print(f"  line {line['line']}: {line['what']}")
            else:
                for entry in ENTRIES:
                    administrator.add_entry(entry)
    return credentials


def _welcome(
    console: Console, services: Services, people: list[SignIn], stack: Stack, seconds: float
) -> None:
    table = Table(title="Sign-ins (made for this checkout; all trained)", title_justify="left")
    for column in ("role", "username", "password", "name"):
        table.add_column(column)
    for person in people:
        table.add_row(person.role, person.username, person.password, person.name)
    console.print(table)
    console.print(f"ready after {seconds:.0f} s. Logs: {stack.logs_folder}")
    console.print(f"\nOpen  [bold green]{services.url('console')}[/bold green]  and sign in.\n")
    console.print(f"For curl and `alpr`:  source {_addresses_file(stack, services)}", markup=False)
    console.print("Ctrl-C stops everything; data stays in var/stack/demo for the next time.\n")


def _addresses_file(stack: Stack, services: Services) -> Path:
    """A file that a shell reads to know where each service is."""
    file = stack.folder / "addresses.sh"
    names = ("identity", "ingest", "matcher", "alerts", "access-log")
    file.write_text(
        "".join(
            f"export ALPR_{name.upper().replace('-', '_')}_URL={services.url(name)}\n"
            for name in names
        )
    )
    return file


async def _feed(source: str, services: Services, credentials: dict[str, str]) -> None:
    """Replay the user's pictures, video or stream through `alpr feed`, with its progress bar."""
    camera: DemoCamera = _OWN_CAMERA
    # As it would pass: what counts as taken before the hot list was imported meets no entry, and
    # pictures of different vehicles that follow each other closely would be taken for one pass.
    pace = ["--realtime"]
    if await asyncio.to_thread(Path(source).is_dir):
        pace += ["--rate", str(_PICTURES_PER_SECOND)]
    command = [
        str(Path(sys.executable).parent / "alpr"), "feed", source, *pace,
        "--url", services.url("ingest"), "--camera", camera.camera_id,
        "--latitude", str(camera.latitude), "--longitude", str(camera.longitude),
    ]  # fmt: skip
    environment = {**os.environ, "ALPR_CAMERA_CREDENTIAL": credentials[camera.camera_id]}
    process = await asyncio.to_thread(subprocess.Popen, command, env=environment)
    try:
        await asyncio.to_thread(process.wait)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    # Hits go on being printed after the last frame.
    await asyncio.Event().wait()
