"""Operating system processes that die with the one that started them."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from embedded.errors import StackError

LAUNCH = Path(__file__).with_name("launch.py")
LOG_TAIL_BYTES = 2000
POLL_S = 0.02
# What a server may see of our environment: variables such as PGPORT or JAVA_TOOL_OPTIONS would
# change it behind our back.
ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "YIPAN_CACHE")

# Linux ends a child when the *thread* that started it ends, so one thread that lives as long as
# this process starts them all, whichever thread asks.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-starter")


@dataclass(slots=True)
class ServerProcess:
    """One server process with its log file.

    `death_signal` is what the operating system sends it when this process dies, however it dies;
    with None it lives on.
    `kept_descriptor` stays open in the server: a lock held by it is held until the server is gone.
    `variables` are added to what the server sees of our environment.
    """

    name: str
    log: Path
    death_signal: signal.Signals | None
    as_nobody: bool = False
    kept_descriptor: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    _popen: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._popen.pid if self._popen and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def start(self, command: Sequence[str]) -> None:
        """Start the command; returns at once.

        Raises:
            StackError: it runs already.
        """
        if self.is_running:
            raise StackError(f"{self.name} runs already (process {self.pid})")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        launch = launch_command(self.death_signal, as_nobody=self.as_nobody)
        kept = () if self.kept_descriptor is None else (self.kept_descriptor,)
        with self.log.open("ab") as log:
            self._popen = _starter.submit(
                subprocess.Popen[bytes],
                [*launch, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment() | dict(self.variables),
                pass_fds=kept,
            ).result()

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Block until the server answers.

        Raises:
            StackError: it ended or did not answer in time; the message carries its log's tail.
        """
        end_s = time.monotonic() + timeout_s
        while not is_ready():
            if not self.is_running:
                code = self._popen.returncode if self._popen else None
                raise StackError(f"{self.name} ended with code {code}\n{self._log_tail()}")
            if time.monotonic() > end_s:
                raise StackError(
                    f"{self.name} does not answer after {timeout_s:g} s\n{self._log_tail()}"
                )
            time.sleep(POLL_S)

    def wait(self, timeout_s: float) -> int:
        """Return the exit code of a process that ends by itself.

        Raises:
            StackError: it was not started, or runs for longer than that.
        """
        if self._popen is None:
            raise StackError(f"{self.name} was not started")
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise StackError(f"{self.name} runs for longer than {timeout_s:g} s") from None

    def stop(self, stop_signal: signal.Signals, timeout_s: float) -> None:
        """Ask the server to end, and end it when it has not in time; returns when it is gone."""
        if self._popen is None or not self.is_running:
            return
        self._popen.send_signal(stop_signal)
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server and its children without warning (SIGKILL); returns when they are gone."""
        if self._popen is None or not self.is_running:
            return
        children = _children(self._popen.pid)
        self._popen.kill()
        self._popen.wait()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(map(_is_alive, children)):
            time.sleep(POLL_S)

    def _log_tail(self) -> str:
        text = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return f"--- end of {self.log}\n{text}"


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in listed.split()]


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie whose new parent does not collect it, as in some containers, is dead all the same.
    return status.rpartition(")")[2].split()[0] != "Z"


def run_to_end(command: Sequence[str], *, as_nobody: bool) -> None:
    """Run a command that ends by itself.

    Raises:
        StackError: it ended with another code than 0; the message carries what it printed.
    """
    launch = launch_command(signal.SIGKILL, as_nobody=as_nobody)
    done = _starter.submit(
        subprocess.run,
        [*launch, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    ).result()
    if done.returncode:
        raise StackError(f"{Path(command[0]).name} failed\n{done.stderr[-LOG_TAIL_BYTES:]}")


def launch_command(death_signal: signal.Signals | None, *, as_nobody: bool) -> list[str]:
    """Return the words to put before a command so that it dies with this process."""
    as_root = os.geteuid() == 0
    return [
        *(sys.executable, "-I", "-S", str(LAUNCH)),
        *(str(os.getpid()), str(int(death_signal or 0)), str(int(as_nobody and as_root))),
    ]


def environment() -> dict[str, str]:
    """Return the environment of a server."""
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def require_linux() -> None:
    """Refuse systems that cannot tie a child's life to its parent's.

    Raises:
        StackError: this is not Linux.
    """
    if not sys.platform.startswith("linux"):
        raise StackError(
            f"The embedded Kafka and PostgreSQL run on Linux (x86_64, aarch64); this is "
            f"{platform.system()} on {platform.machine()}. Run them in containers or elsewhere and "
            "name them: YIPAN_KAFKA_BOOTSTRAP and YIPAN_POSTGRES_URL."
        )
