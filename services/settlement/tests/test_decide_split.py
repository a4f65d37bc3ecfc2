"""Agreements as steps: what is refused, what each step takes, and why."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settlement_builders import line, terms

from contracts.orders import OrderLine, Scenario
from settlement.decide.split import (
    Base,
    PlanRefusedError,
    Step,
    TakeFreight,
    TakeRate,
    TakeResidual,
    TakeShares,
    TakeSupply,
    Weight,
    check,
    run,
    steps_of,
)

PARTIES = {"a", "b", "c"}
FREIGHT = TakeFreight("a", "freight_revenue")
REST = TakeResidual("a", "margin")
LOSS = replace(REST, may_be_negative=True)
SUPPLY = TakeSupply("b", "supply_revenue")
SHARES = TakeShares((Weight("b", "commission", 400_000), Weight("c", "service_fee", 250_000)))

LINES = st.lists(
    st.builds(
        line,
        line_id=st.integers(1, 99).map(str),
        units=st.integers(1, 5),
        price_minor=st.integers(0, 30_000),
        supply_minor=st.integers(0, 30_000),
        freight_minor=st.integers(0, 900),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.line_id,
)


def rate(base: Base = Base.NET, rate_ppm: int = 50_000) -> TakeRate:
    return TakeRate("c", "platform_fee", base, rate_ppm)


def amounts(steps: Sequence[Step], *lines: OrderLine) -> dict[str, int]:
    check(steps, PARTIES)
    return {f"{each.payee_id} {each.component}": each.amount_minor for each in run(steps, lines)}


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([FREIGHT, rate()], "exactly one residual taker"),
        ([FREIGHT, REST, rate()], "at its end"),
        ([REST], "taker of the buyer's freight"),
        ([FREIGHT, FREIGHT, REST], "twice"),
        ([FREIGHT, replace(REST, payee_id="nobody")], "unknown party nobody"),
        ([FREIGHT, rate(rate_ppm=1_000_001), REST], "outside"),
        ([FREIGHT, rate(rate_ppm=-1), REST], "outside"),
        ([FREIGHT, replace(SHARES, weights=(Weight("b", "x", 1_100_000),)), REST], "outside"),
        ([FREIGHT, SUPPLY, REST], "may be negative"),
        ([FREIGHT, rate(Base.GROSS), REST], "may be negative"),
        ([FREIGHT, SHARES, rate(), REST], "may be negative"),
        ([FREIGHT, SUPPLY, SHARES, LOSS], "divides what may be negative"),
        ([FREIGHT, SUPPLY, rate(Base.REMAINING), LOSS], "divides what may be negative"),
    ],
)
def test_a_plan_that_cannot_be_right_is_refused(steps: list[Step], reason: str) -> None:
    with pytest.raises(PlanRefusedError, match=reason):
        check(steps, PARTIES)


@pytest.mark.parametrize("scenario", list(Scenario))
@pytest.mark.parametrize("platform_id", ["tmall", None])
def test_the_templates_are_sound(scenario: Scenario, platform_id: str | None) -> None:
    agreed = terms(scenario=scenario, platform_id=platform_id)
    check(steps_of(agreed), agreed.party_ids)


def test_a_net_rate_sees_the_discount_and_a_gross_rate_does_not() -> None:
    sold = line(units=2, price_minor=10_000, discount_minor=5_000)
    net = amounts([FREIGHT, rate(Base.NET), REST], sold)
    gross = amounts([FREIGHT, rate(Base.GROSS), LOSS], sold)
    assert (net["c platform_fee"], net["a margin"]) == (750, 14_250)
    assert (gross["c platform_fee"], gross["a margin"]) == (1_000, 14_000)


def test_a_rate_is_rounded_once_for_the_order_and_then_allocated() -> None:
    sold = [line(str(number), units=1, price_minor=30) for number in range(1, 4)]
    fee = run([FREIGHT, rate(), REST], sold)[1]
    assert fee.amount_minor == 5  # 4.5; line by line it would be 3 times 2
    assert [each.amount_minor for each in fee.lines] == [2, 2, 1]


def test_shares_divide_what_the_platform_left() -> None:
    shares = amounts([FREIGHT, rate(), SHARES, REST], line(units=1, price_minor=10_001))
    assert shares == {
        "a freight_revenue": 0,
        "c platform_fee": 500,
        "b commission": 3_801,
        "c service_fee": 2_375,
        "a margin": 3_325,
    }


def test_a_dealer_who_sells_below_supply_price_bears_the_loss() -> None:
    steps = [FREIGHT, rate(), SUPPLY, LOSS]
    taken = amounts(steps, line(units=1, price_minor=6_000, supply_minor=7_000))
    assert taken["a margin"] == 6_000 - 300 - 7_000


def test_a_trace_names_the_step_and_its_inputs() -> None:
    fee = run([FREIGHT, rate(), REST], [line()])[1]
    assert (fee.step, fee.amount_minor) == ("take_rate", 1_000)
    assert fee.inputs == {"base": "net", "base_minor": 20_000, "rate_ppm": 50_000}


@given(LINES, st.integers(0, 1_000_000))
def test_every_line_is_allocated_to_the_unit(lines: list[OrderLine], rate_ppm: int) -> None:
    for steps in (
        [FREIGHT, rate(rate_ppm=rate_ppm), SUPPLY, LOSS],
        [FREIGHT, rate(rate_ppm=rate_ppm), SHARES, REST],
        [FREIGHT, rate(Base.GROSS, rate_ppm), LOSS],
    ):
        trace = run(steps, lines)
        for index, sold in enumerate(lines):
            taken = [each.lines[index].amount_minor for each in trace]
            assert sum(taken) == sold.amount_minor + sold.freight_minor


@given(LINES)
def test_a_plan_that_may_not_be_negative_is_not(lines: list[OrderLine]) -> None:
    for traced in run([FREIGHT, rate(), SHARES, REST], lines):
        assert min(each.amount_minor for each in traced.lines) >= 0
