"""Service processes start, answer, die and come back, and take their families with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alpr_local.errors import ServerNotReady
from alpr_local.pidfile import PidFile, identity_of
from alpr_local.ports import choose_port
from alpr_local.processes import ServiceProcess, procfile
from alpr_local.stack import Stack
from alpr_local.wiring import PROCESSES, choose_ports, process_environment
from tests.support import small_service
from tests.support.waiting import wait_until


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceProcess]:
    port = choose_port()
    process = ServiceProcess(
        "small",
        [sys.executable, str(small_service.__file__), str(port), str(tmp_path / "child")],
        {},
        port,
        PidFile(tmp_path / "small.pid"),
        tmp_path / "small.log",
    )
    yield process
    process.kill()


def test_a_started_process_is_ready_and_a_killed_one_comes_back_at_its_address(
    service: ServiceProcess,
) -> None:
    service.start()
    address, first = service.url, service.pid
    assert service.is_ready()
    service.kill()
    assert not service.is_running()
    assert not service.is_ready()
    service.start()
    assert service.is_ready()
    assert service.url == address
    assert service.pid != first


def test_a_restart_gives_another_process(service: ServiceProcess) -> None:
    first = service.start().pid
    assert service.restart().pid != first


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_the_children_of_a_process_end_with_it(
    service: ServiceProcess, tmp_path: Path, end: str
) -> None:
    service.start()
    child = int((tmp_path / "child").read_text())
    assert identity_of(child) is not None
    getattr(service, end)()
    wait_until(lambda: identity_of(child) is None, what="the child is gone")


def test_a_process_that_ends_at_once_fails_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = ServiceProcess(
        "broken",
        [sys.executable, "-c", "raise SystemExit('no such camera')"],
        {},
        choose_port(),
        PidFile(tmp_path / "broken.pid"),
        tmp_path / "broken.log",
    )
    with pytest.raises(ServerNotReady, match="no such camera"):
        broken.start()


def test_the_procfile_and_the_table_of_processes_name_the_same() -> None:
    assert tuple(procfile()) == PROCESSES


@pytest.mark.integration
@pytest.mark.policy("131.7-3a")
def test_a_process_is_given_no_other_services_database(stack: Stack) -> None:
    ports = choose_ports()
    for process in PROCESSES:
        told = process_environment(process, stack, ports)
        schema = process.upper().replace("-", "_")
        databases = {name for name in told if name.endswith("DATABASE_URL")}
        assert databases <= {
            f"ALPR_{schema}_DATABASE_URL",
            f"ALPR_{schema}_MIGRATION_DATABASE_URL",
        }
        assert ("ALPR_IDENTITY_TOKEN_PRIVATE_KEY_FILE" in told) == (process == "identity")
