"""Time as a source of events: tasks that run every so often, on one replica at a time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar

from backbone.transaction import Transaction
from contracts.event import Event

Task: TypeAlias = Callable[[Transaction, datetime], Awaitable[Sequence[Event]]]
T = TypeVar("T", bound=Task)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A task and its period in seconds; its name is the function's."""

    name: str
    period_s: float
    task: Task


class Schedule:
    """The tasks of one service."""

    def __init__(self) -> None:
        self.tasks: list[Scheduled] = []

    def every(self, seconds: float) -> Callable[[T], T]:
        """Run `async def task(tx, now) -> Sequence[Event]` every so many seconds.

        Each run has its own transaction; the returned events are stored in it. Among all replicas a
        task runs once a period, measured by the database's clock. A run that fails is rolled back,
        logged and tried again after a period. ValueError for a name that is taken.
        """
        if seconds <= 0:
            raise ValueError(f"a task cannot run every {seconds} seconds")

        def bind(task: T) -> T:
            name = task.__name__
            if any(name == other.name for other in self.tasks):
                raise ValueError(f"there are two tasks named {name}")
            self.tasks.append(Scheduled(name, seconds, task))
            return task

        return bind
