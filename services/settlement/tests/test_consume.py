"""Batches through the real inbox on a real database: splits, waiting, reversals, dead letters."""

from collections import Counter
from collections.abc import Sequence

import pytest
from settlement_builders import (
    agreement,
    cancelled,
    delivered,
    legal_entity,
    line,
    order,
    party,
    reference_data,
    returned,
    shipped,
    units,
    unroutable,
)

from backbone import Database
from contracts.entries import EarnedOn, PartyKind
from contracts.event import Event
from contracts.postings import JournalPosted, Layer, SplitPlanned, SplitReversed
from settlement.consume import consumer
from settlement.schedule import schedule
from settlement.store.invariants import count_violations
from testbed.bench import Bench

BALANCES = "SELECT account_id, pending_minor, settled_minor FROM account_balance"
SETTLED = {
    "dealer-7-ltd/tmall/channel_clearing/CNY": 20_000,
    "dealer-7-ltd/tmall/platform_fee/CNY": -1_000,
    "dealer-7-ltd/tea-cn/due_to/CNY": -14_000,
    "dealer-7-ltd/dealer-7/dealer_margin/CNY": -5_000,
    "tea-cn/dealer-7-ltd/due_from/CNY": 14_000,
    "tea-cn/tea-brand/supply_revenue/CNY": -14_000,
    "tea-cn/tea-brand/freight_expense/CNY": 800,
    "tea-cn/sf/carrier_payable/CNY": -800,
}


async def balances(database: Database) -> dict[Layer, dict[str, int]]:
    async with database.transaction() as tx:
        rows = await tx.fetch(BALANCES)
    return {
        layer: {row[0]: row[column] for row in rows if row[column]}
        for layer, column in ((Layer.PENDING, 1), (Layer.SETTLED, 2))
    }


async def broken(database: Database) -> list[str]:
    """Return the names of the properties that do not hold."""
    async with database.transaction() as tx:
        found = await count_violations(tx)
    return [each.name for each in found if each.violations_count]


def kinds(events: Sequence[Event]) -> Counter[str]:
    return Counter(
        each.kind if isinstance(each, JournalPosted) else type(each).__name__ for each in events
    )


async def test_an_order_is_split_when_accepted_and_earned_when_delivered(
    apply: Bench, database: Database
) -> None:
    await apply(consumer, reference_data())
    planned = await apply(consumer, [order()])
    assert kinds(planned) == {"SplitPlanned": 1, "split_planned": 2}
    earned = await apply(consumer, [shipped(*units(l1=2)), delivered(*units(l1=2))])
    assert kinds(earned) == {"freight_charged": 1, "split_earned": 2}
    assert await balances(database) == {Layer.PENDING: {}, Layer.SETTLED: SETTLED}
    assert await broken(database) == []


async def test_an_order_waits_for_its_agreement_its_parties_and_their_books(
    apply: Bench, database: Database
) -> None:
    assert await apply(consumer, [order(), order(order_id="o2", agreement_version=2)]) == []
    assert sorted(await apply.parked()) == ["agreement:A1@1", "agreement:A1@2"]
    await apply(consumer, [agreement()])
    assert await apply.sweep(consumer) == []
    assert sorted(await apply.parked()) == ["agreement:A1@2", "party:dealer-7"]
    await apply(
        consumer,
        [
            party("dealer-7", PartyKind.DEALER, "dealer-7-ltd"),
            party("tmall", PartyKind.PLATFORM),
            party("tea-brand", PartyKind.BRAND, "tea-cn"),
            legal_entity("tea-cn"),
        ],
    )
    assert await apply.sweep(consumer) == []
    assert sorted(await apply.parked()) == ["agreement:A1@2", "legal-entity:dealer-7-ltd"]
    await apply(consumer, [legal_entity("dealer-7-ltd")])
    assert kinds(await apply.sweep(consumer)) == {"SplitPlanned": 1, "split_planned": 2}
    assert await apply.parked() == ["agreement:A1@2"]
    assert await broken(database) == []


async def test_facts_that_come_before_their_order_wait_for_it(
    apply: Bench, database: Database
) -> None:
    await apply(consumer, reference_data())
    early = [
        unroutable(*units(l1=1)),
        shipped(*units(l1=2)),
        delivered(*units(l1=2)),
        returned(*units(l1=1)),
    ]
    assert await apply(consumer, early) == []
    # In the batch that brings the order, and one that comes after it in the same batch.
    await apply(consumer, [order(line(units=3, price_minor=3_333))])
    await apply.sweep(consumer)
    assert await apply.parked() == []
    after = await balances(database)
    assert after[Layer.PENDING] == {}
    assert await broken(database) == []


async def test_one_batch_may_bring_an_order_and_all_that_happened_to_it(
    apply: Bench, database: Database
) -> None:
    facts = [shipped(*units(l1=2)), delivered(*units(l1=2)), order(), *reference_data()]
    await apply(consumer, facts)
    await apply.sweep(consumer)
    assert await balances(database) == {Layer.PENDING: {}, Layer.SETTLED: SETTLED}


@pytest.mark.parametrize("earned_on", list(EarnedOn))
async def test_returns_and_cancellations_of_everything_leave_nothing(
    apply: Bench, database: Database, earned_on: EarnedOn
) -> None:
    await apply(consumer, reference_data(earned_on=earned_on))
    await apply(consumer, [order(line(units=7, price_minor=3_333, supply_minor=1_111))])
    outgoing = await apply(
        consumer,
        [
            cancelled(*units(l1=2)),
            unroutable(*units(l1=1)),
            shipped(*units(l1=3), freight_minor=0),
            shipped(*units(l1=1), parcel_id="p2", freight_minor=0),
            delivered(*units(l1=3)),
            returned(*units(l1=2)),
            returned(*units(l1=1), parcel_id="p2", return_id="r2"),
            returned(*units(l1=1), return_id="r3"),
        ],
    )
    reversals = [each for each in outgoing if isinstance(each, SplitReversed)]
    assert {each.cause_id for each in reversals} == {"c1", "d1", "r1", "r2", "r3"}
    assert await balances(database) == {Layer.PENDING: {}, Layer.SETTLED: {}}
    assert await broken(database) == []


async def test_a_fact_about_units_that_are_not_there_becomes_a_dead_letter(
    apply: Bench, database: Database
) -> None:
    await apply(consumer, reference_data())
    good, bad = shipped(*units(l1=1), order_id="o2"), cancelled(*units(l1=5))
    await apply(consumer, [order(), order(order_id="o2")])
    await apply(consumer, [bad, good], dead_count=1)
    assert "line 1 of order o1" in (await apply.dead_letters())[0]
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT shipped_units FROM order_line WHERE order_id = 'o2'") == 1
    assert await broken(database) == []


async def test_an_order_that_its_agreement_cannot_divide_becomes_a_dead_letter(
    apply: Bench,
) -> None:
    await apply(consumer, reference_data())
    await apply(consumer, [order(seller_id="dealer-8"), order(order_id="o2")], dead_count=1)
    assert "dealer-8" in (await apply.dead_letters())[0]


async def test_older_reference_data_changes_nothing(apply: Bench, database: Database) -> None:
    newer = party("dealer-7", PartyKind.DEALER, "dealer-7-ltd", version=2)
    older = party("dealer-7", PartyKind.STORE, None, version=1)
    await apply(consumer, [newer, older, legal_entity("x", version=3), legal_entity("x")])
    await apply(consumer, [older])
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT kind FROM party") == "dealer"
        assert await tx.fetchval("SELECT entry_version FROM legal_entity") == 3


async def test_many_orders_of_one_batch_are_folded_sealed_and_right(
    apply: Bench, database: Database
) -> None:
    await apply(consumer, reference_data(earned_on=EarnedOn.SHIPPED))
    ids = [f"o{number}" for number in range(120)]
    planned = await apply(consumer, [order(order_id=order_id) for order_id in ids])
    assert sum(isinstance(each, SplitPlanned) for each in planned) == 120
    await apply.tick(schedule)
    await apply(
        consumer,
        [shipped(*units(l1=2), order_id=order_id, parcel_id=f"p-{order_id}") for order_id in ids],
    )
    before = await balances(database)  # folded in part, the tail read beside it
    await apply.tick(schedule)
    assert await balances(database) == before
    assert before[Layer.SETTLED] == {name: 120 * amount for name, amount in SETTLED.items()}
    async with database.transaction() as tx:
        blocks = await tx.fetch("SELECT book_id, max(block_index) FROM block GROUP BY book_id")
        assert {row[0]: row[1] for row in blocks} == {"tea-cn": 2, "dealer-7-ltd": 2}
        assert await tx.fetchval("SELECT sum(journals_count) FROM block") == 120 * 5
    assert await broken(database) == []
