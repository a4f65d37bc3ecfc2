"""Kafka and PostgreSQL together in one folder, owned by the process that starts them."""

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded.errors import AlreadyRunning, PortTaken
from embedded.jars import OnFetched, cache_folder, fetch, print_progress
from embedded.kafka import Kafka, KafkaOptions
from embedded.memory import require
from embedded.ports import LOOPBACK, free_ports, is_free
from embedded.postgres import Postgres
from embedded.processes import ServerProcess, require_linux
from embedded.training import train_in_background

# A JVM takes this beside its heap; PostgreSQL takes buffers and some connections.
KAFKA_BESIDE_HEAP_MB = 250
POSTGRES_MB = 400
PREVIOUS_STOPS_S = 40
POLL_S = 0.05
LOCK = "lock"
IDENTITY = "identity.json"


@dataclass(slots=True)
class Stack:
    """A Kafka node and a PostgreSQL server that run; made by `start`, ended by `stop` or `with`."""

    root: Path
    kafka: Kafka
    postgres: Postgres
    _lock: int
    _trainer: ServerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """The broker's address for clients."""
        return self.kafka.bootstrap

    def create_database(self, name: str) -> str:
        """Return the URL of a database and of a role that owns it, creating both if needed."""
        return self.postgres.create_database(name)

    def bring_up(self) -> None:
        """Start both servers side by side and return when both answer."""
        # The servers hold the lock as well: it is free only when the last of them is gone.
        self.kafka.process.kept_descriptor = self._lock
        self.postgres.process.kept_descriptor = self._lock
        self.kafka.launch()
        self.postgres.launch()
        self.postgres.wait()
        self.kafka.wait()
        self._trainer = train_in_background(self.kafka.class_path)

    def stop(self) -> None:
        """Stop both servers in order; the data stays. A second call does nothing."""
        if self._trainer:
            self._trainer.kill()
        self.kafka.stop()
        self.postgres.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class Identity:
    """What a folder keeps over restarts, so that clients come back by themselves."""

    kafka_port: int
    controller_port: int
    postgres_port: int
    password: str = field(repr=False)


def start(
    root: Path,
    *,
    kafka: KafkaOptions | None = None,
    postgres: Mapping[str, str] | None = None,
    on_fetched: OnFetched = print_progress,
) -> Stack:
    """Start Kafka and PostgreSQL in a folder and return when both answer.

    Both die with this process, however it dies. Any number of stacks may run side by side in
    different folders; in one folder only one at a time. The same folder starts again after any
    death with everything that was acknowledged, at the same addresses. `postgres` overrides the
    server's settings; `on_fetched` hears of the download, which happens once per machine.

    Raises:
        DownloadFailed: Kafka's jars are not in the cache and could not be fetched.
        AlreadyRunning: another process runs this folder.
        PortTaken: another program holds a port of this folder.
        StackError: no Linux, too little memory, or a server did not come up.
    """
    require_linux()
    options = kafka or KafkaOptions()
    class_path = fetch(cache_folder(), on_fetched)
    require(options.heap_mb + KAFKA_BESIDE_HEAP_MB + POSTGRES_MB)
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    lock = _take(root)
    try:
        own = _identity(root)
    except BaseException:
        os.close(lock)
        raise
    broker = Kafka(root / "kafka", own.kafka_port, own.controller_port, class_path, options=options)
    server = Postgres(root / "postgres", own.postgres_port, own.password, dict(postgres or {}))
    stack = Stack(root, broker, server, lock)
    try:
        stack.bring_up()
    except BaseException:
        stack.stop()
        raise
    return stack


def erase(root: Path) -> None:
    """Remove a stack's data for good; addresses and passwords of the next one will differ.

    Raises:
        AlreadyRunning: a process runs this folder.
    """
    if not root.exists():
        return
    lock = _take(root.absolute())
    try:
        for name in ("kafka", "postgres"):
            shutil.rmtree(root / name, ignore_errors=True)
        (root / IDENTITY).unlink(missing_ok=True)
    finally:
        os.close(lock)


def _take(root: Path) -> int:
    """Return a descriptor that holds the folder's lock, waiting for servers that are ending."""
    descriptor = os.open(root / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    end_s = time.monotonic() + PREVIOUS_STOPS_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner_pid = int(os.pread(descriptor, 20, 0) or b"0")
            if _is_alive(owner_pid) or time.monotonic() > end_s:
                os.close(descriptor)
                raise AlreadyRunning(
                    f"a stack runs in {root} already (process {owner_pid}); stop it first, or "
                    "choose another folder"
                ) from None
            time.sleep(POLL_S)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor


def _is_alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def _identity(root: Path) -> Identity:
    """Return the folder's ports and password, choosing them the first time."""
    path = root / IDENTITY
    if path.exists():
        identity = Identity(**json.loads(path.read_text(encoding="ascii")))
        _require_free(root, identity)
        return identity
    kafka_port, controller_port, postgres_port = free_ports(3)
    identity = Identity(kafka_port, controller_port, postgres_port, secrets.token_hex(16))
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(asdict(identity), file, indent=2)
    return identity


def _require_free(root: Path, identity: Identity) -> None:
    for name, port in asdict(identity).items():
        if name.endswith("_port") and not is_free(port):
            raise PortTaken(
                f"port {port} on {LOOPBACK} belongs to this stack ({name} in {root / IDENTITY}), "
                "but another program listens there: stop that program, or write a free port into "
                "that file"
            )
