"""The words of this service: stock, movements, reservations, decisions. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from contracts.event import Event

E = TypeVar("E", bound=Event)


class Condition(StrEnum):
    """The state goods are in; only sellable units can be promised."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    INSPECTION = "inspection"
    QUARANTINE = "quarantine"
    IN_TRANSIT = "in_transit"


class Operation(StrEnum):
    """Why stock moved."""

    RECEIVE = "receive"
    ADJUST = "adjust"
    PUT_AWAY = "put_away"
    RESERVE = "reserve"
    RELEASE = "release"
    CONSUME = "consume"
    CORRECT = "correct"
    QUARANTINE = "quarantine"
    RETURN = "return"
    CONFLICT = "conflict"


class CauseKind(StrEnum):
    """Where the cause of a movement is found: an event of a topic, or a command by HTTP."""

    EVENT = "event"
    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    PUT_AWAY = "put_away"


class StockKey(NamedTuple):
    """One kind of goods in one condition at one node; rows are locked in this order."""

    node_id: str
    goods_id: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class StockLevel:
    """How much there is and how much of it is promised.

    `missing_units` were reported as not there while all that is on hand is promised: the count is
    corrected by them as soon as promises end or goods arrive. `version` counts the movements.
    """

    on_hand_units: int = 0
    reserved_units: int = 0
    missing_units: int = 0
    version: int = 0

    @property
    def available_units(self) -> int:
        """What can still be promised."""
        return self.on_hand_units - self.reserved_units


@dataclass(frozen=True, slots=True)
class Cause:
    """The event or command a movement follows from."""

    kind: CauseKind
    cause_id: str


@dataclass(frozen=True, slots=True)
class Source:
    """Who moved stock and why; a parcel where one is concerned."""

    operation: Operation
    cause: Cause
    parcel_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Units added to (or taken from) each figure of one stock level.

    `excess_units` is what the cause named beyond what the books had; it changes no figure, but
    tells a person where the books and the world disagree.
    """

    on_hand_units: int = 0
    reserved_units: int = 0
    missing_units: int = 0
    excess_units: int = 0


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of the stock ledger; `version` is the level's version after it."""

    key: StockKey
    version: int
    source: Source
    change: Change


@dataclass(frozen=True, slots=True)
class Reservation:
    """Units of one kind of goods held for one parcel, and what became of them.

    `conflicted_units` left the node although they had been given back; they are counted on top.
    """

    parcel_id: str
    goods_id: str
    order_id: str
    attempt: int
    node_id: str
    quantity_units: int
    consumed_units: int = 0
    released_units: int = 0
    quarantined_units: int = 0
    conflicted_units: int = 0

    @property
    def held_units(self) -> int:
        """What is still held for the parcel."""
        gone_units = self.consumed_units + self.released_units + self.quarantined_units
        return self.quantity_units - gone_units


class ReservationState(StrEnum):
    """What became of a reservation, read off its units."""

    HELD = "held"
    PART_CONSUMED = "part_consumed"
    CONSUMED = "consumed"
    RELEASED = "released"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Fact(Generic[E]):
    """An event and the id it is known by."""

    event: E
    event_id: str


@dataclass(frozen=True, slots=True)
class StockLine:
    """Units to add to (or take from) one stock level by a command."""

    key: StockKey
    quantity_units: int


@dataclass(frozen=True, slots=True)
class PutAwayLine:
    """Units that move from one condition to another at the same node."""

    taken_from: StockKey
    put_into: StockKey
    quantity_units: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to store and what to say about it.

    `stock` holds the levels that changed, `reservations` the rows that are new or changed.
    """

    stock: Mapping[StockKey, StockLevel]
    movements: Sequence[Movement]
    events: Sequence[Event]
    reservations: Sequence[Reservation] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that cannot be carried out; nothing of it is."""

    line_index: int
    explanation: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it was given, to tell a repetition from a conflict."""

    cause: Cause
    content: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class EarlierCommand:
    """A command of the same id that was carried out before, and what it was answered."""

    content_hash: bytes
    answer: str


@dataclass(frozen=True, slots=True)
class RecordedMovement:
    """A row of the stock ledger and when it was written."""

    movement: Movement
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class StockRow:
    """A stock level with its key, as it is shown."""

    key: StockKey
    level: StockLevel


@dataclass(frozen=True, slots=True)
class StockFilter:
    """Which stock rows to show; None means any."""

    node_id: str | None = None
    goods_id: str | None = None
    condition: Condition | None = None
    is_missing: bool = False
