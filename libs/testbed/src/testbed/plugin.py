"""The fixtures pytest offers once this package is installed.

What they need is imported inside them: pytest loads this module for every run, and a run of pure
rules should not wait for clients and frameworks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from testbed.clock import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    import httpx

    from backbone import Database
    from runtime.service import Service
    from testbed.bench import Bench
    from testbed.broker import Broker
    from testbed.databases import Databases
    from testbed.running import RunningService
    from testbed.servers import Servers


@pytest.fixture(scope="session")
def stack() -> Generator[Servers]:
    """A real Kafka and a real PostgreSQL, from where YIPAN_STACK says."""
    from testbed.servers import open_servers  # noqa: PLC0415

    with open_servers() as servers:
        yield servers


@pytest.fixture(scope="session")
def databases(stack: Servers) -> Generator[Databases]:
    """The session's databases: `databases.create("inventory")` returns the URL of a new one."""
    from testbed.databases import Databases  # noqa: PLC0415

    databases = Databases(stack.admin_url)
    yield databases
    databases.close()


@pytest.fixture
def package(request: pytest.FixtureRequest) -> str:
    """The service under test, by the folder of the test: services/<package>/tests."""
    parts = request.path.relative_to(request.config.rootpath).parts
    if parts[0] != "services":
        pytest.fail("this test belongs to no service: override the fixture `package`")
    return parts[1]


@pytest.fixture
def clock() -> Clock:
    """The clock that commands and handlers read; it stands still until a test moves it."""
    return Clock()


@pytest.fixture
def database_url(databases: Databases, package: str) -> Generator[str]:
    """The URL of a migrated, empty database of the service under test."""
    url = databases.create(package)
    yield url
    databases.drop(url)


@pytest.fixture
async def database(database_url: str, package: str, clock: Clock) -> AsyncGenerator[Database]:
    """The open database of the service under test, migrated and empty."""
    from backbone import Database, Outbox  # noqa: PLC0415

    async with Database(database_url, Outbox(package), clock=clock) as database:
        yield database


@pytest.fixture
def apply(database: Database) -> Bench:
    """The service on the bench: events into its handlers, and what it publishes because of them.

    Called as `outgoing = await apply(consumer, events)`.
    """
    from testbed.bench import Bench  # noqa: PLC0415

    return Bench(database)


@pytest.fixture
def service(package: str) -> Service:
    """The service under test as its `__main__` assembles it."""
    service: Service = import_module(f"{package}.__main__").service
    return service


@pytest.fixture
async def client(service: Service, database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """An HTTP client of the real application, without a socket."""
    import httpx  # noqa: PLC0415

    transport = httpx.ASGITransport(service.application(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.fixture
async def broker(stack: Servers) -> AsyncGenerator[Broker]:
    """Kafka with every topic of the contracts, all of them empty."""
    from testbed.broker import Broker  # noqa: PLC0415

    async with Broker(stack.bootstrap) as broker:
        await broker.empty()
        yield broker


@pytest.fixture
async def running_service(
    broker: Broker, database_url: str, package: str, tmp_path: Path
) -> AsyncGenerator[RunningService]:
    """The service under test as a process of its own, on Kafka and its own database."""
    from testbed.running import RunningService  # noqa: PLC0415

    running = RunningService(package, broker.bootstrap, database_url, tmp_path)
    await running.start()
    yield running
    running.stop()
