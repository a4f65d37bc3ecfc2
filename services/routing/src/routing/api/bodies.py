"""What nodes send about parcels."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from contracts.fulfilments import RejectionReason, ReturnedLine
from contracts.values import GoodsUnits, Grade, LineUnits
from routing.model.commands import (
    Action,
    AnswerCancel,
    Command,
    Details,
    Pick,
    Plain,
    Reject,
    Return,
    Ship,
)
from runtime.api import Body
from runtime.fields import AmountMinor, Id, Timestamp, Units, Version

COMMANDS_MAX = 500
LINES_MAX = 500


class CommandBody(Body):
    """What every command says: the parcel's attempt as it was offered, and who says it.

    `occurred_at` is when it happened, where that was before now.
    """

    attempt: Version
    actor: Id
    occurred_at: Timestamp | None = None

    def command(self, parcel_id: str, action: Action) -> Command:
        """Return it as a command on a parcel."""
        return Command(
            parcel_id, action, self.attempt, self.actor, self.occurred_at, self.details()
        )

    def details(self) -> Details:
        """Return what this command says beyond that."""
        return Plain()


class LineBody(Body):
    """Units of an order line; none of a line is said by leaving it out."""

    line_id: Id
    quantity_units: Units


class GoodsBody(Body):
    """Units of goods."""

    goods_id: Id
    quantity_units: Units


class GradedLineBody(LineBody):
    """Units of an order line that came back in one grade."""

    grade: Grade


class AcceptBody(CommandBody):
    """The node takes the work."""


class RejectBody(CommandBody):
    """The node does not do it.

    What is `missing` corrects the node's count; left out, `not_on_shelf` means all of the parcel.
    """

    reason: RejectionReason
    missing: Annotated[list[GoodsBody], Field(max_length=LINES_MAX)] | None = None

    def details(self) -> Details:
        """Return reason and missing goods."""
        missing = None
        if self.missing is not None:
            missing = tuple(
                GoodsUnits(goods_id=each.goods_id, quantity_units=each.quantity_units)
                for each in self.missing
            )
        return Reject(self.reason, missing)


class StartPickBody(CommandBody):
    """Somebody has begun to pick; from now on a cancellation is the node's to answer."""


class PickBody(CommandBody):
    """The picking is done. `found` lists what was found; left out: everything."""

    found: Annotated[list[LineBody], Field(max_length=LINES_MAX)] | None = None

    def details(self) -> Details:
        """Return what was found."""
        if self.found is None:
            return Pick(None)
        return Pick(
            tuple(
                LineUnits(line_id=line.line_id, quantity_units=line.quantity_units)
                for line in self.found
            )
        )


class PackBody(CommandBody):
    """The parcel is closed."""


class ShipBody(CommandBody):
    """The carrier has it; without its charge the planned freight counts."""

    carrier_id: Id
    waybill: Id
    freight_minor: AmountMinor | None = None

    def details(self) -> Details:
        """Return carrier, waybill and charge."""
        return Ship(self.carrier_id, self.waybill, self.freight_minor)


class DeliverBody(CommandBody):
    """The consumer has it."""


class ReturnBody(CommandBody):
    """Units came back at a node, graded. The same `return_id` and content again changes nothing."""

    return_id: Id
    node_id: Id
    lines: Annotated[list[GradedLineBody], Field(min_length=1, max_length=LINES_MAX)]

    def details(self) -> Details:
        """Return where what came back in which grade."""
        lines = tuple(
            ReturnedLine(line_id=line.line_id, quantity_units=line.quantity_units, grade=line.grade)
            for line in self.lines
        )
        return Return(self.return_id, self.node_id, lines)


class CancelAnswerBody(CommandBody):
    """Whether the node takes out what it was asked to; without `request_id` every ask."""

    accepted: bool
    request_id: Id | None = None

    def details(self) -> Details:
        """Return the answer."""
        return AnswerCancel(self.request_id, self.accepted)


class BulkAcceptBody(AcceptBody):
    """An acceptance among others."""

    action: Literal["accept"]
    parcel_id: Id


class BulkRejectBody(RejectBody):
    """A rejection among others."""

    action: Literal["reject"]
    parcel_id: Id


class BulkStartPickBody(StartPickBody):
    """A start among others."""

    action: Literal["start_pick"]
    parcel_id: Id


class BulkPickBody(PickBody):
    """A pick among others."""

    action: Literal["pick"]
    parcel_id: Id


class BulkPackBody(PackBody):
    """A packing among others."""

    action: Literal["pack"]
    parcel_id: Id


class BulkShipBody(ShipBody):
    """A shipment among others."""

    action: Literal["ship"]
    parcel_id: Id


class BulkDeliverBody(DeliverBody):
    """A delivery among others."""

    action: Literal["deliver"]
    parcel_id: Id


class BulkReturnBody(ReturnBody):
    """A return among others."""

    action: Literal["return"]
    parcel_id: Id


class BulkCancelAnswerBody(CancelAnswerBody):
    """An answer among others."""

    action: Literal["answer_cancel"]
    parcel_id: Id


BulkItem: TypeAlias = Annotated[
    BulkAcceptBody
    | BulkRejectBody
    | BulkStartPickBody
    | BulkPickBody
    | BulkPackBody
    | BulkShipBody
    | BulkDeliverBody
    | BulkReturnBody
    | BulkCancelAnswerBody,
    Field(discriminator="action"),
]


class BulkBody(Body):
    """Commands on many parcels, applied in order; each has its own answer."""

    commands: Annotated[list[BulkItem], Field(min_length=1, max_length=COMMANDS_MAX)]
