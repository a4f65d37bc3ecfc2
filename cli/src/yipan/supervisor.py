"""Keeps Kafka, PostgreSQL and the services of a home alive: `yipan.supervisor HOME [REPLICAS]`.

It starts the two servers, makes the topics, brings the databases up to date, starts the services,
and starts again whatever ends, until it is told to stop (SIGTERM). Everything it started dies with
it, however it dies.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import FrameType

import httpx

from embedded import StackError
from embedded.ports import free_ports
from embedded.processes import ServerProcess
from yipan import topics
from yipan.home import SERVICES, Home, Running, RunningService
from yipan.servers import Servers, fetch_embedded, open_servers, variables

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 12.0
POLL_S = 0.1
PAUSE_MAX_S = 5.0
"""The longest pause before something that keeps ending is started again."""

QUIET_S = 30.0
"""A process that lived this long is started again at once when it ends."""

log = logging.getLogger("yipan.supervisor")


@dataclass(slots=True)
class Service:
    """One replica of a service: its process, its service's database and the port it answers on.

    The first replica is labelled as its service is, the others with their number (`quota-2`).
    """

    name: str
    label: str
    process: ServerProcess
    url: str
    database_url: str


@dataclass(slots=True)
class Restarts:
    """How often something was started again, and the earliest next time (monotonic seconds)."""

    count: int = 0
    not_before_s: float = 0.0
    pause_s: float = 0.0

    def due(self, now_s: float) -> bool:
        """Tell whether it may be started now; pauses double while starts follow each other."""
        if now_s < self.not_before_s:
            return False
        quick = now_s - self.not_before_s < QUIET_S
        self.pause_s = min(max(self.pause_s * 2, POLL_S), PAUSE_MAX_S) if quick else 0.0
        self.not_before_s = now_s + self.pause_s
        self.count += 1
        return True


class Supervisor:
    """Runs one home until `stop` is set."""

    def __init__(self, home: Home, stop: threading.Event, replicas: int = 1) -> None:
        self._home = home
        self._stop = stop
        self._replicas = replicas
        self._restarts: defaultdict[str, Restarts] = defaultdict(Restarts)
        self._ready = False

    def run(self) -> None:
        """Bring everything up, watch over it, and take it down in order."""
        with open_servers(self._home.stack) as servers:
            asyncio.run(topics.apply(servers.bootstrap))
            places = product(range(1, self._replicas + 1), SERVICES)
            services = [
                self._service(name, number, port, servers)
                for (number, name), port in zip(places, self._ports(), strict=True)
            ]
            self._migrate(services[: len(SERVICES)])
            try:
                for service in services:
                    _start(service)
                self._record(servers, services)
                self._watch(servers, services)
            finally:
                self._home.forget()
                _stop_all(services)

    def _ports(self) -> list[int]:
        """Keep the replicas' ports over restarts of the home, so that clients come back."""
        kept = self._home.folder / "ports"
        ports = (
            [int(word) for word in kept.read_text(encoding="ascii").split()]
            if kept.exists()
            else []
        )
        wanted = len(SERVICES) * self._replicas
        if len(ports) < wanted:
            ports += free_ports(wanted - len(ports))
            kept.write_text(" ".join(map(str, ports)), encoding="ascii")
        return ports[:wanted]

    def _service(self, name: str, number: int, port: int, servers: Servers) -> Service:
        label = name if number == 1 else f"{name}-{number}"
        database_url = servers.create_database(name)
        settings = {
            "YIPAN_DATABASE_URL": database_url,
            "YIPAN_KAFKA_BOOTSTRAP": servers.bootstrap,
            "YIPAN_HTTP_PORT": str(port),
        }
        if self._home.secrets.exists():
            settings["YIPAN_INGEST_SECRETS_FILE"] = str(self._home.secrets)
        process = ServerProcess(
            label, self._home.logs / f"{label}.log", signal.SIGTERM, variables=settings
        )
        return Service(name, label, process, f"http://127.0.0.1:{port}", database_url)

    def _migrate(self, services: Sequence[Service]) -> None:
        """Bring every database up to date, two at a time: each takes a core for a second."""
        waiting = list(services)
        while waiting:
            for service in waiting[:2]:
                service.process.start([sys.executable, "-m", service.name, "migrate"])
            for service in waiting[:2]:
                code = service.process.wait(READY_TIMEOUT_S)
                if code:
                    raise StackError(f"{service.name}: migration failed, see {service.process.log}")
            waiting = waiting[2:]

    def _watch(self, servers: Servers, services: Sequence[Service]) -> None:
        give_up_s = time.monotonic() + READY_TIMEOUT_S
        while not self._stop.wait(POLL_S):
            if self._revive(servers, services):
                self._record(servers, services)
            if not self._ready and all(map(_is_ready, services)):
                self._ready = True
                self._record(servers, services)
            if not self._ready and time.monotonic() > give_up_s:
                slow = [service.label for service in services if not _is_ready(service)]
                raise StackError(f"not ready after {READY_TIMEOUT_S:g} s: {', '.join(slow)}")

    def _revive(self, servers: Servers, services: Sequence[Service]) -> bool:
        """Start again what has ended and whose pause is over; tell whether anything was."""
        now_s = time.monotonic()
        revived = False
        for name, server in servers.ours.items():
            if not server.is_running and self._may_start(name, now_s):
                try:
                    server.start()
                except StackError as error:
                    # It may die again while it starts; the next round tries again.
                    log.warning("%s does not start yet: %s", name, error)
                    continue
                revived = True
        for service in services:
            if not service.process.is_running and self._may_start(service.label, now_s):
                _start(service)
                revived = True
        return revived

    def _may_start(self, name: str, now_s: float) -> bool:
        due = self._restarts[name].due(now_s)
        if due:
            log.warning("%s ended; start %d", name, self._restarts[name].count)
        return due

    def _record(self, servers: Servers, services: Sequence[Service]) -> None:
        firsts, others = services[: len(SERVICES)], services[len(SERVICES) :]
        self._home.record(
            Running(
                supervisor_pid=os.getpid(),
                server_pids={name: server.pid or 0 for name, server in servers.ours.items()},
                bootstrap=servers.bootstrap,
                postgres_url=servers.admin_url,
                services={service.label: self._running(service) for service in firsts},
                replicas={service.label: self._running(service) for service in others},
                ready=self._ready,
                server_restarts={name: self._restarts[name].count for name in servers.ours},
            )
        )

    def _running(self, service: Service) -> RunningService:
        return RunningService(
            pid=service.process.pid or 0,
            url=service.url,
            database_url=service.database_url,
            restarts=self._restarts[service.label].count,
        )


def launch(
    home: Home, *, replicas: int = 1, death_signal: signal.Signals | None = None
) -> ServerProcess:
    """Start a supervisor for a home, with so many processes of each service; return its process.

    With `death_signal` it is told to stop when the caller's process ends; without, it outlives it.
    The first time on a machine this fetches Kafka, with progress.

    Raises:
        StackError: Kafka could not be fetched.
    """
    fetch_embedded()
    process = ServerProcess(
        "supervisor", home.logs / "supervisor.log", death_signal, variables=variables()
    )
    home.forget()
    command = [sys.executable, "-m", "yipan.supervisor", str(home.folder), str(replicas)]
    process.start(command)
    return process


def wait_ready(home: Home, process: ServerProcess) -> Running:
    """Return what runs as soon as every service is ready.

    Raises:
        StackError: the supervisor ended, or it took longer than READY_TIMEOUT_S twice over; the
            message ends with the supervisor's log.
    """
    process.wait_until(lambda: _all_ready(home), 2 * READY_TIMEOUT_S)
    return home.running()


def _all_ready(home: Home) -> bool:
    return home.is_running() and home.running().ready


def _is_ready(service: Service) -> bool:
    try:
        answer = httpx.get(f"{service.url}/health/ready", timeout=1.0, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.is_success


def _start(service: Service) -> None:
    service.process.start([sys.executable, "-m", service.name, "run"])


def _stop_all(services: Sequence[Service]) -> None:
    stoppers = [
        threading.Thread(target=service.process.stop, args=(signal.SIGTERM, STOP_TIMEOUT_S))
        for service in services
    ]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join()


def main() -> None:
    """Run until SIGTERM or SIGINT; status 1 when something could not be brought up."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, tell)
    signal.signal(signal.SIGINT, tell)
    replicas = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    try:
        Supervisor(Home(Path(sys.argv[1])), stop, replicas).run()
    except StackError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all; a trace would hide it
        sys.exit(1)


if __name__ == "__main__":
    main()
