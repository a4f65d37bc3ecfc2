"""What is sent and answered, with the limits of each field."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from inventory.model import (
    Condition,
    Operation,
    RecordedMovement,
    Reservation,
    ReservationState,
    StockKey,
    StockLevel,
    StockRow,
)
from runtime.api import Body
from runtime.fields import Id, SignedUnits, Text, Units

LINES_MAX = 500
BULK_LINES_MAX = 5_000


def _not_zero(units: int) -> int:
    if units == 0:
        raise ValueError("0 units change nothing")
    return units


class ReceiptLine(Body):
    """Goods that arrived."""

    goods_id: Id
    quantity_units: Units
    condition: Condition = Condition.SELLABLE


class Receipt(Body):
    """A delivery to one node."""

    receipt_id: Id
    node_id: Id
    lines: Annotated[list[ReceiptLine], Field(min_length=1, max_length=LINES_MAX)]


class BulkLine(ReceiptLine):
    """Goods that arrived, and where."""

    node_id: Id


class BulkReceipt(Body):
    """Deliveries to many nodes at once, such as the opening stock; all lines or none."""

    receipt_id: Id
    lines: Annotated[list[BulkLine], Field(min_length=1, max_length=BULK_LINES_MAX)]


class AdjustmentReason(StrEnum):
    """Why a count is corrected."""

    COUNT = "count"
    DAMAGE = "damage"
    LOSS = "loss"
    FOUND = "found"
    EXPIRY = "expiry"
    OTHER = "other"


class AdjustmentLine(Body):
    """A signed correction of one count."""

    goods_id: Id
    delta_units: Annotated[SignedUnits, AfterValidator(_not_zero)]
    condition: Condition = Condition.SELLABLE


class Adjustment(Body):
    """Corrections of counts at one node; all lines or none."""

    adjustment_id: Id
    node_id: Id
    actor: Id
    reason: AdjustmentReason
    note: Text = ""
    lines: Annotated[list[AdjustmentLine], Field(min_length=1, max_length=LINES_MAX)]


class SetAside(StrEnum):
    """Conditions from which goods are put away."""

    QUARANTINE = "quarantine"
    INSPECTION = "inspection"


class PutInto(StrEnum):
    """Conditions into which goods are put away."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"


class PutAwayGoods(Body):
    """Units that go back on the shelf, or are found damaged."""

    goods_id: Id
    quantity_units: Units
    from_condition: SetAside = SetAside.QUARANTINE
    to_condition: PutInto = PutInto.SELLABLE


class PutAway(Body):
    """Goods of one node put where they belong; all lines or none."""

    put_away_id: Id
    node_id: Id
    actor: Id
    lines: Annotated[list[PutAwayGoods], Field(min_length=1, max_length=LINES_MAX)]


class View(BaseModel):
    """An answer; it never changes."""

    model_config = ConfigDict(frozen=True)


class StockView(View):
    """How much there is of goods in one condition at one node, and how much is promised."""

    node_id: str
    goods_id: str
    condition: Condition
    on_hand_units: int
    reserved_units: int
    available_units: int
    missing_units: int = Field(description="reported as not there, but still promised to parcels")
    version: int

    @classmethod
    def of(cls, key: StockKey, level: StockLevel) -> Self:
        """Show a level."""
        return cls(
            node_id=key.node_id,
            goods_id=key.goods_id,
            condition=key.condition,
            on_hand_units=level.on_hand_units,
            reserved_units=level.reserved_units,
            available_units=level.available_units,
            missing_units=level.missing_units,
            version=level.version,
        )

    @classmethod
    def of_row(cls, row: StockRow) -> Self:
        """Show a row."""
        return cls.of(row.key, row.level)


class StockChanged(View):
    """A command that was carried out, and the stock as it left it."""

    command_id: str
    stock: list[StockView]


class BulkReceived(View):
    """A bulk receipt that was carried out."""

    receipt_id: str
    lines_count: int
    quantity_units: int


class GoodsAtNode(View):
    """All conditions of one kind of goods at one node."""

    node_id: str
    goods_id: str
    conditions: list[StockView]


class MovementView(View):
    """One row of the stock ledger."""

    version: int
    operation: Operation
    on_hand_delta_units: int
    reserved_delta_units: int
    missing_delta_units: int
    excess_units: int = Field(description="what the cause named beyond what the books had")
    cause_kind: str
    cause_id: str
    parcel_id: str | None
    recorded_at: datetime

    @classmethod
    def of(cls, recorded: RecordedMovement) -> Self:
        """Show a movement."""
        movement, source = recorded.movement, recorded.movement.source
        return cls(
            version=movement.version,
            operation=source.operation,
            on_hand_delta_units=movement.change.on_hand_units,
            reserved_delta_units=movement.change.reserved_units,
            missing_delta_units=movement.change.missing_units,
            excess_units=movement.change.excess_units,
            cause_kind=source.cause.kind,
            cause_id=source.cause.cause_id,
            parcel_id=source.parcel_id,
            recorded_at=recorded.recorded_at,
        )


class ReservationView(View):
    """What a parcel holds of one kind of goods, and what became of it."""

    reservation_id: str
    parcel_id: str
    attempt: int
    node_id: str
    goods_id: str
    state: ReservationState
    quantity_units: int
    held_units: int
    consumed_units: int
    released_units: int
    quarantined_units: int
    conflicted_units: int = Field(description="shipped although the units had been given back")

    @classmethod
    def of(cls, row: Reservation, reservation_id: str, state: ReservationState) -> Self:
        """Show a reservation."""
        return cls(
            reservation_id=reservation_id,
            parcel_id=row.parcel_id,
            attempt=row.attempt,
            node_id=row.node_id,
            goods_id=row.goods_id,
            state=state,
            quantity_units=row.quantity_units,
            held_units=row.held_units,
            consumed_units=row.consumed_units,
            released_units=row.released_units,
            quarantined_units=row.quarantined_units,
            conflicted_units=row.conflicted_units,
        )


class OrderReservations(View):
    """All that an order ever held."""

    order_id: str
    reservations: list[ReservationView]
