"""The days on which a node can hand parcels over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from routing.model.world import Node


@dataclass(frozen=True, slots=True)
class Slot:
    """A day of a node with room for a parcel; it is `late_days` after today."""

    promised_on: date
    promised_at: datetime
    late_days: int


def working_days(node: Node, now: datetime, horizon_days: int) -> Iterator[tuple[date, int]]:
    """Yield the node's dates from today on, each with how many days ahead it is.

    Today counts until the cut-off by the clock on the node's wall; days off are left out.
    """
    local = now.astimezone(ZoneInfo(node.timezone))
    for ahead_days in range(0 if local.time() < node.cut_off else 1, horizon_days + 1):
        day = local.date() + timedelta(days=ahead_days)
        if day.isoweekday() in node.working_weekdays and day not in node.closed_on:
            yield day, ahead_days


def end_of(day: date, timezone: str) -> datetime:
    """Return when a local date ends, in UTC."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone))
    return midnight.astimezone(UTC)
