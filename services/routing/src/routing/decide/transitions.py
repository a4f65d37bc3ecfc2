"""Which action is legal in which state of a parcel: two tables, one per axis."""

from collections.abc import Mapping

from routing.model.commands import Action
from routing.model.fulfilment import Execution, Negotiation, Parcel

NEXT: Mapping[tuple[Action, Execution], Execution] = {
    (Action.ACCEPT, Execution.RELEASED): Execution.RELEASED,
    (Action.REJECT, Execution.RELEASED): Execution.INCOMPLETE,
    (Action.START_PICK, Execution.RELEASED): Execution.PICKING,
    (Action.PICK, Execution.RELEASED): Execution.PICKED,
    (Action.PICK, Execution.PICKING): Execution.PICKED,
    (Action.ANSWER_CANCEL, Execution.PICKING): Execution.PICKING,
    (Action.ANSWER_CANCEL, Execution.PICKED): Execution.PICKED,
    (Action.PACK, Execution.PICKED): Execution.PACKED,
    (Action.SHIP, Execution.PACKED): Execution.SHIPPED,
    (Action.DELIVER, Execution.SHIPPED): Execution.DELIVERED,
    (Action.RETURN, Execution.SHIPPED): Execution.SHIPPED,
    (Action.RETURN, Execution.DELIVERED): Execution.DELIVERED,
}
"""The step that an action leads to; a pair that is not here is illegal."""

TAKEN = frozenset({Negotiation.ACCEPTED, Negotiation.CANCEL_REQUESTED, Negotiation.CANCEL_REFUSED})
WANTS: Mapping[Action, frozenset[Negotiation]] = {
    Action.ACCEPT: frozenset({Negotiation.SENT}),
    Action.REJECT: frozenset({Negotiation.SENT, Negotiation.ACCEPTED}),
    Action.START_PICK: TAKEN,
    Action.PICK: TAKEN,
    Action.ANSWER_CANCEL: frozenset({Negotiation.CANCEL_REQUESTED}),
    Action.PACK: TAKEN,
    Action.SHIP: TAKEN,
    Action.DELIVER: TAKEN,
    Action.RETURN: TAKEN,
}
"""What must have been said before an action."""

GONE = frozenset({Negotiation.CANCEL_ACCEPTED, Negotiation.REJECTED, Negotiation.TIMED_OUT})
"""The parcel was taken from the node; a shipment that is reported all the same is a conflict."""


def next_step(action: Action, parcel: Parcel) -> Execution | None:
    """Return where an action leads to, or None where it is illegal."""
    if parcel.negotiation not in WANTS[action]:
        return None
    return NEXT.get((action, parcel.execution))


def is_conflict(action: Action, parcel: Parcel) -> bool:
    """Tell whether a shipment is reported of a parcel that was taken from the node before."""
    return action is Action.SHIP and parcel.negotiation in GONE and not parcel.conflicted
