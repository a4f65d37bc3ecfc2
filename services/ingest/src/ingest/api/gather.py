"""Gathers the orders of many requests into one transaction, so that they share one COMMIT."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backbone import Outcome, Transaction
from ingest.decide.review import orders_in
from ingest.decide.take import take
from ingest.model.order import Submission
from ingest.model.pool import Taken
from ingest.store.pool import load_keys, lock_orders
from ingest.store.save import save
from ingest.store.terms import load_directory
from runtime.api import Problem, Unavailable
from runtime.database import Performer

ROUND_ORDERS_MAX = 500
WAITING_ORDERS_MAX = 4_000
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The orders of one request, which are decided in one transaction."""

    submissions: Sequence[Submission]
    answers: "asyncio.Future[list[Taken]]"


class Gatherer:
    """One queue of a process; while a round is being committed, the next one fills.

    There is no timer: a lone request is served at once, and rounds grow with the load.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Group] = deque()
        self._waiting_orders = 0
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, perform: Performer, submissions: Sequence[Submission]) -> list[Taken]:
        """Return what each order is told, once everything is committed.

        Raises Unavailable, before anything is stored, when too many orders wait.
        """
        if self._waiting_orders + len(submissions) > WAITING_ORDERS_MAX:
            raise Unavailable("too many orders are waiting", retry_after_s=RETRY_AFTER_S)
        group = _Group(submissions, asyncio.get_running_loop().create_future())
        self._waiting.append(group)
        self._waiting_orders += len(submissions)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(perform))
        return await group.answers

    async def _work(self, perform: Performer) -> None:
        while self._waiting:
            await self._decide(perform, self._next_round())

    def _next_round(self) -> list[_Group]:
        groups = [self._waiting.popleft()]
        orders_count = len(groups[0].submissions)
        while self._waiting:
            orders_count += len(self._waiting[0].submissions)
            if orders_count > ROUND_ORDERS_MAX:
                break
            groups.append(self._waiting.popleft())
        self._waiting_orders -= sum(len(group.submissions) for group in groups)
        return groups

    async def _decide(self, perform: Performer, groups: Sequence[_Group]) -> None:
        """Decide groups together; when that fails, halve them until only the culprit fails."""
        submissions = [each for group in groups for each in group.submissions]
        round_of_orders = asyncio.create_task(_perform(perform, submissions))
        await asyncio.wait([round_of_orders])
        error = round_of_orders.exception()
        if error is None:
            answers = iter(round_of_orders.result())
            for group in groups:
                _settle(group, [next(answers) for _ in group.submissions])
        elif len(groups) == 1 or isinstance(error, Problem):
            for group in groups:
                if not group.answers.done():
                    group.answers.set_exception(error)
        else:
            half = len(groups) // 2
            await self._decide(perform, groups[:half])
            await self._decide(perform, groups[half:])


def _settle(group: _Group, answers: list[Taken]) -> None:
    if not group.answers.done():
        group.answers.set_result(answers)


async def _perform(perform: Performer, submissions: Sequence[Submission]) -> list[Taken]:
    async def command(tx: Transaction, now: datetime) -> Outcome[list[Taken]]:
        pool = await lock_orders(tx, [each.order_id for each in submissions])
        keys = await load_keys(
            tx,
            {
                (each.order.channel, each.order.shop_id, each.idempotency_key)
                for each in submissions
                if each.idempotency_key is not None
            },
        )
        orders = [each.order for each in submissions] + orders_in(pool)
        directory = await load_directory(tx, orders)
        answers, decision = take(submissions, pool, keys, directory, now)
        await save(tx, decision, now)
        return Outcome(answers, decision.events)

    return await perform(command)
