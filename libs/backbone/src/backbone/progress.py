"""What a process knows of its own progress; readiness and the watchdog judge by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backbone.records import Lane

LAG_EVENTS_MAX = 10_000
OUTBOX_AGE_MAX_S = 60.0
HOLE_AGE_MAX_S = 60.0


class RelayState(StrEnum):
    """What this process's relay does."""

    AWAY = "away"
    STANDING_BY = "standing by"
    LEADING = "leading"


@dataclass(frozen=True, slots=True)
class LaneProgress:
    """Where a lane stands: its cursor, the log's end, and when (monotonic s) the cursor moved."""

    next_offset: int
    end_offset: int
    moved_at_s: float

    @property
    def lag(self) -> int:
        """The number of records that are there and not applied."""
        return max(0, self.end_offset - self.next_offset)


@dataclass(slots=True)
class Progress:
    """One process's view, renewed every second.

    `lanes` are all lanes of the topics that the service reads, whoever of its replicas has them.
    `paused` gives the reason for lanes that must not be read on, `holes` when (monotonic s) it was
    first seen that a lane's next sequence is missing. `outbox_events` of `outbox_age_s` wait for
    Kafka; `published_events` were acknowledged to this process. `failed_tasks` counts a scheduled
    task's failures since its last success.
    """

    is_consuming: bool = False
    assigned: frozenset[Lane] = frozenset()
    lanes: Mapping[Lane, LaneProgress] = field(default_factory=dict[Lane, LaneProgress])
    paused: dict[Lane, str] = field(default_factory=dict[Lane, str])
    holes: dict[Lane, float] = field(default_factory=dict[Lane, float])
    relay: RelayState = RelayState.AWAY
    outbox_events: int = 0
    outbox_age_s: float = 0.0
    published_events: int = 0
    applied_events: int = 0
    parked_events: int = 0
    dead_letters: int = 0
    has_database: bool = False
    has_kafka: bool = False
    failed_tasks: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def lag_events(self) -> int:
        """The records of all lanes that are there and not applied."""
        return sum(lane.lag for lane in self.lanes.values())

    def problems(self, now_s: float) -> list[str]:
        """Return why the process is not ready, one sentence each; none when it is.

        Dead letters and parked events are no such reason: they delay their own key alone.
        """
        found = [
            f"{topic}/{partition} is paused: {reason}"
            for (topic, partition), reason in sorted(self.paused.items())
        ]
        found += [
            f"{topic}/{partition} waits for a missing sequence"
            for (topic, partition), since_s in sorted(self.holes.items())
            if now_s - since_s > HOLE_AGE_MAX_S
        ]
        checks = {
            "the database does not answer": self.has_database,
            "Kafka does not answer": self.has_kafka,
            "the consumer is not started": self.is_consuming,
            "the relay is not connected": self.relay is not RelayState.AWAY,
            f"{self.lag_events} events are not applied": self.lag_events <= LAG_EVENTS_MAX,
            f"events wait {self.outbox_age_s:.0f} s for Kafka": (
                self.outbox_age_s <= OUTBOX_AGE_MAX_S
            ),
        }
        return found + [problem for problem, is_well in checks.items() if not is_well]
