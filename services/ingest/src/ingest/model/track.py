"""What facts of all services change in the pool: counters, plans, the wait for a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.event import Event
from ingest.model.pool import Counters, TimelineEntry


@dataclass(frozen=True, slots=True)
class Plan:
    """Units that one attempt plans; they count as reserved once stock agreed and unless voided.

    `lines` is None while only the answer or the voiding has come: facts of several topics arrive in
    any order.
    """

    order_id: str
    attempt: int
    lines: Mapping[str, int] | None = None
    reserved: bool = False
    voided: bool = False

    @property
    def held_units(self) -> Mapping[str, int]:
        """Units per line that stock holds because of this plan."""
        return self.lines if self.lines and self.reserved and not self.voided else {}


@dataclass(frozen=True, slots=True)
class Projection:
    """Changes to store, and events that follow (the end of the wait for a limit)."""

    timeline: Sequence[TimelineEntry]
    changes: Mapping[tuple[str, str], Counters]
    plans: Sequence[Plan]
    limit_waits: Mapping[str, bool]
    events: Sequence[Event]
