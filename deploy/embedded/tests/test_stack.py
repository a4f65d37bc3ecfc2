"""A stack is real, isolated, and survives what happens to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from embedded import AlreadyRunning, KafkaOptions, PortTaken, Stack, StackError, erase, stack, start

QUICK = KafkaOptions(heap_mb=192, quick_start=True)
GONE_WITHIN_S = 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start(tmp_path_factory.mktemp("stack"), kafka=QUICK) as running:
        yield running


async def send(bootstrap: str, topic: str, *values: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def received(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return [(await consumer.getone()).value or b"" for _ in range(count)]


async def test_kafka_keeps_what_it_acknowledged_when_it_is_killed(running: Stack) -> None:
    await send(running.bootstrap, "kept", b"one", b"two")
    running.kafka.kill()
    assert not running.kafka.is_running
    running.kafka.start()
    assert await received(running.bootstrap, "kept", 2) == [b"one", b"two"]


async def test_kafka_takes_every_codec_the_clients_may_choose(running: Stack) -> None:
    for codec in ("gzip", "lz4", "snappy", "zstd"):
        producer = AIOKafkaProducer(bootstrap_servers=running.bootstrap, compression_type=codec)
        await send(running.bootstrap, codec)
        async with producer:
            await producer.send_and_wait(codec, b"value" * 100)
        assert await received(running.bootstrap, codec, 1) == [b"value" * 100]


def test_postgres_keeps_what_it_committed_when_it_is_killed(running: Stack) -> None:
    url = running.create_database("kept")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE facts AS SELECT 42 AS answer")
    running.postgres.kill()
    running.postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM facts").fetchone() == (42,)


def test_postgres_starts_again_after_a_kill_from_outside(running: Stack) -> None:
    pid = running.postgres.pid
    assert pid
    with psycopg.connect(running.postgres.admin_url) as connection:
        os.kill(pid, signal.SIGKILL)
        while running.postgres.is_running:
            time.sleep(0.01)
        running.postgres.start()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_a_service_is_master_in_its_database_and_nowhere_else(running: Stack) -> None:
    own, other = running.create_database("own"), running.create_database("other")
    assert running.create_database("own") == own
    with psycopg.connect(own) as connection:
        connection.execute("CREATE SCHEMA mine")
        superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(superuser).fetchone() == (False,)
    foreign = own.rsplit("/", 1)[0] + "/" + other.rsplit("/", 1)[1]
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(foreign)


def test_a_database_name_that_is_no_identifier_is_refused(running: Stack) -> None:
    with pytest.raises(StackError, match="lower-case identifier"):
        running.create_database('x"; DROP DATABASE postgres; --')


def test_secrets_are_readable_by_their_owner_alone(running: Stack) -> None:
    assert (running.root / "identity.json").stat().st_mode & 0o077 == 0
    assert running.postgres.password not in repr(running)


def test_two_processes_cannot_run_the_same_folder(running: Stack) -> None:
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        start(running.root, kafka=QUICK)
    with pytest.raises(AlreadyRunning):
        erase(running.root)


async def test_stacks_side_by_side_share_nothing(running: Stack, tmp_path: Path) -> None:
    with start(tmp_path, kafka=QUICK) as beside:
        await send(beside.bootstrap, "beside", b"here")
        assert beside.bootstrap != running.bootstrap
        admin = AIOKafkaAdminClient(bootstrap_servers=running.bootstrap)
        await admin.start()
        assert "beside" not in await admin.list_topics()
        await admin.close()
        beside.create_database("beside")
        assert running.postgres.execute("SELECT 1 FROM pg_roles WHERE rolname = 'beside'") == ""


def test_a_folder_keeps_its_addresses_and_names_the_port_that_is_taken(tmp_path: Path) -> None:
    with start(tmp_path, kafka=QUICK) as first:
        addresses = (first.bootstrap, first.create_database("quota"))
    with start(tmp_path, kafka=QUICK) as second:
        assert (second.bootstrap, second.create_database("quota")) == addresses
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", second.kafka.port))
        squatter.listen()
        with pytest.raises(PortTaken, match=f"port {second.kafka.port} .* another program"):
            start(tmp_path, kafka=QUICK)
    erase(tmp_path)
    assert not (tmp_path / "kafka").exists()


def test_too_little_memory_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "POSTGRES_MB", 10_000_000)
    with pytest.raises(StackError, match=r"need about \d+ MB of memory; \d+ MB are free"):
        start(tmp_path, kafka=QUICK)
    assert not list(tmp_path.iterdir())


def test_nothing_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "embedded", str(tmp_path), "kept"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    with parent.stdout:
        lines = [parent.stdout.readline() for _ in range(3)]
    url = lines[2].strip().partition("=")[2]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE facts AS SELECT 42 AS answer")
    servers = processes_naming(str(tmp_path)) - {parent.pid}
    assert len(servers) >= 2
    parent.kill()
    parent.wait()
    # At once: the new owner waits for the servers of the old one.
    with start(tmp_path, kafka=QUICK) as again:
        assert not servers & processes_naming(str(tmp_path))
        assert again.create_database("kept") == url
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM facts").fetchone() == (42,)


def test_a_terminated_parent_stops_its_servers_in_order(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "embedded", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    with parent.stdout:
        parent.stdout.readline()
    parent.terminate()
    assert parent.wait(GONE_WITHIN_S) == 0
    assert not processes_naming(str(tmp_path))
    assert "database system is shut down" in (tmp_path / "postgres" / "log").read_text()


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    refused = KafkaOptions(quick_start=True, properties={"num.io.threads": "none"})
    with pytest.raises(StackError, match=r"ended with code 1\n--- end of (.|\n)*num\.io\.threads"):
        start(tmp_path, kafka=refused)
    assert not processes_naming(str(tmp_path))


def test_an_identity_file_edited_by_hand_moves_the_ports(tmp_path: Path) -> None:
    with start(tmp_path, kafka=QUICK) as first:
        port = first.postgres.port
    path = tmp_path / "identity.json"
    identity = json.loads(path.read_text())
    path.write_text(json.dumps(identity | {"postgres_port": port + 1}))
    with start(tmp_path, kafka=QUICK) as second:
        assert second.postgres.execute("SHOW port") == str(port + 1)


def processes_naming(text: str) -> set[int]:
    """Return the live processes whose command line holds the text."""
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "cmdline").read_bytes():
                found.add(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
