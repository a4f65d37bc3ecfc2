"""The process of a service: how it starts, what its commands print, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from testbed.databases import Databases
from testbed.servers import Servers

MAIN = '''
"""A service that holds a request for as long as it is asked to."""
import asyncio
from fastapi import APIRouter
from runtime.api import Body, StrictRoute
from runtime.service import Service

router = APIRouter(route_class=StrictRoute)

class Pause(Body):
    seconds: int

held = []

@router.post("/pauses")
async def pause(body: Pause) -> str:
    held.append(body)
    await asyncio.sleep(body.seconds)
    return "over"

@router.get("/pauses")
async def count() -> int:
    return len(held)

Service("sample_process", title="Sample", router=router).main()
'''
REVISION = '''
"""A table."""
from alembic import op
revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute("CREATE TABLE pause (seconds int)")
'''
START_S = 30
MEMORY_MIB_MAX = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    versions = folder / "sample_process" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "sample_process" / "__init__.py").touch()
    (folder / "sample_process" / "__main__.py").write_text(MAIN)
    (versions / "0001_pause.py").write_text(REVISION)
    return folder


@pytest.fixture(scope="module")
def environment(stack: Servers, databases: Databases, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "YIPAN_DATABASE_URL": databases.create_empty("process"),
        "YIPAN_KAFKA_BOOTSTRAP": stack.bootstrap,
    }


def command(name: str, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    arguments = [sys.executable, "-m", "sample_process", name]
    return subprocess.run(arguments, env=environment, capture_output=True, check=False, timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(environment: dict[str, str]) -> Generator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the service until it is ready; give the process and its address."""
    port = free_port()
    arguments = [sys.executable, "-m", "sample_process"]
    process = subprocess.Popen(
        arguments,
        env={**environment, "YIPAN_HTTP_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    end_s = time.monotonic() + START_S
    try:
        while not is_ready(url):
            assert process.poll() is None, process.communicate()[0].decode()
            assert time.monotonic() < end_s, "not ready in time"
            time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url + "/health/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def memory_mib(pid: int) -> int:
    [line] = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    ]
    return int(line.split()[1]) // 1024


def test_a_service_migrates_serves_and_ends_with_0_on_sigterm(environment: dict[str, str]) -> None:
    with running(environment) as (process, url):
        assert httpx.get(url + "/openapi.json").json()["info"]["title"] == "Sample"
        assert memory_mib(process.pid) <= MEMORY_MIB_MAX
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
        assert process.returncode == 0, output.decode()
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines[0]["event"] == "migrated"
    assert [line["event"] for line in lines if line["level"] == "error"] == []
    assert lines[-1]["event"] == "stopped"
    assert {line["service"] for line in lines} == {"sample_process"}
    assert environment["YIPAN_DATABASE_URL"].encode() not in output


def test_a_request_in_hand_is_finished_before_the_end(environment: dict[str, str]) -> None:
    with running(environment) as (process, url), ThreadPoolExecutor() as senders:
        sent = senders.submit(httpx.post, url + "/pauses", json={"seconds": 2}, timeout=20)
        while httpx.get(url + "/pauses").json() == 0:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert sent.result().json() == "over"
        assert process.wait(timeout=10) == 0


def test_a_port_that_is_taken_is_told_by_number(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ended = command("run", {**environment, "YIPAN_HTTP_PORT": port})
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in json.loads(ended.stdout.splitlines()[-1])["reason"]


def test_a_database_that_does_not_answer_ends_the_start(environment: dict[str, str]) -> None:
    away = {
        **environment,
        "YIPAN_HTTP_PORT": "0",
        "YIPAN_START_TIMEOUT_S": "1",
        "YIPAN_DATABASE_URL": "postgresql://user:hidden@127.0.0.1:1/x",
    }
    ended = command("run", away)
    assert ended.returncode == 1
    assert b"does not answer" in ended.stdout
    assert b"hidden" not in ended.stdout + ended.stderr


def test_a_start_that_waits_can_be_stopped(environment: dict[str, str]) -> None:
    port = free_port()
    away = {
        **environment,
        "YIPAN_HTTP_PORT": str(port),
        "YIPAN_DATABASE_URL": "postgresql://user@127.0.0.1:1/x",
    }
    process = subprocess.Popen([sys.executable, "-m", "sample_process"], env=away)
    while not is_listening(port):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_a_missing_or_wrong_setting_is_named_and_not_shown(environment: dict[str, str]) -> None:
    bare = {name: value for name, value in environment.items() if "DATABASE" not in name}
    ended = command("run", {**bare, "YIPAN_LOG_LEVEL": "hidden", "YIPAN_STOP_TIMEOUT_S": "hidden"})
    assert ended.returncode == 78
    for name in (b"YIPAN_DATABASE_URL", b"YIPAN_LOG_LEVEL", b"YIPAN_STOP_TIMEOUT_S"):
        assert name in ended.stderr
    assert b"hidden" not in ended.stdout + ended.stderr


def test_a_database_of_an_older_version_is_refused_where_migrating_is_not_allowed(
    environment: dict[str, str], databases: Databases
) -> None:
    empty = {
        **environment,
        "YIPAN_HTTP_PORT": "0",
        "YIPAN_MIGRATE": "false",
        "YIPAN_DATABASE_URL": databases.create_empty("older"),
    }
    ended = command("run", empty)
    assert ended.returncode == 1
    assert b"run `sample_process migrate`" in ended.stdout


def test_commands_print_their_answer(environment: dict[str, str], databases: Databases) -> None:
    fresh = {**environment, "YIPAN_DATABASE_URL": databases.create_empty("commands")}
    assert command("migrate", fresh).stdout == b"sample_process: 0001\n"
    assert command("migrate", fresh).stdout == b"sample_process: nothing to apply\n"
    assert "/pauses" in json.loads(command("openapi", fresh).stdout)["paths"]
    assert json.loads(command("asyncapi", fresh).stdout)["asyncapi"].startswith("3.")
    wrong = command("dance", fresh)
    assert wrong.returncode == 2
    assert b"invalid choice" in wrong.stderr
