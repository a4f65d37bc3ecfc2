"""Stock: its rows against the ledger, and against what parcels hold."""

from yipan.verify.databases import Databases
from yipan.verify.report import Check

_STOCK = """
SELECT node_id, goods_id, condition, on_hand_units, reserved_units, missing_units, version
FROM stock WHERE version > 0
"""
_LEDGER = """
SELECT node_id, goods_id, condition, sum(on_hand_delta_units)::bigint,
       sum(reserved_delta_units)::bigint, sum(missing_delta_units)::bigint, count(*)
FROM stock_ledger GROUP BY 1, 2, 3
"""
_RESERVED = """
SELECT node_id, goods_id, reserved_units FROM stock
WHERE condition = 'sellable' AND reserved_units > 0
"""
_HELD = """
SELECT node_id, goods_id, sum(held_units)::bigint FROM reservation
WHERE held_units > 0 GROUP BY 1, 2
"""
# Promise G5, at every movement that was ever recorded and not only now.
_OVERSOLD = """
SELECT node_id, goods_id, condition, version, on_hand, reserved FROM (
    SELECT *, sum(on_hand_delta_units) OVER run AS on_hand,
           sum(reserved_delta_units) OVER run AS reserved
    FROM stock_ledger
    WINDOW run AS (PARTITION BY node_id, goods_id, condition ORDER BY version)
) AS history
WHERE reserved < 0 OR reserved > on_hand
"""


def check_ledger(databases: Databases) -> Check:
    """Expect each row of stock to be the sum of its movements, none of them missing."""
    check = Check("stock = its ledger")
    check.expect_same(_by_place(databases, _LEDGER, 3), _by_place(databases, _STOCK, 3))
    return check


def check_reserved(databases: Databases) -> Check:
    """Expect reserved units to be what parcels hold."""
    check = Check("reserved stock = reservations")
    check.expect_same(_by_place(databases, _HELD, 2), _by_place(databases, _RESERVED, 2))
    return check


def check_overselling(databases: Databases) -> Check:
    """Expect reserved units never to have been more than those on hand."""
    check = Check("never oversold at any movement")
    check.compared = databases.rows("inventory", "SELECT count(*) FROM stock_ledger")[0][0]
    check.expect_none(databases.rows("inventory", _OVERSOLD))
    return check


def _by_place(
    databases: Databases, sql: str, columns: int
) -> dict[tuple[object, ...], tuple[object, ...]]:
    return {row[:columns]: row[columns:] for row in databases.rows("inventory", sql)}
