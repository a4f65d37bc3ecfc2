"""Dealers' limits: accounts against their entries, holds, and the orders behind them."""

from yipan.verify.databases import Databases
from yipan.verify.report import Check

_ACCOUNTS = "SELECT account_id, settled_minor, held_minor FROM account"
_BY_ENTRIES = """
SELECT a.account_id, coalesce(sum(e.settled_change_minor), 0)::bigint,
       coalesce(sum(e.held_change_minor), 0)::bigint
FROM account AS a LEFT JOIN account_entry AS e USING (account_id) GROUP BY 1
"""
_BY_HOLDS = """
SELECT account_id,
       (coalesce(sum(reversed_minor - captured_minor), 0) + coalesce((
            SELECT sum(settled_change_minor) FROM account_entry AS e
            WHERE e.account_id = a.account_id AND kind = 'top_up'), 0))::bigint,
       coalesce(sum(amount_minor - captured_minor - released_minor)
                FILTER (WHERE granted_at IS NOT NULL), 0)::bigint
FROM account AS a LEFT JOIN hold AS h USING (account_id)
GROUP BY a.account_id
"""
_HOLDS = """
SELECT order_id, amount_minor, captured_minor, released_minor, reversed_minor FROM hold
WHERE account_id IS NOT NULL
"""
_HOLDS_BY_LINES = """
SELECT order_id, sum(supply_price_minor * quantity_units)::bigint,
       sum(supply_price_minor * captured_units)::bigint,
       sum(supply_price_minor * released_units)::bigint,
       sum(supply_price_minor * reversed_units)::bigint
FROM hold_line JOIN hold USING (order_id) WHERE account_id IS NOT NULL GROUP BY 1
"""
# Used and held beyond the limit at the moment a hold was made (promise G6), or another limit
# written down than the one that was in force then.
_OVERSPENT = """
SELECT account_id || ' entry ' || entry_sequence, held_minor - settled_minor, limit_minor
FROM account_entry AS e
WHERE kind = 'hold' AND (held_minor - settled_minor > limit_minor OR limit_minor <> coalesce((
    SELECT l.amount_minor FROM account_limit AS l
    WHERE l.account_id = e.account_id AND l.entry_sequence < e.entry_sequence
        AND l.valid_from <= e.recorded_at AND (l.valid_to IS NULL OR e.recorded_at < l.valid_to)
    ORDER BY l.entry_sequence DESC LIMIT 1), 0))
"""
_BROKEN_RUNS = """
SELECT account_id, entry_sequence, settled_minor, held_minor FROM (
    SELECT *, lag(settled_minor, 1, 0::bigint) OVER w + settled_change_minor AS settled_next,
           lag(held_minor, 1, 0::bigint) OVER w + held_change_minor AS held_next,
           lag(entry_sequence, 1, 0::bigint) OVER w + 1 AS sequence_next
    FROM account_entry WINDOW w AS (PARTITION BY account_id ORDER BY entry_sequence)
) AS run
WHERE (settled_minor, held_minor, entry_sequence) <> (settled_next, held_next, sequence_next)
"""


def check_accounts(databases: Databases) -> Check:
    """Expect settled and held to be what the entries, and again what the holds, add up to."""
    check = Check("limit accounts = their entries = their holds and top-ups")
    accounts = _pairs(databases, _ACCOUNTS)
    check.expect_same(_pairs(databases, _BY_ENTRIES), accounts)
    check.expect_same(_pairs(databases, _BY_HOLDS), accounts)
    check.expect_none(databases.rows("quota", _BROKEN_RUNS))
    return check


def check_overspending(databases: Databases) -> Check:
    """Expect no hold beyond the limit that was in force when it was made."""
    check = Check("no hold was made beyond its limit")
    check.compared = databases.rows(
        "quota", "SELECT count(*) FROM account_entry WHERE kind = 'hold'"
    )[0][0]
    check.expect_none(databases.rows("quota", _OVERSPENT))
    return check


def check_holds(databases: Databases) -> Check:
    """Expect each hold to be the sum of its lines at their frozen supply prices."""
    check = Check("holds = their lines at supply price")
    check.expect_same(_pairs(databases, _HOLDS_BY_LINES), _pairs(databases, _HOLDS))
    return check


def _pairs(databases: Databases, sql: str) -> dict[object, tuple[object, ...]]:
    return {subject: tuple(amounts) for subject, *amounts in databases.rows("quota", sql)}
