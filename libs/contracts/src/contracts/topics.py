"""Every topic once: who writes it, what it carries, by which attribute it is keyed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from zlib import crc32

from contracts import (
    availability,
    entries,
    fulfilments,
    holds,
    orders,
    plans,
    postings,
    reservations,
    statements,
)
from contracts.event import Event

ORDER_PARTITIONS = 6


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic and the contract on it.

    `key` names the attribute of the events that is the record's key. `sequenced` is false only for
    entrances that strangers write to: their records carry no lane sequence and no events of ours.
    """

    name: str
    producer: str
    key: str
    partitions: int
    events: tuple[type[Event], ...]
    sequenced: bool = True
    retention_hours: int = 168

    def key_of(self, event: Event) -> str:
        """Return the record key of an event of this topic."""
        key: str = getattr(event, self.key)
        return key

    def partition_of(self, key: str) -> int:
        """Return the partition of a key: CRC-32 modulo the count, librdkafka's `consistent`.

        All topics keyed by order have the same count, so that an order keeps its partition number
        through every hop.
        """
        return crc32(key.encode()) % self.partitions


INGEST_ORDERS = Topic(
    name="ingest.orders",
    producer="ingest",
    key="order_id",
    partitions=ORDER_PARTITIONS,
    events=(orders.OrderAccepted, orders.CancellationRequested, orders.ReturnRequested),
)
QUOTA_HOLDS = Topic(
    name="quota.holds",
    producer="quota",
    key="order_id",
    partitions=ORDER_PARTITIONS,
    events=(
        holds.QuotaGranted,
        holds.QuotaRefused,
        holds.QuotaExpired,
        holds.QuotaCaptured,
        holds.QuotaReleased,
        holds.QuotaReversed,
    ),
)
ROUTING_PLANS = Topic(
    name="routing.plans",
    producer="routing",
    key="order_id",
    partitions=ORDER_PARTITIONS,
    events=(plans.OrderRouted, plans.OrderUnroutable),
)
ROUTING_FULFILMENTS = Topic(
    name="routing.fulfilments",
    producer="routing",
    key="order_id",
    partitions=ORDER_PARTITIONS,
    events=(
        fulfilments.ParcelReleased,
        fulfilments.ParcelAccepted,
        fulfilments.ParcelRejected,
        fulfilments.ParcelPicked,
        fulfilments.ParcelPacked,
        fulfilments.ParcelShipped,
        fulfilments.ParcelDelivered,
        fulfilments.ParcelReturned,
        fulfilments.OrderCancelled,
        fulfilments.CancellationRefused,
        fulfilments.ShipmentConflicted,
    ),
)
INVENTORY_RESERVATIONS = Topic(
    name="inventory.reservations",
    producer="inventory",
    key="order_id",
    partitions=ORDER_PARTITIONS,
    events=(reservations.StockReserved, reservations.StockShort),
)
INVENTORY_AVAILABILITY = Topic(
    name="inventory.availability",
    producer="inventory",
    key="goods_id",
    partitions=6,
    events=(availability.AvailabilityChanged,),
)
SETTLEMENT_POSTINGS = Topic(
    name="settlement.postings",
    producer="settlement",
    key="order_id",
    partitions=ORDER_PARTITIONS,
    events=(postings.SplitPlanned, postings.SplitReversed, postings.JournalPosted),
)
SETTLEMENT_STATEMENTS = Topic(
    name="settlement.statements",
    producer="settlement",
    key="party_id",
    partitions=1,
    events=(statements.StatementIssued,),
)
DIRECTORY_ENTRIES = Topic(
    name="directory.entries",
    producer="directory",
    key="entry_id",
    partitions=1,
    events=(
        entries.LegalEntityDefined,
        entries.PartyDefined,
        entries.GoodsDefined,
        entries.NodeDefined,
        entries.ShopDefined,
        entries.ListingDefined,
        entries.AgreementDefined,
    ),
)
CONNECTORS_ORDERS = Topic(
    name="connectors.orders",
    producer="connectors",
    key="",
    partitions=ORDER_PARTITIONS,
    events=(),
    sequenced=False,
)

TOPICS: Mapping[str, Topic] = MappingProxyType(
    {
        topic.name: topic
        for topic in (
            CONNECTORS_ORDERS,
            DIRECTORY_ENTRIES,
            INGEST_ORDERS,
            INVENTORY_AVAILABILITY,
            INVENTORY_RESERVATIONS,
            QUOTA_HOLDS,
            ROUTING_FULFILMENTS,
            ROUTING_PLANS,
            SETTLEMENT_POSTINGS,
            SETTLEMENT_STATEMENTS,
        )
    }
)
_TOPIC_OF: Mapping[type[Event], Topic] = {
    event: topic for topic in TOPICS.values() for event in topic.events
}
EVENTS: Mapping[str, type[Event]] = MappingProxyType({event.__name__: event for event in _TOPIC_OF})


def topic_of(event_type: type[Event]) -> Topic:
    """Return the one topic that carries an event type; LookupError for a type in none."""
    return _TOPIC_OF[event_type]
