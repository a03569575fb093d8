"""Fixtures of all tests: servers, service processes and the data that is not shipped.

`stack` is started on the first use of a run and shared. A module that stores anything asks for
`fresh_stack` (empty schemas, empty topics) or `services` (the same, with processes on it).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from alpr_local.folders import repository
from alpr_local.processes import Services
from alpr_local.stack import Stack
from tests.support.servers import any_stack

pytest_plugins = ["tests.support.policy_report"]

# The same examples in every run: what a run finds is a change's fault, not chance's. New ones are
# looked for with `--hypothesis-profile=searching`. How long an example takes says nothing on a
# machine that does other work.
_SLOW = [HealthCheck.too_slow]
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile(
    "searching", deadline=None, max_examples=3000, suppress_health_check=_SLOW
)
settings.load_profile("steady")

_SERVERS = pytest.StashKey[str]()
_SECOND_TRY = tuple(Path(__file__).parent / folder for folder in ("browser", "integration"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs through real servers or a real browser is tried a second time before it counts as
    broken: on a machine that they share with other work they have hiccups of their own. The
    summary names each such test (RERUN), so that none hides. The tests of what may not fail once
    (faults, the whole line) have no second try."""
    for item in items:
        if any(folder in item.path.parents for folder in _SECOND_TRY):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A second try begins as its module did, with processes and tables of its own: what the first
    one left (a username, a list) must not decide it."""
    if getattr(item, "execution_count", 1) > 1:
        # Imported late: the environment of the GPU extra has no second tries.
        from pytest_rerunfailures import suspended_finalizers

        # No public way ends the fixtures of a module early, and rerunfailures keeps them aside.
        fixtures: Any = item.session._setupstate
        fixtures.stack.update(suspended_finalizers)
        suspended_finalizers.clear()
        fixtures.teardown_exact(item.session)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Kafka and PostgreSQL, ready and provisioned; what is in them may be another module's."""
    began = time.monotonic()
    with any_stack() as started:
        request.config.stash[_SERVERS] = (
            f"servers: {started.origin}, Kafka at {started.kafka_bootstrap_servers}, "
            f"PostgreSQL database {started.database}, ready in {time.monotonic() - began:.1f} s"
        )
        yield started


@pytest.fixture(scope="module")
def fresh_stack(stack: Stack) -> Iterator[Stack]:
    """The shared servers as after a first start: empty schemas, empty topics, no committed offset,
    no stored object. Migrations have not run; the services run their own."""
    stack.clear()
    stack.create_topics()
    yield stack
    # A test that failed before it had started again what it killed fails alone.
    for server in (stack.kafka, stack.postgres):
        if not server.is_running():
            server.start()


@pytest.fixture(scope="module")
def services(fresh_stack: Stack) -> Iterator[Services]:
    """Starts service processes by name on a fresh stack; what it started ends with the module."""
    started = Services(fresh_stack)
    try:
        yield started
    finally:
        started.stop_all()


@pytest.fixture(scope="module")
def local_stack(fresh_stack: Stack) -> Stack:
    """A fresh stack whose servers the test may kill; skipped where they are somebody else's."""
    if not fresh_stack.is_local:
        pytest.skip(f"needs servers it may kill; these are {fresh_stack.origin}")
    return fresh_stack


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder ../shared beside the checkout: pictures and figures that are not shipped."""
    folder = repository().parent / "shared"
    if not folder.is_dir():
        reason = "needs ../shared, which is not beside this checkout"
        if os.environ.get("ALPR_REQUIRE_SHARED") == "1":
            pytest.fail(f"{reason}, and ALPR_REQUIRE_SHARED=1 forbids skipping")
        pytest.skip(reason)
    return folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run in several processes, each has servers of its own and says which."""
    if hasattr(session.config, "workeroutput") and _SERVERS in session.config.stash:
        session.config.workeroutput["servers"] = session.config.stash[_SERVERS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if said := getattr(node, "workeroutput", {}).get("servers"):
        before = node.config.stash.get(_SERVERS, "")
        node.config.stash[_SERVERS] = f"{before}\n{said}".strip()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    terminalreporter.write_line(config.stash.get(_SERVERS, "servers: none were needed"))
