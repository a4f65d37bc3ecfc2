"""What a demo consists of: a world, orders, and what becomes of each order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

Document = dict[str, Any]
"""A JSON object as an HTTP API takes it."""


class Step(IntEnum):
    """How far the node takes a parcel, in the order of work."""

    OFFERED = 0
    ACCEPTED = 1
    PICKED = 2
    PACKED = 3
    SHIPPED = 4
    DELIVERED = 5


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to an order after it was placed, in the story's own time.

    Picking begins at `pick_at` where that is before the shipment. `rejections` first offers are
    refused by their nodes; `short_pick` leaves one unit of the first parcel behind. A cancellation
    comes at `cancel_at`, whatever the parcels have reached by then.
    """

    last_step: Step = Step.DELIVERED
    pick_at: datetime | None = None
    ship_at: datetime | None = None
    deliver_at: datetime | None = None
    cancel_at: datetime | None = None
    return_at: datetime | None = None
    rejections: int = 0
    short_pick: bool = False


@dataclass(frozen=True, slots=True)
class StoryOrder:
    """One order as ingest's HTTP API takes it, and its fate."""

    body: Document
    placed_at: datetime
    fate: Fate

    @property
    def number(self) -> str:
        """The channel's order number."""
        return str(self.body["order_number"])


@dataclass(frozen=True, slots=True)
class LimitAccount:
    """A dealer's quota account with the credit it starts with, in minor units."""

    account_id: str
    party_id: str
    currency: str
    limit_minor: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods that a node has on hand when the story begins."""

    node_id: str
    goods_id: str
    quantity_units: int


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the demo needs to run; the same inputs make the same story.

    `name` is in the ids of what is done in it, so that an installation can see several stories.
    `directory` is the document for the directory's load. `payments_minor` is what the buyer of each
    order number paid according to the source, for comparison with what was accepted.
    """

    title: str
    name: str
    currency: str
    carrier_id: str
    directory: Mapping[str, Sequence[Document]]
    accounts: Sequence[LimitAccount]
    receipts: Sequence[Receipt]
    orders: Sequence[StoryOrder]
    payments_minor: Mapping[str, int] = field(default_factory=dict[str, int])
