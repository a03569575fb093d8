"""Where a test run's Kafka and PostgreSQL come from: given, containers, or local processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from alpr_local.kafka import wait_for_kafka
from alpr_local.ports import choose_port
from alpr_local.stack import Stack, temporary_name, temporary_stack

KAFKA_VARIABLE = "ALPR_TEST_KAFKA_BOOTSTRAP_SERVERS"
POSTGRES_VARIABLE = "ALPR_TEST_POSTGRES_ADMIN_DSN"
KAFKA_IMAGE = "apache/kafka:4.4.0"
POSTGRES_IMAGE = "postgres:18"


@contextmanager
def any_stack() -> Iterator[Stack]:
    """Servers named by the environment, else containers if an engine answers, else processes.

    Whatever it is, nothing of it is left behind: given servers lose what the tests made there.
    """
    if given := given_servers():
        with _used(*given, origin="given by the environment") as stack:
            yield stack
    elif engine_answers():
        with ExitStack() as containers:
            kafka, postgres = _containers(containers)
            with _used(kafka, postgres, origin="testcontainers") as stack:
                yield stack
    else:
        with temporary_stack() as stack:
            yield stack


def given_servers() -> tuple[str, str] | None:
    """Kafka's bootstrap servers and PostgreSQL's superuser DSN, when the environment names them."""
    kafka, postgres = os.environ.get(KAFKA_VARIABLE), os.environ.get(POSTGRES_VARIABLE)
    if bool(kafka) != bool(postgres):
        raise RuntimeError(f"{KAFKA_VARIABLE} and {POSTGRES_VARIABLE}: set both or neither")
    return (kafka, postgres) if kafka and postgres else None


def engine_answers() -> bool:
    """Whether a container engine really runs: its command line being there proves nothing."""
    import docker

    try:
        client = docker.from_env(timeout=2)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except docker.errors.DockerException:
        return False


def _containers(cleanup: ExitStack) -> tuple[str, str]:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.core.container import DockerContainer

    # The image that deploy/compose runs, rather than testcontainers' own Kafka class, which is
    # made for another distribution. A broker tells its clients where it is, so the port is known
    # before it starts.
    port = choose_port()
    kafka = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    host = str(kafka.get_container_host_ip())
    for name, value in kafka_settings(port, host).items():
        kafka.with_env(name, value)
    cleanup.enter_context(kafka)
    postgres = PostgresContainer(POSTGRES_IMAGE, username="postgres", driver=None)
    cleanup.enter_context(postgres)
    servers = f"{host}:{port}"
    wait_for_kafka(servers, deadline_seconds=60)
    return servers, str(postgres.get_connection_url())


def kafka_settings(port: int, host: str) -> dict[str, str]:
    """One KRaft node for the official image, reached from outside at `host:port`."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_MESSAGE_MAX_BYTES": "5242880",
    }


@contextmanager
def _used(kafka: str, postgres: str, origin: str) -> Iterator[Stack]:
    stack = Stack.given(temporary_name(), kafka, postgres, origin)
    try:
        yield stack.start()
    finally:
        stack.remove()
