"""Who ships what, without a database."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_builders import (
    NODE,
    NOW,
    SHANGHAI,
    SUZHOU,
    line,
    order,
    plan,
    prospect,
    world,
)

from contracts.plans import OrderRouted, OrderUnroutable
from contracts.values import Place, Service
from routing.decide.distance import distance_m, region_distance_m
from routing.decide.freight import freight_minor, rate_from, rates_to
from routing.decide.route import Routed, route
from routing.decide.workdays import end_of, working_days
from routing.model.fulfilment import Decision, Exclusion, Execution, Order
from routing.model.world import Agreement, Code, FreightRate, Node, Policy

PLENTY = {"tea": {"shanghai": 50, "suzhou": 50}}


def routed(result: Routed) -> OrderRouted:
    (event,) = [event for event in result.events if isinstance(event, OrderRouted)]
    return event


def unroutable(result: Routed) -> OrderUnroutable:
    (event,) = [event for event in result.events if isinstance(event, OrderUnroutable)]
    return event


def record(result: Routed) -> dict[str, Any]:
    return msgspec.json.decode(result.records[0].record)


def test_the_cheapest_node_ships() -> None:
    event = routed(plan(order(), stock=PLENTY))
    (parcel,) = event.parcels
    assert parcel.node_id == "shanghai"
    assert (parcel.freight_minor, parcel.handling_minor, event.cost_minor) == (800, 150, 950)


def test_a_better_tier_goes_before_a_lower_cost() -> None:
    nodes = (replace(NODE, tier=1), SUZHOU)
    event = routed(plan(order(), stock=PLENTY, reference=world(*nodes)))
    assert [parcel.node_id for parcel in event.parcels] == ["suzhou"]


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (replace(NODE, is_enabled=False), Code.NODE_DISABLED),
        (replace(NODE, services=frozenset({Service.PICKUP})), Code.SERVICE),
        (replace(NODE, currency="BRL"), Code.CURRENCY),
        (replace(NODE, coverage=("CN-32",)), Code.COVERAGE),
        (replace(NODE, capacity_parcels=0), Code.CAPACITY),
        (replace(NODE, safety_units=50), Code.STOCK),
    ],
)
def test_a_constraint_eliminates_with_its_code(node: Node, code: Code) -> None:
    result = plan(order(), stock=PLENTY, reference=world(node))
    assert [reason.code for reason in unroutable(result).reasons] == [code]
    assert record(result)["eliminated"] == {code: ["shanghai"]}
    assert unroutable(result).order_done


@pytest.mark.parametrize(
    ("agreement", "code"),
    [
        (Agreement(("CN-32",), frozenset()), Code.SELLER_REGION),
        (Agreement((), frozenset({"food"})), Code.PRODUCT_LINE),
    ],
)
def test_a_seller_ships_only_what_and_where_it_may(agreement: Agreement, code: Code) -> None:
    result = route(Decision((order(),), ()), world(), prospect(PLENTY, agreement), NOW)
    assert code in [reason.code for reason in unroutable(result).reasons]


def test_an_excluded_node_is_not_asked_again() -> None:
    excluded = replace(order(), exclusions=(Exclusion("shanghai", "", 0, "rejected"),))
    event = routed(plan(excluded, stock=PLENTY))
    assert [parcel.node_id for parcel in event.parcels] == ["suzhou"]


def test_a_shortage_caps_what_is_asked_again() -> None:
    capped = replace(order(line(units=3)), exclusions=(Exclusion("shanghai", "tea", 2, "short"),))
    event = routed(plan(capped, stock=PLENTY))
    assert {p.node_id: p.goods[0].quantity_units for p in event.parcels} == {"suzhou": 3}


def test_one_far_parcel_is_taken_when_two_near_ones_cost_more() -> None:
    stock = {"tea": {"shanghai": 1, "suzhou": 2}}
    event = routed(plan(order(line(units=2)), stock=stock))
    assert [parcel.node_id for parcel in event.parcels] == ["suzhou"]


def test_lines_are_split_when_no_node_has_all() -> None:
    stock = {"tea": {"shanghai": 5}, "cup": {"suzhou": 5}}
    result = plan(order(line("1", "tea", 2), line("2", "cup", 1)), stock=stock)
    event = routed(result)
    assert {p.node_id: p.lines[0].line_id for p in event.parcels} == {
        "shanghai": "1",
        "suzhou": "2",
    }
    assert event.cost_minor == 800 + 150 + 1200 + 150 + 300
    assert record(result)["chosen"] == [p.node_id for p in event.parcels]


def test_units_are_split_when_no_node_has_the_line() -> None:
    stock = {"tea": {"shanghai": 2, "suzhou": 1}}
    event = routed(plan(order(line(units=3)), stock=stock))
    assert sum(p.lines[0].quantity_units for p in event.parcels) == 3


def test_a_kit_is_never_divided() -> None:
    stock = {"pot": {"shanghai": 5}, "cup": {"suzhou": 5}}
    kit = line("1", "set", 1, pot=1, cup=4)
    assert unroutable(plan(order(kit), stock=stock)).lines[0].quantity_units == 1


def test_goods_of_two_lines_are_summed_before_stock_is_checked() -> None:
    stock = {"cup": {"shanghai": 5}, "pot": {"shanghai": 5}}
    result = plan(order(line("1", "set", 1, pot=1, cup=4), line("2", "cup", 2)), stock=stock)
    (parcel,) = routed(result).parcels
    assert {goods.goods_id: goods.quantity_units for goods in parcel.goods} == {"cup": 5, "pot": 1}
    assert [left.quantity_units for left in unroutable(result).lines] == [1]


def test_what_can_be_had_ships_and_the_rest_is_given_up() -> None:
    result = plan(order(line(units=5)), stock={"tea": {"shanghai": 3}})
    assert routed(result).parcels[0].lines[0].quantity_units == 3
    assert unroutable(result).lines[0].quantity_units == 2
    assert unroutable(result).attempt == routed(result).attempt
    assert not unroutable(result).order_done


def test_an_order_that_ships_complete_ships_all_or_nothing() -> None:
    stock = {"tea": {"shanghai": 3}}
    result = plan(order(line(units=5), ship_complete=True), stock=stock)
    assert unroutable(result).lines[0].quantity_units == 5
    assert Code.SHIP_COMPLETE in [reason.code for reason in unroutable(result).reasons]
    assert result.orders[0].planned_attempt == 0


def test_no_more_parcels_than_the_policy_allows() -> None:
    nodes = tuple(replace(NODE, node_id=f"node-{number}") for number in range(4))
    stock = {"tea": {node.node_id: 1 for node in nodes}}
    reference = world(*nodes, policy=Policy(parcels_max=2, stock_wait_s=0))
    result = plan(order(line(units=4)), stock=stock, reference=reference)
    assert len(routed(result).parcels) == 2
    assert unroutable(result).lines[0].quantity_units == 2
    assert Code.PARCELS_MAX in [reason.code for reason in unroutable(result).reasons]


def test_orders_of_a_batch_share_stock_in_their_order() -> None:
    orders = [order(line(units=2), order_id=f"order-{number}") for number in range(3)]
    result = plan(*orders, stock={"tea": {"shanghai": 4}})
    assert [type(event).__name__ for event in result.events] == [
        "OrderRouted",
        "OrderRouted",
        "OrderUnroutable",
    ]


def test_what_nobody_has_waits_for_stock_once() -> None:
    reference = world(policy=Policy(stock_wait_s=5))
    waiting = plan(order(), stock={}, reference=reference)
    assert waiting.events == ()
    assert waiting.orders[0].retry_at == NOW + timedelta(seconds=5)
    early = plan(*waiting.orders, stock={}, reference=reference, now=NOW + timedelta(seconds=4))
    assert early.events == ()
    late = plan(*waiting.orders, stock={}, reference=reference, now=NOW + timedelta(seconds=5))
    assert unroutable(late).order_done
    found = plan(*waiting.orders, stock=PLENTY, reference=reference)
    assert routed(found)
    assert found.orders[0].retry_at is None


def test_an_order_that_is_cancelled_while_it_waits_for_stock_waits_no_more() -> None:
    reference = world(policy=Policy(stock_wait_s=5))
    (waiting,) = plan(order(), stock={}, reference=reference).orders
    lines = tuple(replace(line, cancelled_units=line.ordered_units) for line in waiting.lines)
    result = plan(replace(waiting, lines=lines), stock={}, reference=reference)
    assert result.orders[0].retry_at is None
    assert result.events == ()


def test_planning_again_has_a_bound() -> None:
    tired = replace(order(), failures_count=6)
    result = plan(tired, stock=PLENTY)
    assert [reason.code for reason in unroutable(result).reasons] == [Code.REPLANS_MAX]


def test_a_full_day_moves_the_promise_to_the_next() -> None:
    orders = [order(order_id=f"order-{number}") for number in range(3)]
    one_a_day = world(replace(NODE, capacity_parcels=1))
    result = plan(*orders, stock=PLENTY, reference=one_a_day)
    days = [parcel.promised_on for each in result.orders for parcel in each.parcels]
    assert days == [date(2026, 1, 15), date(2026, 1, 16), date(2026, 1, 17)]


def test_a_plan_in_flight_or_an_order_without_its_limit_is_left_alone() -> None:
    for held in (replace(order(), is_granted=False), replace(order(), planned_attempt=1)):
        assert plan(held, stock=PLENTY).events == ()


def test_ties_spread_over_nodes_and_fall_the_same_way_each_time() -> None:
    twins = tuple(replace(NODE, node_id=f"twin-{number}") for number in range(4))
    stock = {"tea": {node.node_id: 500 for node in twins}}
    orders = [order(order_id=f"order-{number}") for number in range(80)]
    first = plan(*orders, stock=stock, reference=world(*twins))
    again = plan(*orders, stock=stock, reference=world(*reversed(twins)))
    chosen = [each.parcels[0].node_id for each in first.orders]
    assert chosen == [each.parcels[0].node_id for each in again.orders]
    assert min(Counter(chosen).values()) >= 8


def test_a_promise_follows_cut_off_weekdays_and_days_off() -> None:
    node = replace(
        NODE,
        working_weekdays=frozenset({1, 2, 3, 4, 5}),
        closed_on=frozenset({date(2026, 1, 16)}),
    )
    after_cut_off = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)  # 16:00 on the node's wall
    assert next(working_days(node, NOW, 14)) == (date(2026, 1, 15), 0)
    assert next(working_days(node, after_cut_off, 14)) == (date(2026, 1, 19), 4)
    assert not list(working_days(replace(node, cut_off=time(0)), NOW, 3))
    assert end_of(date(2026, 1, 15), "Asia/Shanghai") == datetime(2026, 1, 15, 16, tzinfo=UTC)


def test_freight_takes_the_longest_pair_of_prefixes_and_each_begun_step() -> None:
    rates = (
        FreightRate("CNY", "", "", 1200, 1000, 600, 1000),
        FreightRate("CNY", "CN-31", "", 1000, 1000, 500, 1000),
        FreightRate("CNY", "CN-31", "CN-31", 800, 1000, 200, 500),
        FreightRate("BRL", "", "", 1, 1, 1, 1),
    )
    rate = rate_from(rates_to(rates, "CN-310115", "CNY"), "CN-310109")
    assert rate == rates[2]
    assert rate_from(rates_to(rates, "CN-11", "CNY"), "CN-310109") == rates[1]
    assert rate_from(rates_to(rates, "CN-11", "EUR"), "CN-310109") is None
    assert [freight_minor(rates[2], grams) for grams in (0, 1000, 1001, 1501)] == [
        800,
        800,
        1000,
        1200,
    ]


def test_distance_is_great_circle_and_falls_back_to_regions() -> None:
    beijing = replace(NODE, latitude=39.90, longitude=116.40, region_code="CN-110101")
    assert distance_m(beijing, SHANGHAI) == pytest.approx(1_070_000, rel=0.02)
    blind = Place(region_code="CN-310115")
    assert distance_m(beijing, blind) == region_distance_m("CN-110101", "CN-310115") == 1_500_000
    assert region_distance_m("CN-310109", "CN-310115") == 30_000
    assert region_distance_m("CN-310115", "CN-310115") == 0
    assert region_distance_m("BR-SP", "CN-31") > 9_000_000


lines = st.lists(
    st.tuples(
        st.sampled_from(["tea", "cup", "pot"]),
        st.integers(1, 6),
        st.dictionaries(st.sampled_from(["tea", "cup", "pot"]), st.integers(1, 3), max_size=2),
    ),
    min_size=1,
    max_size=4,
)
nodes = st.lists(
    st.builds(
        replace,
        st.just(NODE),
        tier=st.integers(0, 1),
        handling_minor=st.integers(0, 900),
        safety_units=st.integers(0, 2),
        capacity_parcels=st.integers(0, 3),
        is_enabled=st.booleans(),
        coverage=st.sampled_from([(), ("CN-31",), ("CN-32",)]),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(lines, min_size=1, max_size=4),
    nodes,
    st.dictionaries(
        st.sampled_from(["tea", "cup", "pot"]), st.lists(st.integers(0, 9), min_size=5, max_size=5)
    ),
    st.integers(1, 4),
)
def test_no_plan_exceeds_what_is_ordered_available_or_possible(
    wanted: list[list[tuple[str, int, dict[str, int]]]],
    drawn: list[Node],
    units: dict[str, list[int]],
    parcels_max: int,
) -> None:
    known = [replace(node, node_id=f"node-{index}") for index, node in enumerate(drawn)]
    stock = {
        goods_id: {node.node_id: held[index] for index, node in enumerate(known)}
        for goods_id, held in units.items()
    }
    orders = [
        order(
            *(
                line(str(place), goods_id, count, **parts)
                for place, (goods_id, count, parts) in enumerate(each)
            ),
            order_id=f"order-{number}",
        )
        for number, each in enumerate(wanted)
    ]
    policy = Policy(parcels_max=parcels_max, horizon_days=1, stock_wait_s=0)
    result = plan(*orders, stock=stock, reference=world(*known, policy=policy))
    _check(result, known, stock, parcels_max)


def _check(
    result: Routed, known: list[Node], stock: dict[str, dict[str, int]], parcels_max: int
) -> None:
    plans = [event for event in result.events if isinstance(event, OrderRouted)]
    for event in plans:
        assert len(event.parcels) <= parcels_max
        assert len({parcel.node_id for parcel in event.parcels}) == len(event.parcels)
    taken: Counter[tuple[str, str]] = Counter()
    for parcel in (parcel for event in plans for parcel in event.parcels):
        for goods in parcel.goods:
            taken[parcel.node_id, goods.goods_id] += goods.quantity_units
    nodes_by_id = {node.node_id: node for node in known}
    for (node_id, goods_id), count in taken.items():
        node = nodes_by_id[node_id]
        assert node.is_enabled
        assert node.coverage in ((), ("CN-31",))
        assert count <= stock[goods_id][node_id] - node.safety_units
    promised = Counter(
        (parcel.node_id, parcel.promised_on) for each in result.orders for parcel in each.parcels
    )
    assert all(
        count <= nodes_by_id[node_id].capacity_parcels for (node_id, _), count in promised.items()
    )
    for each in result.orders:
        _check_order(each)


def _check_order(each: Order) -> None:
    planned: Counter[str] = Counter()
    for parcel in each.parcels:
        assert parcel.execution is Execution.PLANNED
        for held in parcel.lines:
            planned[held.line_id] += held.planned_units
    for ordered in each.lines:
        assert planned[ordered.line_id] + ordered.unroutable_units == ordered.ordered_units
