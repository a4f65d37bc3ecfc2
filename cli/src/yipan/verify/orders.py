"""Order lines: what every service says became of their units."""

from yipan.verify.databases import Databases
from yipan.verify.report import Check

# Each gives order, line, then ordered, cancelled, unroutable, shipped and returned units.
_AT_INGEST = """
SELECT order_id, line_id, l.ordered_units, l.cancelled_units, l.unroutable_units,
       l.shipped_units, l.returned_units
FROM order_line AS l JOIN pool_order AS o USING (order_id) WHERE o.accepted_at IS NOT NULL
"""
_AT_ROUTING = """
SELECT order_id, line_id, ordered_units, cancelled_units, unroutable_units, shipped_units,
       returned_units
FROM order_line
"""
_AT_SETTLEMENT = """
SELECT order_id, line_id, ordered_units, cancelled_units, unroutable_units, shipped_units,
       withdrawn_units + refunded_units
FROM order_line
"""
_AT_QUOTA = """
SELECT order_id, line_id, quantity_units, released_units, captured_units, reversed_units
FROM hold_line
"""
Line = tuple[str, str]


def check_ingest(databases: Databases) -> Check:
    """Expect ingest's projection of every accepted order to say what routing says."""
    check = Check("order lines at ingest = at routing")
    check.expect_same(
        _units(databases, "routing", _AT_ROUTING), _units(databases, "ingest", _AT_INGEST)
    )
    return check


def check_settlement(databases: Databases) -> Check:
    """Expect settlement to have split what routing shipped, cancelled and took back."""
    check = Check("order lines at settlement = at routing")
    check.expect_same(
        _units(databases, "routing", _AT_ROUTING),
        _units(databases, "settlement", _AT_SETTLEMENT),
    )
    return check


def check_quota(databases: Databases) -> Check:
    """Expect quota to have captured what was shipped and released what never will be."""
    check = Check("order lines at quota = at routing")
    routed = _units(databases, "routing", _AT_ROUTING)
    held = _units(databases, "quota", _AT_QUOTA)
    expected = {
        line: (ordered, cancelled + unroutable, shipped, returned)
        for line, (ordered, cancelled, unroutable, shipped, returned) in routed.items()
    }
    check.expect_same(expected, held)
    return check


def check_sums(databases: Databases) -> Check:
    """Expect no line with more units cancelled, given up or shipped than were ordered."""
    check = Check("units of a line add up")
    for line, units in _units(databases, "routing", _AT_ROUTING).items():
        ordered, cancelled, unroutable, shipped, returned = units
        sound = cancelled + unroutable + shipped <= ordered and returned <= shipped
        check.expect(line, expected=True, found=sound)
    return check


def _units(databases: Databases, service: str, sql: str) -> dict[Line, tuple[int, ...]]:
    return {
        (order_id, line_id): tuple(units)
        for order_id, line_id, *units in databases.rows(service, sql)
    }
