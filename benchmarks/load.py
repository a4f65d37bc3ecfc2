"""Orders handed in, at a rate or flat out, and what the databases say of when each was done."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.installation import Installation, tell
from yipan.demo.channels import Channels
from yipan.demo.costs import Cost, spent
from yipan.demo.story import StoryOrder

GATHER_S = 0.02
"""What falls due within it is one request, as a channel's poller would send it."""
SENDERS = 4
IDLE_S = 5.0

# By ingest's clock alone: when an order was taken, and when its last event of a kind was read back.
FIND_TIMES = """
SELECT o.channel_order_number,
       extract(epoch FROM o.accepted_at)::float8,
       extract(epoch FROM max(t.recorded_at)
           FILTER (WHERE t.what = 'parcel_released'))::float8,
       extract(epoch FROM max(t.recorded_at)
           FILTER (WHERE t.what IN ('split_planned', 'journal_posted')))::float8,
       extract(epoch FROM max(t.recorded_at))::float8
FROM pool_order AS o JOIN timeline AS t USING (order_id)
WHERE o.accepted_at IS NOT NULL
GROUP BY o.order_id
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one load came to. `rate` is None flat out; times are in seconds, one per order.

    `answered_s` counts from the moment a request was due, `released_s` and `posted_s` from the
    acceptance to the moment ingest has read that all parcels are released, all splits posted.
    """

    rate: int | None
    orders: int
    seconds: float
    answered_s: Sequence[float]
    released_s: Sequence[float]
    posted_s: Sequence[float]
    costs: Mapping[str, Cost]
    log_bytes: int
    database_bytes: int

    @property
    def orders_per_s(self) -> float:
        """Orders accepted, per second from the first acceptance to the last event read back."""
        return self.orders / self.seconds

    def cpu_ms(self, name: str) -> float:
        """CPU milliseconds per order of one process."""
        return 1000 * self.costs[name].cpu_s / self.orders

    @property
    def all_cpu_ms(self) -> float:
        """CPU milliseconds per order of all processes."""
        return sum(map(self.cpu_ms, self.costs))


@dataclass(frozen=True, slots=True)
class Idle:
    """CPU used while nothing happens, as a share of one core, by process."""

    shares: Mapping[str, float]


def run(installation: Installation, orders: int, rate: int | None) -> Load:
    """Hand in orders, wait for the last effect, and reconcile."""
    prefix = "F" if rate is None else f"R{rate}N"
    story = tell(prefix, orders)
    log_bytes, database_bytes = installation.log_bytes(), installation.database_bytes()
    before = installation.costs()
    if rate is None:
        Channels(installation.services).place(story.orders)
        answered_s: list[float] = []
    else:
        answered_s = _pace(installation, story.orders, rate)
    installation.settle()
    costs = spent(before, installation.costs())
    numbers = {order.number for order in story.orders}
    rows = [row for row in installation.rows("ingest", FIND_TIMES) if row[0] in numbers]
    installation.verify()
    return Load(
        rate=rate,
        orders=len(rows),
        seconds=max(row[4] for row in rows) - min(row[1] for row in rows),
        answered_s=answered_s,
        released_s=[row[2] - row[1] for row in rows if row[2] is not None],
        posted_s=[row[3] - row[1] for row in rows if row[3] is not None],
        costs=costs,
        log_bytes=installation.log_bytes() - log_bytes,
        database_bytes=installation.database_bytes() - database_bytes,
    )


def rest(installation: Installation) -> Idle:
    """Do nothing for a while and say what that costs."""
    before, started_s = installation.costs(), time.monotonic()
    time.sleep(IDLE_S)
    costs = spent(before, installation.costs())
    seconds = time.monotonic() - started_s
    return Idle({name: cost.cpu_s / seconds for name, cost in costs.items()})


def _pace(installation: Installation, orders: Sequence[StoryOrder], rate: int) -> list[float]:
    """Send each order when it is due, whether earlier ones are answered or not.

    Returns the seconds from the moment each request was due to its answer, so that a request that
    has to wait for a free sender counts with its wait.
    """
    channels = Channels(installation.services)
    started_s = time.monotonic()

    def send(due: Sequence[StoryOrder], due_s: float) -> float:
        channels.place(due)
        return time.monotonic() - started_s - due_s

    with ThreadPoolExecutor(SENDERS) as senders:
        sent = 0
        answers: list[Future[float]] = []
        while sent < len(orders):
            now_s = time.monotonic() - started_s
            due = min(len(orders), 1 + int(now_s * rate))
            if due > sent:
                answers.append(senders.submit(send, orders[sent:due], sent / rate))
                sent = due
            time.sleep(GATHER_S)
        return [answer.result() for answer in answers]
