"""What the pool keeps of each order, and what a decision changes in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.event import Event
from ingest.model.order import Consumer, HoldReason, Order, Payment, RawInput


class Reason(StrEnum):
    """Why input is in quarantine."""

    TOTAL_MISMATCH = "total_mismatch"
    AMOUNT_INVALID = "amount_invalid"
    CURRENCY_MISMATCH = "currency_mismatch"
    DUPLICATE_LINE = "duplicate_line"
    UNKNOWN_SKU = "unknown_sku"
    UNKNOWN_SHOP = "unknown_shop"
    NO_AGREEMENT = "no_agreement"
    OUTSIDE_RANGE = "outside_range"
    ADDRESS_INCOMPLETE = "address_incomplete"
    PRICE_OUTLIER = "price_outlier"
    TIME_IMPLAUSIBLE = "time_implausible"
    CONFLICT = "conflict"
    VERSION_CONFLICT = "version_conflict"
    CHANGED_TOO_LATE = "changed_too_late"
    MALFORMED = "malformed"
    DETAIL_MISSING = "detail_missing"
    UNSUPPORTED = "unsupported"
    REQUEST_INVALID = "request_invalid"


# What a person may overrule; the others contradict themselves or name something that is not there.
WAIVABLE = frozenset({Reason.ADDRESS_INCOMPLETE, Reason.PRICE_OUTLIER, Reason.TIME_IMPLAUSIBLE})


class Status(StrEnum):
    """Where an order stands, derived from facts and counters."""

    QUARANTINED = "quarantined"
    WAITING_FOR_PAYMENT = "waiting_for_payment"
    HELD = "held"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    WAITING_FOR_LIMIT = "waiting_for_limit"
    RESERVED = "reserved"
    RELEASED = "released"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    UNROUTABLE = "unroutable"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with an order; `awaits` is the directory entry that may mend it."""

    reason: Reason
    detail: str
    awaits: str | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """Units of a line or order. Reserved and released are net of what was given back."""

    ordered_units: int = 0
    cancelled_units: int = 0
    unroutable_units: int = 0
    reserved_units: int = 0
    released_units: int = 0
    shipped_units: int = 0
    delivered_units: int = 0
    return_requested_units: int = 0
    returned_units: int = 0

    @property
    def open_units(self) -> int:
        """Units that are still to be shipped."""
        closed_units = self.cancelled_units + self.unroutable_units + self.shipped_units
        return self.ordered_units - closed_units


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason for an order to wait, until it is lifted or ends."""

    order_id: str
    hold_id: str
    reason: HoldReason
    scope: str
    line_ids: Sequence[str]
    until: datetime | None
    placed_by: str
    placed_at: datetime


class CommandKind(StrEnum):
    """What can be asked of a known order."""

    CANCELLATION = "cancellation"
    PAYMENT = "payment"
    AMENDMENT = "amendment"
    HOLD = "hold"
    LIFT = "lift"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class WantedCancellation:
    """Units to cancel; `lines` is None when everything that is open is meant."""

    request_id: str
    lines: Sequence[tuple[str, int]] | None
    reason: str
    requested_by: str


@dataclass(frozen=True, slots=True)
class WantedAmendment:
    """A later version that waits for the one before it, or for its order."""

    order: Order
    consumer: Consumer
    content_hash: bytes
    actor: str


Waiting = WantedCancellation | WantedAmendment | Payment


@dataclass(frozen=True, slots=True)
class WantedHold:
    """A reason to wait; `scope` is the order or some of its lines, and either way it all waits."""

    hold_id: str
    reason: HoldReason
    scope: str
    line_ids: Sequence[str]
    until: datetime | None
    placed_by: str


@dataclass(frozen=True, slots=True)
class WantedLift:
    """The end of a hold before its time."""

    hold_id: str
    lifted_by: str


@dataclass(frozen=True, slots=True)
class WantedReturn:
    """Units that the consumer will send back."""

    request_id: str
    lines: Sequence[tuple[str, int]]
    reason: str
    requested_by: str


@dataclass(frozen=True, slots=True)
class Request:
    """A command for one order; its id and the digest of its content make it repeatable."""

    order_id: str
    kind: CommandKind
    command_id: str
    content_hash: bytes
    wanted: WantedCancellation | Payment | WantedHold | WantedLift | WantedReturn
    raw: RawInput
    actor: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command is told: `done`, `parked`, `conflict`, `invalid` or `unknown`.

    `state` is a word for programs, `subject_id` the id under which all services know it.
    """

    outcome: str
    state: str
    detail: str = ""
    subject_id: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was answered, so that its repetition gets the same answer."""

    order_id: str
    kind: CommandKind
    command_id: str
    content_hash: bytes
    answer: Answered


@dataclass(frozen=True, slots=True)
class Parked:
    """A command that waits for its order, for its acceptance, or for an earlier version."""

    order_id: str
    kind: CommandKind
    command_id: str
    content: Waiting
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What a submission is told; a repetition of it is told the same."""

    outcome: str
    order_id: str
    state: str
    order_version: int
    quarantine_id: str | None = None
    complaints: Sequence[Complaint] = ()


@dataclass(frozen=True, slots=True)
class Pooled:
    """One order as the pool knows it. `order` is None while only commands for it have come."""

    order_id: str
    order: Order | None = None
    consumer: Consumer | None = None
    content_hash: bytes = b""
    order_version: int = 0
    raw_id: str | None = None
    received_at: datetime | None = None
    first_hash: bytes = b""
    first_answer: Taken | None = None
    paid_at: datetime | None = None
    accepted_at: datetime | None = None
    cancelled_at: datetime | None = None
    quarantine_id: str | None = None
    waivers: Sequence[str] = ()
    flags: Sequence[str] = ()
    holds: Sequence[Hold] = ()
    payments: Sequence[Payment] = ()
    parked: Sequence[Parked] = ()
    counters: Mapping[str, Counters] = field(default_factory=dict[str, Counters])
    waiting_for_limit: bool = False
    stored: bool = False

    @property
    def total(self) -> Counters:
        """The counters of the whole order."""
        lines = self.counters.values()
        return Counters(
            ordered_units=sum(line.ordered_units for line in lines),
            cancelled_units=sum(line.cancelled_units for line in lines),
            unroutable_units=sum(line.unroutable_units for line in lines),
            reserved_units=sum(line.reserved_units for line in lines),
            released_units=sum(line.released_units for line in lines),
            shipped_units=sum(line.shipped_units for line in lines),
            delivered_units=sum(line.delivered_units for line in lines),
            return_requested_units=sum(line.return_requested_units for line in lines),
            returned_units=sum(line.returned_units for line in lines),
        )


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Input that needs a person or the directory; a blocking one keeps its order back."""

    quarantine_id: str
    order_id: str | None
    channel: str
    shop_id: str
    channel_order_number: str | None
    reason: str
    complaints: Sequence[Complaint]
    blocking: bool
    raw_id: str | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Who did what to an order when; `event_id` names the published fact, if it was one."""

    order_id: str
    occurred_at: datetime
    actor: str
    what: str
    detail: Mapping[str, object]
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person must look at, raised once per subject until it is cleared."""

    kind: str
    subject: str


@dataclass(slots=True)
class Decision:
    """Rows to store and events to publish. `orders` holds the last state of each order touched."""

    orders: dict[str, Pooled] = field(default_factory=dict[str, Pooled])
    touched: set[str] = field(default_factory=set[str])
    raw_inputs: dict[str, RawInput] = field(default_factory=dict[str, RawInput])
    quarantines: list[Quarantine] = field(default_factory=list[Quarantine])
    resolved: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    keys: list[tuple[str, str, str, bytes, str]] = field(
        default_factory=list[tuple[str, str, str, bytes, str]]
    )
    holds: list[Hold] = field(default_factory=list[Hold])
    lifted: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    return_requests: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    payments: list[tuple[str, Payment]] = field(default_factory=list[tuple[str, Payment]])
    parked: list[Parked] = field(default_factory=list[Parked])
    applied: list[Parked] = field(default_factory=list[Parked])
    commands: list[Command] = field(default_factory=list[Command])
    timeline: list[TimelineEntry] = field(default_factory=list[TimelineEntry])
    alarms: list[Alarm] = field(default_factory=list[Alarm])
    events: list[Event] = field(default_factory=list[Event])
