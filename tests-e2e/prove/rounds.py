"""Plays stories on an installation while processes are killed and frozen, and checks each one.

A round is a story of its own: its faults, its orders to their end, then a rest in which everything
is compared. Later rounds find the books of the earlier ones in place.
"""

import asyncio
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from prove.acceptance import RecordingServices, stored_numbers
from prove.acceptance import violations as violations_of_acceptance
from prove.bounds import Sampler
from prove.faults import Fault, Injected, Injector, overlapping, plan
from prove.logs import (
    Logs,
    read_committed,
    read_counted,
    violations_of_reader,
    violations_of_writers,
)
from prove.recovery import wait_recovered
from yipan.demo import performance, qinghe, world
from yipan.demo.performance import Performance, database_urls
from yipan.demo.story import Story
from yipan.home import Home, Running
from yipan.http import Services
from yipan.verify import reconcile
from yipan.verify.databases import Databases

PATIENCE_S = 180.0
FAULTS_WITHIN_S = 240.0
RECOVERY_MAX_S = 120.0
LIMITS_EVERY_S = 3.0


@dataclass(frozen=True, slots=True)
class Dose:
    """How much one round is: orders, faults, and the mean seconds between volleys of faults."""

    orders: int
    faults: int
    every_s: float


@dataclass(frozen=True, slots=True)
class Round:
    """What one round was and found; `wrong` is empty in a proof that holds."""

    seed: int
    injected: Sequence[Injected]
    recovered_s: float | None
    played_s: float
    acked: int
    snapshots: int
    compared: int
    records: int
    repeated: int
    wrong: Sequence[str]

    @property
    def overlapping(self) -> int:
        """How many faults were under way at once, at most."""
        return overlapping(self.injected)


class Proof:
    """The rounds on one installation; sees everything that was ever sent to it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._logs = Logs(home.running().bootstrap)
        self._sent: set[str] = set()
        self._acked: set[str] = set()

    def play(self, seed: int, dose: Dose) -> Round:
        """Play one round; everything random in it follows from the seed."""
        story = qinghe.tell(dose.orders, seed, prefix=f"P{seed}-")
        faults = plan(seed, _targets(self._home.running()), dose.faults, dose.every_s)
        began_s = time.monotonic()
        running = self._home.running()
        urls = {name: service.url for name, service in running.services.items()}
        with RecordingServices(urls, PATIENCE_S) as services:
            world.build(services, story)
            performance.settle(self._home, performance.SETTLE_TIMEOUT_S)
            sampler = Sampler(database_urls(self._home))
            sampler.start()
            injected, recovered_s = self._play(story, services, faults, seed)
            sampled = sampler.stop()
        self._sent |= services.sent
        self._acked |= services.acked.keys()
        compared, wrong = self._check()
        wrong += sampled.wrong
        wrong += [f"{number} was answered {both}" for number, both in services.twice.items()]
        if recovered_s is None:
            wrong.append(f"G10 not recovered {RECOVERY_MAX_S:g} s after the last fault")
        return Round(
            seed,
            injected,
            recovered_s,
            time.monotonic() - began_s,
            len(services.acked),
            sampled.snapshots,
            compared,
            self._logs.records,
            self._logs.repeated,
            wrong,
        )

    def _play(
        self, story: Story, services: RecordingServices, faults: Sequence[Fault], seed: int
    ) -> tuple[Sequence[Injected], float | None]:
        """Play the story and, beside it, the faults and dealers' limits that move."""
        injector = Injector(self._home, faults)
        found: list[float | None] = []
        over = threading.Event()

        def inject() -> None:
            injector.start()
            injector.join(FAULTS_WITHIN_S)
            over.set()  # nothing comes to rest while limits move
            urls = database_urls(self._home)
            found.append(wait_recovered(urls, injector.ended_s, RECOVERY_MAX_S))

        faulty = threading.Thread(target=inject, daemon=True)
        moving = threading.Thread(target=self._move_limits, args=(story, seed, over), daemon=True)
        faulty.start()
        moving.start()
        try:
            with Progress(console=Console(quiet=True)) as progress:
                part = Performance(self._home, story, services)
                part.play(progress)
                faulty.join()
                moving.join()
                part.finish()
        finally:
            over.set()
            injector.stop()
        performance.settle(self._home, performance.SETTLE_TIMEOUT_S)
        return injector.done, found[0]

    def _move_limits(self, story: Story, seed: int, over: threading.Event) -> None:
        """Raise and lower dealers' limits while orders come in (G6)."""
        chance = random.Random(seed)
        urls = {name: service.url for name, service in self._home.running().services.items()}
        number = 0
        with Services(urls, PATIENCE_S) as services:
            while not over.wait(LIMITS_EVERY_S):
                account = chance.choice(list(story.accounts))
                amount_minor = int(account.limit_minor * chance.uniform(0.2, 1.5))
                number += 1
                _post_limits(services, f"prove-{seed}-{number}", {account.account_id: amount_minor})

    def _check(self) -> tuple[int, list[str]]:
        """Compare everything at rest."""
        urls = database_urls(self._home)
        asyncio.run(self._logs.read())
        committed = {
            lane: last for url in urls.values() for lane, last in read_committed(url).items()
        }
        wrong = violations_of_writers(self._logs.lanes, committed)
        for reader, url in urls.items():
            wrong += violations_of_reader(reader, self._logs.lanes, read_counted(url))
        mine = {number for number in stored_numbers(urls["ingest"]) if number.startswith("P")}
        wrong += violations_of_acceptance(self._sent, self._acked, mine)
        with Databases(urls) as databases:
            report = reconcile(databases)
        wrong += [
            f"{check.name}: {each.subject}: {each.expected} or {each.found}"
            for check in report.checks
            for each in check.examples
        ]
        return report.compared, wrong


def _targets(running: Running) -> list[str]:
    return sorted(running.server_pids | running.services | running.replicas)


def _post_limits(services: Services, limit_id: str, amounts_minor: Mapping[str, int]) -> None:
    limits = [
        {"account_id": account_id, "limit_id": limit_id, "amount_minor": amount_minor}
        for account_id, amount_minor in amounts_minor.items()
    ]
    services.post("quota", "/limits", {"limits": limits})
