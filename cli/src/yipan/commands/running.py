"""Start, stop and look at an installation: up, down, status, reset."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.table import Table

import embedded
from yipan import supervisor
from yipan.commands.context import Exit, HomeOption, JsonOption, errors, out, print_json, reported
from yipan.commands.context import running as running_in
from yipan.home import Home, NotRunningError, Running, is_alive

STOP_TIMEOUT_S = 90.0
POLL_S = 0.1


def up(
    home: HomeOption,
    replicas: Annotated[
        int, typer.Option(min=1, max=4, help="Processes of each service; they share its work.")
    ] = 1,
) -> None:
    """Start Kafka, PostgreSQL and the services in the background, and wait until all are ready."""
    place = Home(home)
    with reported():
        try:
            running = place.running()
            out.print(f"runs already (supervisor {running.supervisor_pid})")
        except NotRunningError:
            started_s = time.monotonic()
            running = supervisor.wait_ready(place, supervisor.launch(place, replicas=replicas))
            out.print(f"up after {time.monotonic() - started_s:.1f} s")
    out.print(_table(running))


def down(home: HomeOption) -> None:
    """Stop what runs, in order; the data stays."""
    running = running_in(home)
    with reported():
        stop(running)
    out.print("stopped")


def stop(running: Running) -> None:
    """Tell the supervisor to stop and return when everything is gone.

    Raises:
        StackError: it still runs after STOP_TIMEOUT_S.
    """
    os.kill(running.supervisor_pid, signal.SIGTERM)
    end_s = time.monotonic() + STOP_TIMEOUT_S
    while is_alive(running.supervisor_pid):
        if time.monotonic() > end_s:
            raise embedded.StackError(f"supervisor {running.supervisor_pid} does not stop")
        time.sleep(POLL_S)


def status(home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what runs where, and whether each service is ready."""
    running = running_in(home)
    processes = running.services | running.replicas
    ready = {label: _ready(process.url) for label, process in processes.items()}
    if as_json:
        print_json({"ready": ready, "running": running})
    else:
        out.print(_table(running))
    if not all(each == "ready" for each in ready.values()):
        raise typer.Exit(Exit.FAILED)


def reset(
    home: HomeOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove all data and logs of this home; it must not run."""
    place = Home(home)
    with reported():
        if place.is_running():
            errors.print(f"{home} runs; stop it first with `yipan down`")
            raise typer.Exit(Exit.FAILED)
        if not yes:
            typer.confirm(f"Remove all data in {home}?", abort=True)
        erase(place)
    out.print(f"removed the data in {home}")


def erase(home: Home) -> None:
    """Remove the data, logs and addresses of a home that does not run; nothing else in it."""
    embedded.erase(home.stack)
    for folder in (home.stack, home.logs):
        shutil.rmtree(folder, ignore_errors=True)
    for file in ("ports", "running.json"):
        (home.folder / file).unlink(missing_ok=True)


def resident_mib(pid: int) -> int:
    """Return a process's resident memory in MiB; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def _ready(url: str) -> str:
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=2.0, trust_env=False)
    except httpx.TransportError:
        return "away"
    return "ready" if answer.is_success else "not ready"


def _table(running: Running) -> Table:
    table = Table("process", "pid", "state", "address", "restarts", "MiB")
    addresses = {
        "kafka": running.bootstrap,
        "postgres": running.postgres_url.rpartition("@")[2],
    }
    for name, pid in running.server_pids.items():
        state = "runs" if is_alive(pid) else "away"
        restarts = str(running.server_restarts[name])
        table.add_row(name, str(pid), state, addresses[name], restarts, str(resident_mib(pid)))
    for name, service in (running.services | running.replicas).items():
        table.add_row(
            name,
            str(service.pid),
            _ready(service.url),
            service.url,
            str(service.restarts),
            str(resident_mib(service.pid)),
        )
    return table
