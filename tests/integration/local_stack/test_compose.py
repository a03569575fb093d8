"""The containers' description says the same as the local stack.

No container engine is needed: the file is read, the scripts it runs are run here.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from alpr_local.folders import local_folder, repository
from alpr_local.postgres_binaries import install as postgres_programs
from alpr_local.processes import procfile
from alpr_local.provisioning import services_with_a_schema
from alpr_local.stack import Stack
from alpr_local.wiring import choose_ports, environment
from tests.support.servers import KAFKA_IMAGE, POSTGRES_IMAGE

COMPOSE = repository() / "deploy" / "compose"
SERVICES_FILE = local_folder() / "postgres" / "services.txt"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    loaded = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def _make_secrets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_secrets", COMPOSE / "make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_process_of_the_procfile_runs_with_the_same_arguments(
    description: dict[str, Any],
) -> None:
    for name, command in procfile().items():
        container = description["services"][name]
        module, *arguments = command.removeprefix("python -m ").split()
        assert module == f"alpr_{container['build']['args']['SERVICE'].replace('-', '_')}"
        assert container.get("command", []) == arguments


def test_volumes_networks_and_dependencies_that_are_used_are_declared(
    description: dict[str, Any],
) -> None:
    for container in description["services"].values():
        sources = {volume.partition(":")[0] for volume in container.get("volumes", [])}
        named = {source for source in sources if not source.startswith(".")}
        assert named <= set(description["volumes"])
        assert set(container.get("networks", [])) <= set(description["networks"])
        assert set(container.get("depends_on", {})) <= set(description["services"])
        for source in sources - named:
            assert (COMPOSE / source).exists()


@pytest.mark.integration
def test_the_containers_are_told_what_the_local_processes_are_told(
    description: dict[str, Any], stack: Stack
) -> None:
    by_file_or_image = re.compile(
        r"_DATABASE_URL$|_COOKIE_KEY_FILE$|_PRIVATE_KEY_FILE$|_(LOG|EVIDENCE|SECOND_FACTOR)_KEY_FILE$|^ALPR_MODELS_FOLDER$"
    )
    told: set[str] = set()
    for name in procfile():
        told |= set(description["services"][name]["environment"])
    wanted = {n for n in environment(stack, choose_ports()) if not by_file_or_image.search(n)}
    assert wanted <= told


def test_containers_and_local_servers_are_of_the_same_versions(description: dict[str, Any]) -> None:
    pom = (local_folder() / "kafka" / "pom.xml").read_text()
    kafka = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", pom)
    assert kafka is not None
    images = {name: each.get("image") for name, each in description["services"].items()}
    assert images["kafka"] == f"apache/kafka:{kafka[1]}" == KAFKA_IMAGE
    assert images["postgres"] == images["provisioning"] == POSTGRES_IMAGE


@pytest.mark.policy("131.7-3a")
def test_each_container_sees_its_own_secrets_alone(description: dict[str, Any]) -> None:
    for name in procfile():
        mounted = [v for v in description["services"][name]["volumes"] if v.startswith("secrets-")]
        assert mounted == [f"secrets-{name}:/run/alpr:ro"]


@pytest.mark.policy("131.7-3a")
def test_secrets_are_made_once_and_each_service_is_given_its_own(tmp_path: Path) -> None:
    make_secrets = _make_secrets()
    make_secrets.main(tmp_path, SERVICES_FILE)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    make_secrets.main(tmp_path, SERVICES_FILE)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

    assert {path.name for path in tmp_path.iterdir()} == {"postgres", *procfile()}
    for service in services_with_a_schema():
        told = (tmp_path / service.replace("_", "-") / "environment").read_text()
        assert set(re.findall(r"//(\w+):", told)) == {f"alpr_{service}", f"alpr_{service}_owner"}
    assert len(list(tmp_path.rglob("token-private-key.pem"))) == 1
    assert all(path.stat().st_mode & 0o377 == 0 for path in before)


@pytest.mark.policy("131.7-3a")
def test_keys_that_were_changed_since_are_left_as_they_are(tmp_path: Path) -> None:
    make_secrets = _make_secrets()
    make_secrets.main(tmp_path, SERVICES_FILE)
    public_keys = list(tmp_path.rglob("token-public-key.pem"))
    for path in public_keys:
        path.chmod(0o600)
        path.write_text("the next key, and the one before it")
    (tmp_path / "recognizer" / "token-public-key.pem").unlink()
    make_secrets.main(tmp_path, SERVICES_FILE)
    assert {path.read_text() for path in public_keys} == {"the next key, and the one before it"}


def test_services_believe_the_consoles_word_for_whom_it_asks_and_nobody_elses(
    description: dict[str, Any],
) -> None:
    console = description["services"]["console"]["networks"]["services"]["ipv4_address"]
    for name in procfile():
        assert description["services"][name]["environment"]["FORWARDED_ALLOW_IPS"] == console
    (network,) = description["networks"]["services"]["ipam"]["config"]
    assert ip_address(console) in ip_network(network["subnet"])


@pytest.mark.integration
def test_the_containers_provisioning_brings_up_roles_that_can_sign_in(
    local_stack: Stack, tmp_path: Path
) -> None:
    _make_secrets().main(tmp_path, SERVICES_FILE)
    programs = postgres_programs() / "bin"
    superuser = tmp_path / "postgres" / "superuser.password"
    superuser.unlink()
    admin = local_stack.postgres_admin_dsn
    superuser.write_text(admin.split(":")[2].partition("@")[0])
    port = admin.rpartition(":")[2].partition("/")[0]
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": port,
        "ALPR_SECRETS_FOLDER": str(tmp_path / "postgres"),
        "ALPR_SQL_FOLDER": str(local_folder() / "postgres"),
    }
    try:
        subprocess.run(["sh", str(COMPOSE / "provision.sh")], env=environment, check=True)
        for service in services_with_a_schema():
            told = (tmp_path / service.replace("_", "-") / "environment").read_text()
            for url in re.findall(r"'(postgresql://[^']+)'", told):
                here = url.replace("postgres:5432", f"127.0.0.1:{port}")
                shown = subprocess.check_output(
                    [programs / "psql", "-XAt", here, "-c", "SELECT current_schema()"], text=True
                )
                assert shown.strip() == service
    finally:
        # The roles get this stack's own passwords back.
        local_stack.start()


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
@pytest.mark.parametrize("script", ["deploy/compose/provision.sh", "deploy/docker/entrypoint.sh"])
def test_the_shell_scripts_parse_and_are_executable(script: str) -> None:
    path = repository() / script
    subprocess.run(["sh", "-n", str(path)], check=True)
    assert os.access(path, os.X_OK)
