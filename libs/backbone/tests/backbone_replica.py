"""One replica of the front or the back as a process of its own.

    python backbone_replica.py back DSN BOOTSTRAP [FAULT]
    python backbone_replica.py front DSN BOOTSTRAP [FAULT]

The front places the orders that table `wanted` names, once among all its replicas. FAULT is
`die-before-delete` (of what the relay published), `hang` or `block` (in the first handler call).
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime

import asyncpg
from backbone_sample import (
    ORDERS,
    Placed,
    back_consumer,
    back_outbox,
    front_outbox,
    placed,
)

from backbone import Batch, Consumer, Database, Hub, Limits, Outcome, Transaction, relay
from backbone.failures import is_transient
from contracts.event import Event

TAKE_WANTED = """
DELETE FROM wanted WHERE place IN (
    SELECT place FROM wanted WHERE place % $1 = $2 ORDER BY place LIMIT 20 FOR UPDATE)
RETURNING place, order_id, number
"""


async def place_orders(database: Database, share: int) -> None:
    """Place what is wanted, in order, a few orders a transaction."""

    async def place_some(tx: Transaction, now: datetime) -> Outcome[int]:
        rows = await tx.fetch(TAKE_WANTED, 2, share)
        wanted = sorted((row["place"], row["order_id"], row["number"]) for row in rows)
        events = [placed(order_id, number) for _, order_id, number in wanted]
        assert now.tzinfo
        return Outcome(len(events), events)

    while True:
        try:
            count = await database.perform(place_some)
        except Exception as error:
            if not is_transient(error):
                raise
            count = 0
        await asyncio.sleep(0.005 if count else 0.1)


def inject(fault: str) -> Consumer:
    """Return the back's consumer with a fault built in."""
    if fault == "die-before-delete":
        _die_before_delete()
    if fault not in ("hang", "block"):
        return back_consumer()
    consumer = Consumer("back")

    @consumer.on(ORDERS, Placed)
    async def stall(batch: Batch[Placed], tx: Transaction) -> Sequence[Event]:
        assert batch.records
        assert tx
        if fault == "block":
            time.sleep(3600)  # noqa: ASYNC251 that is the fault
        await asyncio.sleep(3600)
        return []

    assert stall
    return consumer


def _die_before_delete() -> None:
    execute = asyncpg.Connection.execute

    async def die(self: object, query: str, *args: object, **options: object) -> str:
        if query == relay.REMOVE_CHUNKS:
            os.kill(os.getpid(), signal.SIGKILL)
        return await execute(self, query, *args, **options)  # type: ignore[arg-type]

    asyncpg.Connection.execute = die


async def main(role: str, dsn: str, bootstrap: str, fault: str) -> None:
    """Run the replica to its end."""
    limits = Limits(stall_s=3, blocked_s=3) if fault in ("hang", "block") else Limits()
    outbox = back_outbox() if role == "back" else front_outbox()
    consumer = inject(fault)
    async with Database(dsn, outbox) as database:
        hub = Hub(database, bootstrap, consumer if role == "back" else None, limits=limits)
        loops = [place_orders(database, int(sys.argv[5]))] if role == "front" else []
        asyncio.get_running_loop().call_soon(print, os.getpid(), "runs")
        await hub.serve(*loops)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s %(args)s")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    asyncio.run(main(*sys.argv[1:4], fault=sys.argv[4]))
