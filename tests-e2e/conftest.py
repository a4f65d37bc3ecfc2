"""One whole installation for all tests: servers, six services, and the tool that runs them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from testbed.servers import open_servers
from yipan import supervisor
from yipan.home import Home

T = TypeVar("T")
WAIT_S = 30.0
POLL_S = 0.2


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    """A home in which everything runs and is ready; gone at the end of the session."""
    place = Home(tmp_path_factory.mktemp("home"))
    with ExitStack() as exits:
        environment = exits.enter_context(pytest.MonkeyPatch.context())
        if os.environ.get("YIPAN_STACK", "embedded") != "embedded":
            servers = exits.enter_context(open_servers())
            environment.setenv("YIPAN_STACK", "urls")
            environment.setenv("YIPAN_KAFKA_BOOTSTRAP", servers.bootstrap)
            environment.setenv("YIPAN_POSTGRES_URL", servers.admin_url)
        process = supervisor.launch(place, death_signal=signal.SIGTERM)
        exits.callback(process.stop, signal.SIGTERM, 60)
        supervisor.wait_ready(place, process)
        yield place


@pytest.fixture(scope="session")
def yipan(home: Home) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command-line tool on that home, as a user calls it."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "yipan", *words, "--home", str(home.folder)]
        environment = os.environ | {"COLUMNS": "200"}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def folder() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], T], Callable[[T], bool]], T]:
    """Ask again until an answer is good, or half a minute has passed; returns the last answer."""

    def wait(ask: Callable[[], T], is_good: Callable[[T], bool]) -> T:
        end_s = time.monotonic() + WAIT_S
        answer = ask()
        while not is_good(answer) and time.monotonic() < end_s:
            time.sleep(POLL_S)
            answer = ask()
        return answer

    return wait
