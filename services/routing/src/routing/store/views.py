"""What is shown: lists by cursor, decisions, messages, stock as it is known here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backbone import Transaction
from routing.model.fulfilment import Execution, Negotiation

LIST_ORDERS = "SELECT order_id FROM sales_order WHERE order_id > $1 ORDER BY order_id LIMIT $2"
LIST_PARCELS = """
SELECT parcel_id, order_id FROM parcel
WHERE execution = ANY($1::text[]) AND ($2::text IS NULL OR negotiation = $2)
    AND (node_id, parcel_id) > ($3, $4)
ORDER BY node_id, parcel_id LIMIT $5
"""
LIST_PARCELS_OF_NODE = """
SELECT parcel_id, order_id FROM parcel
WHERE execution = ANY($1::text[]) AND ($2::text IS NULL OR negotiation = $2)
    AND node_id = $3 AND parcel_id > $4
ORDER BY parcel_id LIMIT $5
"""
NODE_EXISTS = "SELECT EXISTS (SELECT FROM node WHERE node_id = $1)"
FIND_DECISIONS = """
SELECT decision_id, attempt, decided_at, record FROM decision WHERE order_id = $1 ORDER BY attempt
"""
FIND_EXPECTED_RETURNS = """
SELECT return_id, line_id, quantity_units FROM expected_return
WHERE order_id = $1 ORDER BY return_id, line_id
"""
LIST_MESSAGES = """
SELECT action, attempt, actor, verdict, execution, negotiation, detail, recorded_at
FROM node_message WHERE parcel_id = $1 ORDER BY recorded_at, message_id LIMIT $2
"""
LIST_STOCK = """
SELECT s.node_id, s.available_units, s.stock_version,
    coalesce((SELECT sum(quantity_units) FROM in_flight f
        WHERE f.goods_id = s.goods_id AND f.node_id = s.node_id), 0)::bigint AS in_flight_units
FROM stock s WHERE s.goods_id = $1 ORDER BY s.node_id
"""


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision with its record as JSON text."""

    decision_id: str
    attempt: int
    decided_at: datetime
    record: str


@dataclass(frozen=True, slots=True)
class ExpectedReturn:
    """Units that a consumer said will come back."""

    return_id: str
    line_id: str
    quantity_units: int


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """What somebody said about a parcel and what became of it."""

    action: str
    attempt: int
    actor: str
    verdict: str
    execution: str | None
    negotiation: str | None
    detail: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class KnownStock:
    """Goods at a node: what inventory said can be promised, and what plans in flight ask of it."""

    node_id: str
    available_units: int
    stock_version: int
    in_flight_units: int


@dataclass(frozen=True, slots=True)
class ParcelFilter:
    """Which parcels are listed; None: of every state."""

    execution: Execution | None
    negotiation: Negotiation | None

    @property
    def executions(self) -> list[str]:
        """The states as the index takes them."""
        return list(Execution) if self.execution is None else [self.execution]


async def list_orders(tx: Transaction, after: str, items_max: int) -> list[str]:
    """Return ids of orders, sorted."""
    return [row["order_id"] for row in await tx.fetch(LIST_ORDERS, after, items_max)]


async def list_parcels(
    tx: Transaction, wanted: ParcelFilter, after: tuple[str, str], items_max: int
) -> list[tuple[str, str]]:
    """Return ids of parcels and their orders, sorted by node and parcel."""
    rows = await tx.fetch(LIST_PARCELS, wanted.executions, wanted.negotiation, *after, items_max)
    return [(row["parcel_id"], row["order_id"]) for row in rows]


async def list_parcels_of_node(
    tx: Transaction, wanted: ParcelFilter, after: tuple[str, str], items_max: int
) -> list[tuple[str, str]]:
    """Return ids of one node's parcels and their orders; `after` is the node and a parcel."""
    rows = await tx.fetch(
        LIST_PARCELS_OF_NODE, wanted.executions, wanted.negotiation, *after, items_max
    )
    return [(row["parcel_id"], row["order_id"]) for row in rows]


async def has_node(tx: Transaction, node_id: str) -> bool:
    """Tell whether the directory has defined a node."""
    return bool(await tx.fetchval(NODE_EXISTS, node_id))


async def find_decisions(tx: Transaction, order_id: str) -> list[StoredDecision]:
    """Return an order's decisions, the first attempt first."""
    return [StoredDecision(*row) for row in map(tuple, await tx.fetch(FIND_DECISIONS, order_id))]


async def find_expected_returns(tx: Transaction, order_id: str) -> list[ExpectedReturn]:
    """Return what is to come back of an order, as it was said."""
    rows = await tx.fetch(FIND_EXPECTED_RETURNS, order_id)
    return [ExpectedReturn(*row) for row in map(tuple, rows)]


async def list_messages(tx: Transaction, parcel_id: str, items_max: int) -> Sequence[StoredMessage]:
    """Return the first messages about a parcel, oldest first."""
    rows = await tx.fetch(LIST_MESSAGES, parcel_id, items_max)
    return [StoredMessage(*row) for row in map(tuple, rows)]


async def list_stock(tx: Transaction, goods_id: str) -> Sequence[KnownStock]:
    """Return the known stock of goods by node."""
    return [KnownStock(*row) for row in map(tuple, await tx.fetch(LIST_STOCK, goods_id))]
