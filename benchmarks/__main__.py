"""Measures the whole chain flat out: `python -m benchmarks [--orders N] [--runs N]`.

From orders handed to ingest's HTTP API in bulk to parcels released to their nodes and splits
planned and posted; the nodes do nothing. Each run begins with empty databases and counts only when
the reconciler finds no difference. Prints medians with their spread, and CPU by process.
"""

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from yipan import supervisor
from yipan.demo import performance, qinghe, world
from yipan.demo.channels import Channels
from yipan.demo.costs import Cost, costs_of, spent
from yipan.demo.story import LimitAccount, Receipt, Story
from yipan.home import Home
from yipan.http import Services
from yipan.verify import reconcile
from yipan.verify.databases import Databases

ORDERS_DEFAULT = 5_000
RUNS_DEFAULT = 3
WARM_UP_ORDERS = 300
PLENTY_UNITS = 1_000_000
PLENTY_MINOR = 10**12
SETTLE_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: accepted orders, seconds to the last effect, and the cost by process."""

    orders: int
    seconds: float
    costs: dict[str, Cost]

    @property
    def rate(self) -> float:
        """Orders per second."""
        return self.orders / self.seconds

    def cpu_ms(self, name: str) -> float:
        """CPU milliseconds per order of one process."""
        return 1000 * self.costs[name].cpu_s / self.orders


def measure(orders: int, seed: int) -> Run:
    """Start everything anew, warm up, hand in the orders, and wait for the last effect."""
    with tempfile.TemporaryDirectory(prefix="yipan-bench-") as folder:
        home = Home(Path(folder))
        process = supervisor.launch(home, death_signal=signal.SIGTERM)
        try:
            running = supervisor.wait_ready(home, process)
            urls = {name: service.url for name, service in running.services.items()}
            with Services(urls) as services:
                warm_up = _plenty(qinghe.tell(WARM_UP_ORDERS, seed, prefix="W"))
                world.build(services, warm_up)
                _hand_in(home, services, warm_up)
                return _timed(home, services, _plenty(qinghe.tell(orders, seed)))
        finally:
            process.stop(signal.SIGTERM, 60)


def _timed(home: Home, services: Services, story: Story) -> Run:
    running = home.running()
    before, started_s = costs_of(running), time.monotonic()
    _hand_in(home, services, story)
    seconds = time.monotonic() - started_s
    costs = spent(before, costs_of(running))
    with Databases(performance.database_urls(home)) as databases:
        report = reconcile(databases)
    if report.differences:
        sys.exit(f"{report.differences} differences: this run does not count")
    return Run(len(story.orders), seconds, costs)


def _hand_in(home: Home, services: Services, story: Story) -> None:
    Channels(services).place(story.orders)
    performance.settle(home, SETTLE_TIMEOUT_S)


def _plenty(story: Story) -> Story:
    """Give the story all the stock and credit it can use, and only orders that can be accepted."""
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


def report(runs: Sequence[Run]) -> str:
    """Return the medians as text, with the smallest and largest rate."""
    rates = sorted(run.rate for run in runs)
    lines = [
        (
            f"{runs[0].orders} orders, {len(runs)} runs: {statistics.median(rates):.0f} orders/s "
            f"({rates[0]:.0f} to {rates[-1]:.0f}), each run reconciled without a difference"
        ),
        "",
        "| process | CPU ms per order | MiB |",
        "|---|---|---|",
    ]
    total_ms = 0.0
    for name in runs[0].costs:
        cpu_ms = statistics.median(run.cpu_ms(name) for run in runs)
        memory_mib = statistics.median(run.costs[name].memory_mib for run in runs)
        total_ms += cpu_ms
        lines.append(f"| {name} | {cpu_ms:.2f} | {memory_mib:.0f} |")
    lines.append(f"| all | {total_ms:.2f} | |")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS_DEFAULT)
    parser.add_argument("--runs", type=int, default=RUNS_DEFAULT)
    options = parser.parse_args()
    runs: list[Run] = []
    for number in range(options.runs):
        run = measure(options.orders, seed=1)
        print(f"run {number + 1}: {run.rate:.0f} orders/s", file=sys.stderr)
        runs.append(run)
    print(report(runs))


if __name__ == "__main__":
    main()
