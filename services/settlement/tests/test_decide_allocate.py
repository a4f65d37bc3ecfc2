"""Dividing minor units: exact, fair to a unit, independent of order."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from settlement.decide.allocate import allocate, first_units, rate_of, round_half_away

AMOUNTS = st.lists(st.integers(-20_000, 50_000), min_size=1, max_size=5)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=6).filter(any)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(5, 2, 3), (-5, 2, -3), (7, 3, 2), (-7, 3, -2), (8, 3, 3), (0, 9, 0)],
)
def test_halves_round_away_from_zero(numerator: int, denominator: int, expected: int) -> None:
    assert round_half_away(numerator, denominator) == expected


def test_a_rate_is_parts_per_million() -> None:
    assert rate_of(20_000, 50_000) == 1_000
    assert rate_of(30, 50_000) == 2  # 1.5


def test_spare_units_go_to_the_largest_remainders_then_to_the_earlier_weight() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(10, [1, 2, 4]) == [1, 3, 6]


@given(st.integers(-100_000, 100_000), WEIGHTS)
def test_parts_add_up_and_are_within_a_unit_of_exact(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


@given(st.integers(0, 100_000), WEIGHTS, st.data())
def test_parts_of_unequal_remainders_do_not_depend_on_the_order_of_weights(
    total: int, weights: list[int], data: st.DataObject
) -> None:
    remainders = [total * weight % sum(weights) for weight in weights]
    assume(len(set(remainders)) == len(remainders))
    order = data.draw(st.permutations(range(len(weights))))
    parts = allocate(total, weights)
    assert allocate(total, [weights[index] for index in order]) == [parts[i] for i in order]


def test_nothing_to_divide_among_nobody_is_nothing() -> None:
    assert allocate(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match="nobody to take 5"):
        allocate(5, [0, 0])
    with pytest.raises(ValueError, match="negative weight"):
        allocate(5, [3, -1])


@given(AMOUNTS, st.integers(1, 40))
def test_units_take_everything_and_never_give_back(amounts: list[int], of_units: int) -> None:
    taken = [first_units(amounts, units, of_units) for units in range(of_units + 1)]
    assert taken[0] == [0] * len(amounts)
    assert taken[-1] == amounts
    for before, after in pairwise(taken):
        for amount, low, high in zip(amounts, before, after, strict=True):
            assert (high - low) * (1 if amount >= 0 else -1) >= 0


@given(AMOUNTS, st.integers(1, 40), st.data())
def test_what_units_take_is_near_their_exact_part(
    amounts: list[int], of_units: int, data: st.DataObject
) -> None:
    units = data.draw(st.integers(0, of_units))
    taken = first_units(amounts, units, of_units)
    for amount, part in zip(amounts, taken, strict=True):
        assert abs(part - Fraction(amount * units, of_units)) < 2


@given(AMOUNTS.filter(lambda amounts: min(amounts) >= 0), st.integers(1, 40), st.data())
def test_the_sum_of_what_units_take_is_rounded_once(
    amounts: list[int], of_units: int, data: st.DataObject
) -> None:
    units = data.draw(st.integers(0, of_units))
    taken = first_units(amounts, units, of_units)
    assert sum(taken) == round_half_away(sum(amounts) * units, of_units)


def test_units_take_their_part_one_after_another() -> None:
    assert [first_units([100], units, 3) for units in range(4)] == [[0], [33], [67], [100]]
    assert [first_units([1, 1, 1], units, 3) for units in range(4)] == [
        [0, 0, 0],
        [1, 0, 0],
        [1, 1, 0],
        [1, 1, 1],
    ]


def test_more_units_never_take_less_where_largest_remainder_would() -> None:
    weights = [5, 3, 1]  # of the total 4 the last would get a unit, and lose it of the total 5
    assert (allocate(4, weights), allocate(5, weights)) == ([2, 1, 1], [3, 2, 0])
    assert [first_units(weights, units, 9) for units in (4, 5)] == [[3, 1, 0], [3, 2, 0]]


def test_a_line_of_a_million_units_costs_no_more_than_one_of_three() -> None:
    taken = first_units([7_000_001, 2_999_999, 13], 499_991, 999_983)
    assert taken == [3_499_997, 1_499_998, 6]  # exactly ...996.9999, ...997.99997, 6.4999
