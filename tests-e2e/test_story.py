"""A story from its first order to a balanced ledger, also while processes are killed."""

from collections import Counter

import psycopg
import pytest

from yipan.demo import performance, qinghe
from yipan.demo.summary import Result
from yipan.home import Home

ORDERS = 250
KILLED_ORDERS = 150
KILL_EVERY_S = 4.0
STORY = qinghe.tell(ORDERS, seed=11, prefix="S")
FINAL = {"delivered", "returned", "cancelled", "unroutable", "quarantined"}


@pytest.fixture(scope="module")
def told(home: Home) -> Result:
    return performance.perform(home, STORY, kill_every_s=None, seed=11)


def test_every_order_comes_to_an_end(home: Home, told: Result) -> None:
    states = _states(home, "S")
    assert set(states) <= FINAL
    assert states.total() == ORDERS
    assert told.done["orders accepted"] > ORDERS // 2


def test_money_accepted_is_the_money_paid(told: Result) -> None:
    assert told.figures.accepted_minor == told.figures.paid_minor > 0
    assert told.figures.unequal == ()


def test_orders_that_do_not_add_up_are_listed_and_no_others(told: Result) -> None:
    spoilt = [
        order.number
        for order in STORY.orders
        if _lines_minor(order.body["lines"]) + order.body["freight_minor"]
        != order.body["total_minor"]
    ]
    assert spoilt
    assert [number for number in told.figures.mismatched if number[0] == "S"] == sorted(spoilt)


def test_the_reconciler_finds_no_difference(told: Result) -> None:
    differing = [check for check in told.report.checks if check.differences]
    assert differing == []
    assert told.report.compared > 20 * ORDERS


@pytest.mark.timeout(400)
def test_nothing_is_lost_or_doubled_when_processes_are_killed(home: Home) -> None:
    """Another story in the same home; the reconciler looks at everything that was ever told."""
    story = qinghe.tell(KILLED_ORDERS, seed=12, prefix="K")
    result = performance.perform(home, story, kill_every_s=KILL_EVERY_S, seed=12)
    assert result.kills.total() >= 2
    assert [check for check in result.report.checks if check.differences] == []
    states = _states(home, "K")
    assert set(states) <= FINAL
    assert states.total() == KILLED_ORDERS


def _states(home: Home, prefix: str) -> Counter[str]:
    """Return how many orders whose number begins so are in which state."""
    with psycopg.connect(home.running().services["ingest"].database_url) as connection:
        rows = connection.execute(
            "SELECT status, count(*) FROM pool_order WHERE channel_order_number LIKE %s GROUP BY 1",
            (f"{prefix}%",),
        ).fetchall()
    return Counter(dict(rows))


def _lines_minor(lines: list[dict[str, int]]) -> int:
    return sum(
        line["unit_price_minor"] * line["quantity_units"] - line["discount_minor"] for line in lines
    )
