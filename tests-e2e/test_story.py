"""A story from its first order to a balanced ledger, also while processes are killed."""

from collections import Counter

import pytest

from yipan.demo import performance, qinghe
from yipan.demo.summary import Result
from yipan.home import Home

ORDERS = 250
KILLED_ORDERS = 150
KILL_EVERY_S = 2.0
FINAL = {"delivered", "returned", "cancelled", "unroutable", "quarantined"}


@pytest.fixture(scope="module")
def told(home: Home) -> Result:
    return performance.perform(home, qinghe.tell(ORDERS, seed=11), kill_every_s=None, seed=11)


def test_every_order_comes_to_an_end(told: Result) -> None:
    states = dict(told.figures.sections["orders by state"])
    assert set(states) <= FINAL
    assert sum(states.values()) == ORDERS


def test_money_accepted_is_the_money_paid(told: Result) -> None:
    assert told.figures.accepted_minor == told.figures.paid_minor > 0
    assert told.figures.unequal == ()


def test_orders_that_do_not_add_up_are_listed_and_no_others(told: Result) -> None:
    spoilt = [
        order.number
        for order in qinghe.tell(ORDERS, seed=11).orders
        if _lines_minor(order.body["lines"]) + order.body["freight_minor"]
        != order.body["total_minor"]
    ]
    assert list(told.figures.mismatched) == sorted(spoilt)


def test_the_reconciler_finds_no_difference(told: Result) -> None:
    differing = [check for check in told.report.checks if check.differences]
    assert differing == []
    assert told.report.compared > 20 * ORDERS


def test_nothing_is_lost_or_doubled_when_processes_are_killed(home: Home, told: Result) -> None:
    """A second story, told after the first; the reconciler then looks at both."""
    story = qinghe.tell(KILLED_ORDERS, seed=12, prefix="K")
    result = performance.perform(home, story, kill_every_s=KILL_EVERY_S, seed=12)
    assert result.kills.total() >= 3
    assert [check for check in result.report.checks if check.differences] == []
    states: Counter[str] = Counter(dict(result.figures.sections["orders by state"]))
    assert states.total() == ORDERS + KILLED_ORDERS
    assert set(states) <= FINAL
    assert told.is_good


def _lines_minor(lines: list[dict[str, int]]) -> int:
    return sum(
        line["unit_price_minor"] * line["quantity_units"] - line["discount_minor"] for line in lines
    )
