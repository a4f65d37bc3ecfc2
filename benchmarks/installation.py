"""An installation to measure: started anew in a folder of its own, warmed up, reconciled."""

import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from yipan import supervisor
from yipan.demo import performance, qinghe, world
from yipan.demo.channels import Channels
from yipan.demo.costs import Cost, costs_of
from yipan.demo.story import LimitAccount, Receipt, Story
from yipan.home import Home
from yipan.http import Services
from yipan.verify import reconcile
from yipan.verify.databases import Databases, Row

WARM_UP_ORDERS = 1_000
PLENTY_UNITS = 1_000_000
PLENTY_MINOR = 10**12
SETTLE_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 60.0
SEED = 1
DATABASE_BYTES = "SELECT pg_database_size(current_database())"


class DifferencesError(RuntimeError):
    """The books of the services do not agree, so what was measured does not count."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs, and how to reach it."""

    home: Home
    services: Services

    def costs(self) -> dict[str, Cost]:
        """Return what every process costs so far."""
        return costs_of(self.home.running())

    def settle(self) -> None:
        """Wait until every event is applied by all its readers."""
        performance.settle(self.home, SETTLE_TIMEOUT_S)

    def rows(self, service: str, sql: str) -> list[Row]:
        """Return what a query finds in one service's database."""
        with Databases(performance.database_urls(self.home)) as databases:
            return databases.rows(service, sql)

    def database_bytes(self) -> int:
        """Return the size of all services' databases, indexes and free space included."""
        with Databases(performance.database_urls(self.home)) as databases:
            return sum(databases.rows(name, DATABASE_BYTES)[0][0] for name in databases.names)

    def log_bytes(self) -> int:
        """Return the size of the logs of all Kafka topics."""
        return sum(path.stat().st_size for path in self.home.stack.rglob("*-[0-9]/*.log"))

    def verify(self) -> None:
        """Reconcile all books; DifferencesError when one differs."""
        with Databases(performance.database_urls(self.home)) as databases:
            report = reconcile(databases)
        if report.differences:
            raise DifferencesError(f"{report.differences} differences: this run does not count")


@contextmanager
def install() -> Generator[Installation]:
    """Start Kafka, PostgreSQL and the services with empty databases, and warm them up."""
    with tempfile.TemporaryDirectory(prefix="yipan-bench-") as folder:
        home = Home(Path(folder))
        process = supervisor.launch(home, death_signal=signal.SIGTERM)
        try:
            running = supervisor.wait_ready(home, process)
            urls = {name: service.url for name, service in running.services.items()}
            with Services(urls) as services:
                installation = Installation(home, services)
                warm_up = _plenty(tell("W", WARM_UP_ORDERS))
                world.build(services, warm_up)
                Channels(services).place(warm_up.orders)
                installation.settle()
                yield installation
        finally:
            process.stop(signal.SIGTERM, STOP_TIMEOUT_S)


def tell(prefix: str, orders: int) -> Story:
    """Return a story whose order numbers begin with the prefix."""
    return qinghe.tell(orders, SEED, prefix=prefix)


def _plenty(story: Story) -> Story:
    """Give the story all the stock and credit it can use, so that no order waits for either."""
    nodes = [node["node_id"] for node in story.directory["nodes"]]
    goods = [each["goods_id"] for each in story.directory["goods"] if not each.get("parts")]
    return replace(
        story,
        accounts=[
            LimitAccount(each.account_id, each.party_id, each.currency, PLENTY_MINOR)
            for each in story.accounts
        ],
        receipts=[Receipt(node, each, PLENTY_UNITS) for node in nodes for each in goods],
    )
