"""Kafka and PostgreSQL in containers, by testcontainers."""

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Self

import pytest
from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from testbed.servers import Servers

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18"
CLIENT_PORT = 19092
START_TIMEOUT_S = 90
ENGINE_TIMEOUT_S = 20

# testcontainers' own Kafka is for another image, whose start script differs.
SETTINGS = {
    "NODE_ID": "1",
    "PROCESS_ROLES": "broker,controller",
    "LISTENERS": f"INTERNAL://:9092,CLIENT://:{CLIENT_PORT},CONTROLLER://:9093",
    "LISTENER_SECURITY_PROTOCOL_MAP": ("CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT"),
    "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "INTER_BROKER_LISTENER_NAME": "INTERNAL",
    "AUTO_CREATE_TOPICS_ENABLE": "false",
    "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
    "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "HEAP_OPTS": "-Xms256m -Xmx512m",
}


@contextmanager
def open_containers() -> Generator[Servers]:
    """Start both; skips the tests that need them where no container engine answers."""
    _require_engine()
    try:
        with _started() as servers:
            yield servers
    except DockerException as error:
        pytest.exit(f"no containers for the tests: {error}", returncode=1)


@contextmanager
def _started() -> Generator[Servers]:
    postgres = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command(
        "postgres -c fsync=off -c full_page_writes=off -c max_connections=200"
    )
    with Broker() as broker, postgres:
        yield Servers(broker.bootstrap, postgres.get_connection_url())


class Broker(DockerContainer):
    """One Kafka node, told its address for clients once the host's port is known."""

    def __init__(self) -> None:
        # The broker calls itself by its internal address, so its host name must resolve there.
        super().__init__(KAFKA_IMAGE, hostname="kafka")
        wait = "until [ -e ~/advertised ]; do sleep 0.05; done; . ~/advertised; "
        self.with_exposed_ports(CLIENT_PORT)
        self.with_command(["bash", "-c", wait + "exec /etc/kafka/docker/run"])
        for name, value in SETTINGS.items():
            self.with_env(f"KAFKA_{name}", value)

    @property
    def bootstrap(self) -> str:
        """The broker's address for clients on this host."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(CLIENT_PORT)}"

    def start(self) -> Self:
        """Start the container and return when the broker serves."""
        super().start()
        advertised = f"INTERNAL://kafka:9092,CLIENT://{self.bootstrap}"
        script = f"echo export KAFKA_ADVERTISED_LISTENERS={advertised} >~/a && mv ~/a ~/advertised"
        result = self.exec(["bash", "-c", script])
        assert result.exit_code == 0, result.output
        served = LogMessageWaitStrategy("Kafka Server started")
        served.with_startup_timeout(START_TIMEOUT_S).wait_until_ready(self)
        return self


def _require_engine() -> None:
    # By the command, because the library leaves a socket open when nobody answers.
    command = shutil.which("docker")
    if command is None:
        pytest.skip("no container engine: there is no command `docker`")
    asked = subprocess.run(
        [command, "version"], capture_output=True, text=True, check=False, timeout=ENGINE_TIMEOUT_S
    )
    if asked.returncode:
        pytest.skip(f"no container engine answers: {asked.stderr.strip()}")
