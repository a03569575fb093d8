"""`python -m alpr_local install | up | down | status`: servers and services on this machine."""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
from collections.abc import Callable

from alpr_local import browser, console_assets, foreground
from alpr_local.errors import LocalStackError
from alpr_local.install import install
from alpr_local.pidfile import PidFile
from alpr_local.stack import Stack, remove_abandoned
from alpr_local.wiring import environment, remembered_ports

DEFAULT_STACK = "demo"


def _say(line: str) -> None:
    """Progress goes to standard error: standard output is for what a shell evaluates."""
    print(line, file=sys.stderr, flush=True)


def _install(_: argparse.Namespace) -> int:
    install(_say)
    console_assets.install(_say)
    browser.install(_say)
    return 0


def _up(arguments: argparse.Namespace) -> int:
    stack = Stack.local(arguments.name, _say)
    stack.start(owned=not arguments.detach)
    stack.create_topics()
    ports = remembered_ports(stack.folder)
    _say(f"Kafka at {stack.kafka_bootstrap_servers}; logs in {stack.logs_folder}")
    for name, value in environment(stack, ports).items():
        print(f"export {name}={shlex.quote(value)}", flush=True)
    if arguments.detach:
        return 0
    try:
        if arguments.services:
            return foreground.run(
                stack,
                ports,
                on_ready=lambda: _say("all services are ready"),
                on_line=lambda name, line: _say(f"{name:>14} | {line}"),
            )
        _say("running; Ctrl-C stops it")
        foreground.wait_for_interrupt()
        return 0
    finally:
        stack.stop()


def _down(arguments: argparse.Namespace) -> int:
    stack = Stack.local(arguments.name, _say)
    if arguments.remove:
        stack.remove()
    else:
        stack.stop()
    for name in remove_abandoned(_say):
        _say(f"also removed what a killed test run left: {name}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    """Exit code 0 when both servers run, 3 (as LSB says for "not running") otherwise."""
    stack = Stack.local(arguments.name, _say)
    for path in sorted((stack.folder / "run").glob("*.pid")):
        process = PidFile(path).running()
        print(f"{path.stem:16} {f'pid {process.pid}' if process else 'not running'}")
    up = stack.kafka.is_running() and stack.postgres.is_running()
    print(f"{stack.name}: {'up' if up else 'down'}, Kafka at {stack.kafka_bootstrap_servers}")
    return 0 if up else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alpr_local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("install", _install, "fetch what is missing: Kafka, Java, PostgreSQL, Chromium")
    up = add("up", _up, "start Kafka and PostgreSQL; print the environment of the services")
    up.add_argument("--detach", action="store_true", help="return when ready and leave it running")
    up.add_argument("--services", action="store_true", help="run the Procfile's processes as well")
    down = add("down", _down, "stop them, and their services")
    down.add_argument("--remove", action="store_true", help="delete data, logs and secrets as well")
    status = add("status", _status, "what runs")
    for command in (up, down, status):
        command.add_argument("--name", default=DEFAULT_STACK, help="which stack (default: demo)")
    return parser


def main() -> int:
    # The demo has a command line of its own, and imports what a mere install has no use for.
    if sys.argv[1:2] == ["demo"]:
        demo = importlib.import_module("alpr_local.demo.__main__")
        return int(demo.main(sys.argv[2:]) or 0)
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except LocalStackError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
