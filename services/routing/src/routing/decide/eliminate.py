"""Hard constraints that depend on the place, not on the goods: which nodes may serve it at all."""

from collections import defaultdict
from collections.abc import Sequence

from contracts.values import Place
from routing.decide.distance import distance_m
from routing.decide.freight import rate_from, rates_to
from routing.model.fulfilment import Order
from routing.model.world import Agreement, Code, Destination, FreightRate, Leg, Node, Reference

DESTINATIONS_REMEMBERED_MAX = 4_096


def destination_of(order: Order, reference: Reference) -> Destination:
    """Return which nodes may serve an order; remembered per place, service and currency."""
    place = order.place
    key = (
        place.region_code,
        str(place.latitude),
        str(place.longitude),
        order.service,
        order.currency,
    )
    known = reference.destinations.get(key)
    if known is None:
        if len(reference.destinations) >= DESTINATIONS_REMEMBERED_MAX:
            reference.destinations.clear()
        known = reference.destinations[key] = _derive(order, reference)
    return known


def may_sell_to(agreement: Agreement, place: Place) -> bool:
    """Tell whether the seller may sell to a place under its agreement."""
    return not agreement.coverage or place.region_code.startswith(agreement.coverage)


def may_sell(agreement: Agreement, product_line: str) -> bool:
    """Tell whether the seller may sell goods of a product line under its agreement."""
    return not agreement.product_lines or product_line in agreement.product_lines


def _derive(order: Order, reference: Reference) -> Destination:
    rates = rates_to(reference.rates, order.place.region_code, order.currency)
    legs: list[Leg] = []
    eliminated: dict[Code, list[str]] = defaultdict(list)
    for node in reference.nodes.values():
        judged = _judge(node, order, rates)
        if isinstance(judged, Leg):
            legs.append(judged)
        else:
            eliminated[judged].append(node.node_id)
    return Destination(
        tuple(legs), {code: tuple(sorted(nodes)) for code, nodes in eliminated.items()}
    )


def _judge(node: Node, order: Order, rates: Sequence[FreightRate]) -> Leg | Code:
    if not node.is_enabled:
        return Code.NODE_DISABLED
    if order.service not in node.services:
        return Code.SERVICE
    if node.currency != order.currency:
        return Code.CURRENCY
    if node.coverage and not order.place.region_code.startswith(node.coverage):
        return Code.COVERAGE
    rate = rate_from(rates, node.region_code)
    return Code.NO_RATE if rate is None else Leg(node, rate, distance_m(node, order.place))
