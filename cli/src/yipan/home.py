"""Where an installation on this machine keeps its data, its logs, and what runs in it."""

import os
from pathlib import Path

import msgspec

SERVICES = ("directory", "ingest", "quota", "routing", "inventory", "settlement")
"""The services of the suite; each has the module, the database and the consumer group so named."""


class NotRunningError(RuntimeError):
    """Nothing runs in this home."""


class RunningService(msgspec.Struct, frozen=True, kw_only=True):
    """One service process as its supervisor started it."""

    pid: int
    url: str
    database_url: str
    restarts: int = 0


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor of a home keeps alive. `ready` is false until every service answered.

    `services` has the first replica of each service, `replicas` the others by label (`quota-2`).
    Kafka and PostgreSQL are among the servers where they belong to the home.
    """

    supervisor_pid: int
    server_pids: dict[str, int]
    server_restarts: dict[str, int]
    bootstrap: str
    postgres_url: str
    services: dict[str, RunningService]
    replicas: dict[str, RunningService] = {}
    ready: bool = False

    def pids(self) -> dict[str, int]:
        """Return the process id of everything that runs but the supervisor, by name.

        What has just ended has the id 0 on record, which to the operating system is the caller's
        own process group.
        """
        processes = self.services | self.replicas
        pids = self.server_pids | {label: process.pid for label, process in processes.items()}
        return {label: pid for label, pid in pids.items() if pid > 0}


class Home:
    """A folder with everything of one installation; several may run side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def stack(self) -> Path:
        """The folder of Kafka's and PostgreSQL's data."""
        return self.folder / "stack"

    @property
    def logs(self) -> Path:
        """The folder of the services' and the supervisor's logs."""
        return self.folder / "logs"

    @property
    def secrets(self) -> Path:
        """The shops' webhook secrets, which an operator puts here; see ingest's README."""
        return self.folder / "webhook-secrets.json"

    @property
    def running_file(self) -> Path:
        """The file that says what runs; it holds the databases' passwords."""
        return self.folder / "running.json"

    def running(self) -> Running:
        """Return what runs; NotRunningError when the supervisor is gone or was never started."""
        try:
            running = msgspec.json.decode(self.running_file.read_bytes(), type=Running)
        except FileNotFoundError:
            raise NotRunningError(
                f"nothing runs in {self.folder}; start it with `yipan up`"
            ) from None
        if not is_alive(running.supervisor_pid):
            raise NotRunningError(f"what ran in {self.folder} has ended; start it with `yipan up`")
        return running

    def is_running(self) -> bool:
        """Tell whether a supervisor runs here."""
        try:
            self.running()
        except NotRunningError:
            return False
        return True

    def record(self, running: Running) -> None:
        """Replace the record of what runs; readers see the old one or the new one, never half."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.running_file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(msgspec.json.encode(running))
        fresh.replace(self.running_file)

    def forget(self) -> None:
        """Remove the record of what runs."""
        self.running_file.unlink(missing_ok=True)


def default_folder() -> Path:
    """Return YIPAN_HOME, or `yipan` in the user's state folder (XDG base directories)."""
    if named := os.environ.get("YIPAN_HOME"):
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "yipan"


def is_alive(pid: int) -> bool:
    """Return whether a process with this id exists and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
