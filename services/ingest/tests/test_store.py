"""The database states the same rules as the program."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

from backbone import Database
from ingest.decide.status import status_of
from ingest.model.order import HoldReason
from ingest.model.pool import Counters, Decision, Hold, Pooled
from ingest.store.save import save
from ingest.store.terms import load_directory

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
SET_COUNTERS = """
UPDATE pool_order SET cancelled_units = $2, unroutable_units = $3, reserved_units = $4,
    released_units = $5, shipped_units = $6, delivered_units = $7, returned_units = $8,
    waiting_for_limit = $9
WHERE order_id = $1
RETURNING status
"""


def cases() -> Sequence[Pooled]:
    """Every combination of facts that decides a status, three units ordered."""
    hold = Hold("", "h", HoldReason.MANUAL, "order", (), None, "x", NOW)
    before = [
        Pooled("", cancelled_at=cancelled, quarantine_id=quarantined, holds=holds, paid_at=paid)
        for cancelled, quarantined, holds, paid in product(
            (None, NOW), (None, "q"), ((), (hold,)), (None, NOW)
        )
    ]
    after = [
        Pooled(
            "",
            paid_at=NOW,
            accepted_at=NOW,
            waiting_for_limit=waits,
            counters={
                "1": Counters(
                    ordered_units=3,
                    cancelled_units=cancelled,
                    unroutable_units=unroutable,
                    reserved_units=reserved,
                    released_units=released,
                    shipped_units=shipped,
                    delivered_units=delivered,
                    returned_units=returned,
                )
            },
        )
        for (
            cancelled,
            unroutable,
            reserved,
            released,
            shipped,
            delivered,
            returned,
            waits,
        ) in product((0, 1, 3), (0, 1, 2), (0, 1), (0, 1), (0, 2, 3), (0, 3), (0, 3), (False, True))
    ]
    return [replace(each, order_id=str(number)) for number, each in enumerate(before + after)]


async def test_filters_and_answers_agree_on_every_status(database: Database) -> None:
    decision = Decision(orders={each.order_id: each for each in cases()})
    decision.touched.update(decision.orders)
    async with database.transaction() as tx:
        await save(tx, decision, NOW)
        for pooled in decision.orders.values():
            total = pooled.total
            stored = await tx.fetchval(
                SET_COUNTERS,
                pooled.order_id,
                total.cancelled_units,
                total.unroutable_units,
                total.reserved_units,
                total.released_units,
                total.shipped_units,
                total.delivered_units,
                total.returned_units,
                pooled.waiting_for_limit,
            )
            assert stored == status_of(pooled), pooled


async def test_nothing_is_asked_of_the_directory_for_no_orders(database: Database) -> None:
    async with database.transaction() as tx:
        assert (await load_directory(tx, [])).shops == {}
