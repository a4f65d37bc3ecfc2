"""Stock, capacity, goods and agreements for the orders of one batch, a query each."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from backbone import Transaction
from contracts.availability import AvailabilityChanged
from routing.model.fulfilment import Order
from routing.model.world import Agreement, Goods, Prospect, Reference

LOAD_STOCK = """
SELECT s.goods_id, s.node_id, s.available_units - coalesce(f.units, 0)::bigint AS free_units
FROM stock s
LEFT JOIN (
    SELECT goods_id, node_id, sum(quantity_units) AS units FROM in_flight
    WHERE goods_id = ANY($1::text[]) GROUP BY goods_id, node_id
) AS f USING (goods_id, node_id)
WHERE s.goods_id = ANY($1::text[]) AND s.available_units > coalesce(f.units, 0)
"""
# Other days have room for the whole batch, so their figures are not needed.
LOAD_NEARLY_FULL = """
SELECT d.node_id, d.day, d.parcels FROM node_day d JOIN node n USING (node_id)
WHERE d.day BETWEEN $1 AND $2 AND d.parcels + $3 >= n.capacity_parcels
"""
LOAD_GOODS = "SELECT goods_id, weight_g, product_line FROM goods WHERE goods_id = ANY($1::text[])"
LOAD_AGREEMENTS = """
SELECT a.agreement_id, a.entry_version, a.coverage, a.product_lines
FROM agreement a JOIN unnest($1::text[], $2::int[]) AS w (agreement_id, entry_version)
    USING (agreement_id, entry_version)
"""
FIND_LACKING = """
SELECT w.order_id, o.order_id IS NOT NULL AS is_known, o.agreement_id, o.agreement_version,
    a.agreement_id IS NOT NULL AS is_agreed,
    (SELECT min(needed.goods_id) FROM order_line l
        CROSS JOIN LATERAL (SELECT l.goods_id UNION
            SELECT part ->> 'goods_id' FROM jsonb_array_elements(l.parts) AS part) AS needed
        WHERE l.order_id = w.order_id
            AND NOT EXISTS (SELECT FROM goods g WHERE g.goods_id = needed.goods_id)) AS goods_id
FROM unnest($1::text[]) AS w (order_id)
LEFT JOIN sales_order o USING (order_id)
LEFT JOIN agreement a
    ON a.agreement_id = o.agreement_id AND a.entry_version = o.agreement_version
"""
SAVE_STOCK = """
INSERT INTO stock AS s (goods_id, node_id, available_units, stock_version)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) ORDER BY 1, 2
ON CONFLICT (goods_id, node_id) DO UPDATE SET available_units = excluded.available_units,
    stock_version = excluded.stock_version
WHERE excluded.stock_version > s.stock_version
"""


async def load_prospect(
    tx: Transaction, orders: Collection[Order], reference: Reference, now: datetime
) -> Prospect:
    """Read what planning these orders needs; nothing is read where there are none."""
    if not orders:
        return Prospect({}, {}, {}, {})
    goods_ids = {line.goods_id for order in orders for line in order.lines}
    goods_ids |= {part.goods_id for order in orders for line in order.lines for part in line.parts}
    wanted = sorted(goods_ids)
    agreements = {(order.agreement_id, order.agreement_version) for order in orders}
    parcels_max = len(orders) * reference.policy.parcels_max
    return Prospect(
        goods=await _load_goods(tx, wanted),
        agreements=await _load_agreements(tx, sorted(agreements)),
        stock=await _load_stock(tx, wanted),
        taken_parcels=await _load_days(tx, now, reference.policy.horizon_days, parcels_max),
    )


async def find_lacking(tx: Transaction, order_ids: Sequence[str]) -> dict[str, str]:
    """Return what orders still lack before they can be planned, by order."""
    lacking: dict[str, str] = {}
    for row in await tx.fetch(FIND_LACKING, sorted(set(order_ids))):
        if not row["is_known"]:
            lacking[row["order_id"]] = f"order:{row['order_id']}"
        elif not row["is_agreed"]:
            key = f"agreement:{row['agreement_id']}@{row['agreement_version']}"
            lacking[row["order_id"]] = key
        elif row["goods_id"] is not None:
            lacking[row["order_id"]] = f"goods:{row['goods_id']}"
    return lacking


async def save_stock(tx: Transaction, changes: Sequence[AvailabilityChanged]) -> None:
    """Take availability over; a lower version than the one known is stale and passed over."""
    newest: dict[tuple[str, str], AvailabilityChanged] = {}
    for change in changes:
        key = (change.goods_id, change.node_id)
        if key not in newest or change.stock_version > newest[key].stock_version:
            newest[key] = change
    await tx.execute(
        SAVE_STOCK,
        [goods_id for goods_id, _ in newest],
        [node_id for _, node_id in newest],
        [change.available_units for change in newest.values()],
        [change.stock_version for change in newest.values()],
    )


async def _load_goods(tx: Transaction, goods_ids: list[str]) -> dict[str, Goods]:
    rows = await tx.fetch(LOAD_GOODS, goods_ids)
    return {row["goods_id"]: Goods(row["weight_g"], row["product_line"]) for row in rows}


async def _load_agreements(
    tx: Transaction, wanted: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], Agreement]:
    rows = await tx.fetch(
        LOAD_AGREEMENTS, [each for each, _ in wanted], [version for _, version in wanted]
    )
    return {
        (row["agreement_id"], row["entry_version"]): Agreement(
            tuple(row["coverage"]), frozenset(row["product_lines"])
        )
        for row in rows
    }


async def _load_stock(tx: Transaction, goods_ids: list[str]) -> Mapping[str, Mapping[str, int]]:
    stock: dict[str, dict[str, int]] = defaultdict(dict)
    for goods_id, node_id, free_units in await tx.fetch(LOAD_STOCK, goods_ids):
        stock[goods_id][node_id] = free_units
    return stock


async def _load_days(
    tx: Transaction, now: datetime, horizon_days: int, parcels_max: int
) -> dict[tuple[str, date], int]:
    # A day to either side: nodes east and west of us have another date.
    first = now.date() - timedelta(days=1)
    last = now.date() + timedelta(days=horizon_days + 1)
    rows = await tx.fetch(LOAD_NEARLY_FULL, first, last, parcels_max)
    return {(row["node_id"], row["day"]): row["parcels"] for row in rows}
