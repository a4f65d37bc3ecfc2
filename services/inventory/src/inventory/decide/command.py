"""What people and programs do to stock: receive, adjust, put away."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from inventory.decide.book import StockBook
from inventory.model import (
    Cause,
    Change,
    Condition,
    Decision,
    Operation,
    PutAwayLine,
    Refusal,
    Source,
    StockKey,
    StockLevel,
    StockLine,
)


def receive(
    lines: Sequence[StockLine],
    stock: Mapping[StockKey, StockLevel],
    cause: Cause,
    now: datetime,
) -> Decision:
    """Add goods that arrived."""
    book = StockBook(stock)
    source = Source(Operation.RECEIVE, cause)
    for line in lines:
        book.post(line.key, source, Change(on_hand_units=line.quantity_units))
    return _decision(book, now)


def adjust(
    lines: Sequence[StockLine],
    stock: Mapping[StockKey, StockLevel],
    cause: Cause,
    now: datetime,
) -> Decision | Refusal:
    """Correct counts by signed units, all lines or none.

    Promised units are never taken off: what a correction names of them is kept as missing and taken
    off when promises end or goods arrive. More than is there cannot be taken off at all.
    """
    book = StockBook(stock)
    source = Source(Operation.ADJUST, cause)
    for index, line in enumerate(lines):
        level = book.level(line.key)
        there_units = level.on_hand_units - level.missing_units
        if -line.quantity_units > there_units:
            return Refusal(index, _too_few(line.key, there_units, -line.quantity_units))
        book.post(line.key, source, _correction(line.quantity_units))
    return _decision(book, now)


def put_away(
    lines: Sequence[PutAwayLine],
    stock: Mapping[StockKey, StockLevel],
    cause: Cause,
    now: datetime,
) -> Decision | Refusal:
    """Move goods from one condition to another at their node, all lines or none."""
    book = StockBook(stock)
    source = Source(Operation.PUT_AWAY, cause)
    for index, line in enumerate(lines):
        there_units = book.level(line.taken_from).available_units
        if line.quantity_units > there_units:
            return Refusal(index, _too_few(line.taken_from, there_units, line.quantity_units))
        book.post(line.taken_from, source, Change(on_hand_units=-line.quantity_units))
        book.post(line.put_into, source, Change(on_hand_units=line.quantity_units))
    return _decision(book, now)


def _correction(units: int) -> Change:
    return Change(on_hand_units=units) if units > 0 else Change(missing_units=-units)


def _too_few(key: StockKey, there_units: int, wanted_units: int) -> str:
    condition: Condition = key.condition
    return (
        f"{there_units} {condition} units of {key.goods_id} are at {key.node_id}, "
        f"{wanted_units} were to be taken"
    )


def _decision(book: StockBook, now: datetime) -> Decision:
    return Decision(stock=book.changed, movements=book.movements, events=book.availability(now))
