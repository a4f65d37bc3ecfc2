"""Where an order stands, read off its parcels and counters; nothing stores it."""

from enum import StrEnum

from routing.model.fulfilment import Order


class Standing(StrEnum):
    """What an order waits for."""

    LIMIT = "limit"
    STOCK_ANSWER = "stock_answer"
    STOCK = "stock"
    NODES = "nodes"
    NOTHING = "nothing"


def standing_of(order: Order) -> Standing:
    """Return what an order waits for: the first of limit, stock and nodes that is still to come."""
    if order.is_done:
        return Standing.NOTHING
    if not order.is_granted:
        return Standing.LIMIT
    if order.planned_attempt:
        return Standing.STOCK_ANSWER
    return Standing.STOCK if order.uncovered() else Standing.NODES
