"""The channels' and consumers' side of a story: orders, cancellations, returns."""

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus

from contracts.ids import derive_id, order_id
from yipan.demo.story import Document, StoryOrder
from yipan.http import CallError, Services

BULK_ORDERS = 100
ACTOR = "demo-consumer"


class Channels:
    """Sends orders and what their consumers want afterwards; `done` counts it by outcome."""

    def __init__(self, services: Services) -> None:
        self.done: Counter[str] = Counter()
        self._services = services

    def place(self, orders: Sequence[StoryOrder]) -> None:
        """Send orders in their order, many in one request."""
        for start in range(0, len(orders), BULK_ORDERS):
            bodies = [order.body for order in orders[start : start + BULK_ORDERS]]
            answer = self._services.post("ingest", "/orders/bulk", {"orders": bodies})
            for result in answer["results"]:
                self.done[f"orders {result['state']}"] += 1

    def cancel(self, order: StoryOrder) -> None:
        """Ask to cancel everything of an order that is still open."""
        body: Document = {
            "request_id": derive_id("demo-cancellation", order.number),
            "lines": None,
            "reason": "changed_mind",
            "requested_by": ACTOR,
        }
        self._ask(order, "cancellations", body)

    def give_back(self, order: StoryOrder, lines: Sequence[Document]) -> str | None:
        """Announce that units of an order come back; return the return's id if ingest agreed."""
        body: Document = {
            "request_id": derive_id("demo-return", order.number),
            "lines": list(lines),
            "reason": "not_as_expected",
            "requested_by": ACTOR,
        }
        return self._ask(order, "returns", body)

    def _ask(self, order: StoryOrder, what: str, body: Document) -> str | None:
        """Return the id that a request has in all services; None when it was refused."""
        try:
            answer = self._services.post("ingest", f"/orders/{id_of(order)}/{what}", body)
        except CallError as error:
            # A cancellation after the shipment and a return before the delivery are refused, as
            # they should be; anything else is a fault of the demo or of the service.
            if error.status != HTTPStatus.CONFLICT:
                raise
            self.done[f"{what} refused"] += 1
            return None
        self.done[what] += 1
        subject_id: str = answer["subject_id"]
        return subject_id


def id_of(order: StoryOrder) -> str:
    """Return the order's id in all services."""
    return order_id(order.body["channel"], order.body["shop_id"], order.number)
