"""Who is next when an account has room again: fair order, with a bound on overtaking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quota.model import Account, Hold

Place = tuple[int, datetime, str]


@dataclass(frozen=True, slots=True)
class Draw:
    """Orders that may go on, in fair order, and by how many of them each waiting one was passed."""

    granted: Sequence[Hold]
    skips: Sequence[tuple[Hold, int]]


def place_of(hold: Hold) -> Place:
    """Return an order's place in its account's queue: priority first, then age, ties by id."""
    return (-hold.priority, hold.placed_at, hold.order_id)


def draw(account: Account, waiting: Iterable[Hold]) -> Draw:
    """Grant what fits, in fair order, until an order that may not be passed any more does not fit.

    An order is passed when a later one is granted; after `skips_max` times it blocks the queue.
    Skip-to-fit without a bound starves large orders, a strict queue has a bound of 0. A blocked
    account grants nothing. Reads no further than it decides.
    """
    granted: list[Hold] = []
    passed: list[tuple[Hold, int]] = []
    if account.is_blocked:
        return Draw((), ())
    available_minor = account.available_minor
    passes_left: int | None = None
    for hold in waiting:
        if hold.open_minor <= available_minor:
            available_minor -= hold.open_minor
            granted.append(hold)
            passes_left = None if passes_left is None else passes_left - 1
        else:
            left = account.skips_max - hold.skips
            passes_left = left if passes_left is None else min(passes_left, left)
            passed.append((hold, len(granted)))
        if passes_left is not None and passes_left <= 0:
            break
    skips = [(hold, len(granted) - before) for hold, before in passed if len(granted) > before]
    return Draw(granted, skips)
