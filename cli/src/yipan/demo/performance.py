"""Performs a story: builds its world, plays it to its end, reconciles, and sums it up.

Time is the story's own. Orders are sent in the order they were placed; whenever a stretch of them
has been sent, everything that the story dates before it happens: cancellations, the nodes' work on
parcels, deliveries, returns. Every call carries its own id, so a call whose answer was lost is sent
again and has one effect.
"""

import heapq
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from zlib import crc32

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from yipan.demo import summary, world
from yipan.demo.channels import Channels, id_of
from yipan.demo.chaos import Chaos
from yipan.demo.costs import costs_of, spent
from yipan.demo.dealers import Dealers
from yipan.demo.nodes import Nodes
from yipan.demo.story import Story, StoryOrder
from yipan.demo.summary import Result
from yipan.home import Home
from yipan.http import Services
from yipan.verify import lanes, reconcile
from yipan.verify.databases import Databases

STRETCH_ORDERS = 200
TOP_UP_EVERY_STRETCHES = 5
SETTLE_TIMEOUT_S = 600.0
POLL_S = 0.25


class StoryStuckError(RuntimeError):
    """The services did not come to rest in time."""


class Performance:
    """One story in the course of being played."""

    def __init__(self, home: Home, story: Story, services: Services) -> None:
        self._home = home
        self._story = story
        self.channels = Channels(services)
        self.dealers = Dealers(services, story.name)
        self.nodes = Nodes(
            services=services,
            fates={id_of(order): order.fate for order in story.orders},
            carrier_id=story.carrier_id,
        )
        self._placed_at = {id_of(order): order.placed_at for order in story.orders}
        self._wishes: list[tuple[datetime, int, str, StoryOrder]] = []
        self._tie = count()

    def play(self, progress: Progress) -> None:
        """Send every order and do all that follows, until nothing is left to do."""
        bar = progress.add_task("orders", total=len(self._story.orders))
        for number, stretch in enumerate(_stretches(self._story.orders), start=1):
            self.channels.place(stretch)
            self._expect(stretch)
            self._until(stretch[-1].placed_at)
            if number % TOP_UP_EVERY_STRETCHES == 0:
                self.dealers.top_up()
            progress.update(bar, advance=len(stretch))
        progress.add_task("to the last delivery", total=None)
        self.finish()

    def _expect(self, stretch: Sequence[StoryOrder]) -> None:
        for order in stretch:
            for at, wish in (
                (order.fate.cancel_at, "cancel"),
                (order.fate.return_at, "return"),
            ):
                if at is not None:
                    heapq.heappush(self._wishes, (at, next(self._tie), wish, order))

    def _until(self, moment: datetime | None) -> int:
        """Do everything of the story that is due by a moment; return how much it was."""
        done = self.nodes.take_offers(self._placed_at)
        while self._wishes and (moment is None or self._wishes[0][0] <= moment):
            at, _, wish, order = heapq.heappop(self._wishes)
            done += self.nodes.work_until(at) + 1
            if wish == "cancel":
                self.channels.cancel(order)
            else:
                self._give_back(order)
        return done + self.nodes.work_until(moment)

    def _give_back(self, order: StoryOrder) -> None:
        """Return one unit of the order's first shipped parcel; every second one is damaged."""
        for parcel in self.nodes.shipped.get(id_of(order), ())[:1]:
            line = {"line_id": parcel.lines[0]["line_id"], "quantity_units": 1}
            if return_id := self.channels.give_back(order, [line]):
                grade = "damaged" if crc32(order.number.encode()) % 2 else "sellable"
                self.nodes.receive(parcel, return_id, [line | {"grade": grade}])

    def finish(self) -> None:
        """Play what is left; the end is when nothing was done and nothing is under way, twice."""
        end_s = time.monotonic() + SETTLE_TIMEOUT_S
        rests = 0
        while rests < 2:
            if time.monotonic() > end_s:
                raise StoryStuckError(f"not at rest after {SETTLE_TIMEOUT_S:g} s")
            settle(self._home, SETTLE_TIMEOUT_S)
            done = self._until(None) + self.dealers.top_up()
            rests = 0 if done else rests + 1


def perform(home: Home, story: Story, *, kill_every_s: float | None, seed: int) -> Result:
    """Play a story against what runs in a home and return what came of it.

    Raises:
        StoryStuckError: the services did not come to rest in time.
        CallError: a service refused something that the story is entitled to.
    """
    running = home.running()
    urls = {name: service.url for name, service in running.services.items()}
    chaos = Chaos(home, kill_every_s, seed) if kill_every_s else None
    with Services(urls) as services, _progress() as progress:
        progress.add_task(f"the world of {story.title}", total=None)
        world.build(services, story)
        settle(home, SETTLE_TIMEOUT_S)
        before, started_s = costs_of(running), time.monotonic()
        performance = Performance(home, story, services)
        if chaos:
            chaos.start()
        try:
            performance.play(progress)
        finally:
            if chaos:
                chaos.stop()
        settle(home, SETTLE_TIMEOUT_S)
        played_s = time.monotonic() - started_s
        costs = spent(before, costs_of(home.running()))
    done = performance.channels.done + performance.nodes.done + performance.dealers.done
    kills = chaos.kills if chaos else Counter[str]()
    with Databases(database_urls(home)) as databases:
        figures = summary.figures(databases, story)
        return Result(story.title, played_s, figures, done, costs, kills, reconcile(databases))


def settle(home: Home, timeout_s: float) -> None:
    """Wait until every event that was published is applied by all its readers.

    Raises:
        StoryStuckError: there was still something under way after so long.
    """
    end_s = time.monotonic() + timeout_s
    while not lanes.at_rest(database_urls(home)):
        if time.monotonic() > end_s:
            raise StoryStuckError(f"events still under way after {timeout_s:g} s")
        time.sleep(POLL_S)


def database_urls(home: Home) -> dict[str, str]:
    """Return the databases of what runs in a home."""
    return {name: service.database_url for name, service in home.running().services.items()}


def show(result: Result, console: Console) -> None:
    """Print what came of a story."""
    for table in summary.tables(result):
        console.print(table)


def _stretches(orders: Sequence[StoryOrder]) -> Iterator[Sequence[StoryOrder]]:
    for start in range(0, len(orders), STRETCH_ORDERS):
        yield orders[start : start + STRETCH_ORDERS]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )
