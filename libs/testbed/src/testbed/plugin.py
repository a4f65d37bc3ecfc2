"""The fixtures pytest offers once this package is installed."""

from collections.abc import AsyncGenerator, Generator
from importlib import import_module

import httpx
import pytest

from backbone import Database, Outbox
from runtime.service import Service
from testbed.bench import Bench
from testbed.clock import Clock
from testbed.databases import Databases
from testbed.servers import Servers, open_servers


@pytest.fixture(scope="session")
def stack() -> Generator[Servers]:
    """A real Kafka and a real PostgreSQL, from where YIPAN_STACK says."""
    with open_servers() as servers:
        yield servers


@pytest.fixture(scope="session")
def databases(stack: Servers) -> Generator[Databases]:
    """The session's databases: `databases.create("inventory")` returns the URL of a new one."""
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
    async with Database(database_url, Outbox(package), clock=clock) as database:
        yield database


@pytest.fixture
def apply(database: Database) -> Bench:
    """The service on the bench; `outgoing = await apply(consumer, [event, ...])`."""
    return Bench(database)


@pytest.fixture
def service(package: str) -> Service:
    """The service under test as its `__main__` assembles it."""
    service: Service = import_module(f"{package}.__main__").service
    return service


@pytest.fixture
async def client(service: Service, database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """An HTTP client of the real application, without a socket."""
    transport = httpx.ASGITransport(service.application(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client
