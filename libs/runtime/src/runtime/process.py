"""One process of a service: HTTP, consumer, relay, schedules and watchdog in one event loop."""

import asyncio
import gc
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import asyncpg
import uvloop

from backbone import Database, Hub, Outbox
from backbone.failures import is_transient
from runtime import clock, logs, migrations, serving
from runtime.settings import HttpSettings, ProcessSettings

if TYPE_CHECKING:
    from runtime.service import Service

EXIT_STOPPED_COUNT = 0
EXIT_FAILED_COUNT = 1
RETRY_S = 0.25
COLLECT_AFTER_OBJECTS = 50_000
"""Containers made, net of those freed, before the youngest of them are searched for cycles."""


class NotStartedError(RuntimeError):
    """What the process needs is not there: the database, its tables, the port."""


def run(service: "Service", settings: ProcessSettings, http: HttpSettings) -> int:
    """Run a service until a signal or a failure; return the exit code of the process."""
    logs.configure(service.name, settings.log_level)
    try:
        uvloop.run(_run(service, settings, http))
    except asyncio.CancelledError:
        pass  # a signal came before there was anything to stop
    except NotStartedError as error:
        logs.logger().error("not started", reason=str(error))
        return EXIT_FAILED_COUNT
    except Exception as error:  # noqa: BLE001 - the process ends here; its supervisor starts another
        logs.logger().error("ended by a failure", exc_info=error)
        return EXIT_FAILED_COUNT
    logs.logger().info("stopped")
    return EXIT_STOPPED_COUNT


async def _run(service: "Service", settings: ProcessSettings, http: HttpSettings) -> None:
    _stop_on_signals()
    listener = _listen(http)
    await _prepare_database(service, settings)
    database = Database(
        settings.database_url.get_secret_value(),
        Outbox(service.name),
        clock=clock.now,
        connections_max=settings.database_connections_max,
    )
    async with database:
        hub = Hub(database, settings.kafka_bootstrap, service.consumer, service.schedule)
        app = service.application(database, hub.progress, http)
        server = serving.make_server(app, http, settings.stop_timeout_s)
        logs.logger().info("started", host=http.host, port=listener.getsockname()[1])
        _calm_collector()
        # The hub takes SIGTERM and SIGINT, and cancels what runs beside it.
        await hub.serve(serving.serve(server, listener))


def _calm_collector() -> None:
    """Search for cycles less often, and never among what the program itself consists of.

    A batch makes containers by the ten thousand and drops them by reference count. By Python's
    defaults the search took a fifth of the CPU of every service.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)


def _stop_on_signals() -> None:
    """End the start on SIGTERM and SIGINT; the hub replaces these handlers by its own."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has one
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _listen(http: HttpSettings) -> socket.socket:
    try:
        return serving.listen(http)
    except OSError as error:
        raise NotStartedError(f"cannot listen on {http.host}:{http.port}: {error}") from error


async def _prepare_database(service: "Service", settings: ProcessSettings) -> None:
    """Wait for the database, and bring it up to date if this process may."""
    if await _is_current(service.name, settings):
        return
    if not settings.migrate:
        raise NotStartedError(f"the database is not up to date: run `{service.name} migrate`")
    # A process of its own: what Alembic needs in memory is gone with it.
    command = [sys.executable, "-m", service.name, "migrate"]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    if ended.returncode != 0:
        why = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NotStartedError(f"`{service.name} migrate` ended with {ended.returncode}: {why}")
    logs.logger().info("migrated", answer=ended.stdout.decode().strip())


async def _is_current(package: str, settings: ProcessSettings) -> bool:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + settings.start_timeout_s
    while True:
        try:
            connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=5)
            try:
                return await migrations.is_current(connection, package)
            finally:
                await connection.close()
        except Exception as error:
            if not is_transient(error):
                raise
            if loop.time() > end_s:
                raise NotStartedError(f"the database does not answer: {error!r}") from error
        await asyncio.sleep(RETRY_S)
