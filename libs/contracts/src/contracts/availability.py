"""What can be promised, as changes (topic inventory.availability)."""

from contracts.event import Event


class AvailabilityChanged(Event, frozen=True, kw_only=True):
    """Sellable units on hand less reserved units, of one kind of goods at one node.

    `stock_version` rises with each change of this pair; a lower one is stale.
    """

    goods_id: str
    node_id: str
    available_units: int
    stock_version: int
