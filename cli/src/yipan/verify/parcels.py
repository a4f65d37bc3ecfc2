"""Parcels: what routing says is in them against what inventory holds and has let go for them."""

from yipan.verify.databases import Databases
from yipan.verify.report import Check

_TO_BE_SHIPPED = """
SELECT parcel_id, part ->> 'goods_id',
       sum((p.planned_units - p.short_units - p.cancelled_units)
           * (part ->> 'units_each')::bigint)::bigint AS units
FROM parcel
JOIN parcel_line AS p USING (order_id, parcel_id)
JOIN order_line AS l USING (order_id, line_id)
CROSS JOIN jsonb_array_elements(l.parts) AS part
WHERE execution IN ('planned', 'released', 'picking', 'picked', 'packed')
GROUP BY 1, 2
HAVING sum(p.planned_units - p.short_units - p.cancelled_units) > 0
"""
_HELD = "SELECT parcel_id, goods_id, held_units FROM reservation WHERE held_units > 0"
_SHIPPED = """
SELECT parcel_id, part ->> 'goods_id',
       sum(p.shipped_units * (part ->> 'units_each')::bigint)::bigint AS units
FROM parcel_line AS p
JOIN order_line AS l USING (order_id, line_id)
CROSS JOIN jsonb_array_elements(l.parts) AS part
WHERE p.shipped_units > 0
GROUP BY 1, 2
"""
_CONSUMED = """
SELECT parcel_id, goods_id, consumed_units FROM reservation WHERE consumed_units > 0
"""
_CAPACITY_USED = "SELECT node_id, day, parcels FROM node_day WHERE parcels > 0"
_PROMISED = """
SELECT node_id, promised_on, count(*) FROM parcel
WHERE execution NOT IN ('cancelled', 'incomplete') GROUP BY 1, 2
"""
# Plans ask for stock and parcels are planned only while inventory has not answered.
_UNANSWERED = """
SELECT order_id, 'attempt ' || attempt FROM in_flight
UNION ALL SELECT order_id, 'attempt ' || planned_attempt FROM sales_order WHERE planned_attempt > 0
"""


def check_held(databases: Databases) -> Check:
    """Expect stock to be held for exactly the parcels that are still to be shipped."""
    check = Check("reservations = parcels to be shipped")
    check.expect_same(
        databases.totals("routing", _TO_BE_SHIPPED), databases.totals("inventory", _HELD)
    )
    return check


def check_consumed(databases: Databases) -> Check:
    """Expect stock to have left for exactly the parcels that were shipped."""
    check = Check("stock that left = parcels shipped")
    check.expect_same(
        databases.totals("routing", _SHIPPED), databases.totals("inventory", _CONSUMED)
    )
    return check


def check_capacity(databases: Databases) -> Check:
    """Expect each node's used capacity of a day to be the parcels promised for it."""
    check = Check("capacity used = parcels promised, per node and day")
    promised = databases.totals("routing", _PROMISED)
    check.expect_same(promised, databases.totals("routing", _CAPACITY_USED))
    return check


def check_answered(databases: Databases) -> Check:
    """Expect no plan that still waits for its stock."""
    check = Check("every plan was answered")
    check.compared = databases.rows("routing", "SELECT count(*) FROM decision")[0][0]
    check.expect_none(databases.rows("routing", _UNANSWERED))
    return check
