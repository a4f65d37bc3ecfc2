"""What became of an order: shipped units are captured, given-up ones released, returns reversed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from contracts.fulfilments import OrderCancelled, ParcelReturned, ParcelShipped
from contracts.holds import QuotaCaptured, QuotaReleased, QuotaReversed
from contracts.plans import OrderUnroutable
from quota.decide.ledger import Cause, Ledger
from quota.model import Book, Decision, EntryKind, Hold

Fact = ParcelShipped | ParcelReturned | OrderCancelled | OrderUnroutable


def apply(book: Book, facts: Sequence[Fact], now: datetime) -> Decision:
    """Apply facts in sequence, at the prices kept with each hold, never beyond what is there.

    Captures are never refused, whatever the limit has become. Every order is in the book.
    """
    ledger = Ledger(book, now)
    for fact in facts:
        match fact:
            case ParcelShipped():
                _capture(ledger, fact)
            case ParcelReturned():
                _reverse(ledger, fact)
            case OrderCancelled():
                units = [(line.line_id, line.quantity_units) for line in fact.lines]
                _release(ledger, fact.order_id, fact.request_id, units)
            case OrderUnroutable():
                units = [(line.line_id, line.quantity_units) for line in fact.lines]
                _release(ledger, fact.order_id, fact.decision_id, units)
    return ledger.decision()


def _capture(ledger: Ledger, fact: ParcelShipped) -> None:
    amount_minor = 0
    for shipped in fact.lines:
        line = ledger.line(fact.order_id, shipped.line_id)
        units = min(shipped.quantity_units, line.open_units)
        ledger.change_line(replace(line, captured_units=line.captured_units + units))
        amount_minor += units * line.supply_price_minor
    hold = ledger.hold(fact.order_id)
    ledger.change(replace(hold, captured_minor=hold.captured_minor + amount_minor))
    if hold.account_id is None or not amount_minor:
        return
    cause = Cause(EntryKind.CAPTURE, fact.parcel_id, fact.order_id)
    ledger.post(hold.account_id, cause, settled_minor=-amount_minor, held_minor=-amount_minor)
    ledger.say(
        QuotaCaptured(
            occurred_at=ledger.now,
            order_id=hold.order_id,
            hold_id=hold.hold_id,
            account_id=hold.account_id,
            amount_minor=amount_minor,
            currency=hold.currency,
            parcel_id=fact.parcel_id,
        )
    )


def _release(
    ledger: Ledger, order_id: str, cause_id: str, released: Iterable[tuple[str, int]]
) -> None:
    amount_minor = 0
    for line_id, quantity_units in released:
        line = ledger.line(order_id, line_id)
        units = min(quantity_units, line.open_units)
        ledger.change_line(replace(line, released_units=line.released_units + units))
        amount_minor += units * line.supply_price_minor
    before = ledger.hold(order_id)
    after = replace(before, released_minor=before.released_minor + amount_minor)
    ledger.change(after)
    if after.account_id is None:
        return
    if after.granted_at is None:
        _shrink(ledger, after)
    elif amount_minor:
        cause = Cause(EntryKind.RELEASE, cause_id, order_id)
        ledger.post(after.account_id, cause, held_minor=-amount_minor)
        _say_released(ledger, after, amount_minor, cause_id)
    ledger.drain(after.account_id)


def _shrink(ledger: Ledger, hold: Hold) -> None:
    """A waiting order wants less now; without units it leaves, without an amount it may go on."""
    if hold.waits_until is None:
        return
    if not ledger.has_open_units(hold.order_id):
        ledger.leave(hold)
        ledger.change(replace(hold, waits_until=None))
    elif not hold.open_minor:
        ledger.leave(hold)
        ledger.grant(hold)


def _say_released(ledger: Ledger, hold: Hold, amount_minor: int, cause_id: str) -> None:
    ledger.say(
        QuotaReleased(
            occurred_at=ledger.now,
            order_id=hold.order_id,
            hold_id=hold.hold_id,
            account_id=hold.account_id or "",
            amount_minor=amount_minor,
            currency=hold.currency,
            cause_id=cause_id,
        )
    )


def _reverse(ledger: Ledger, fact: ParcelReturned) -> None:
    amount_minor = 0
    for returned in fact.lines:
        line = ledger.line(fact.order_id, returned.line_id)
        units = min(returned.quantity_units, line.captured_units - line.reversed_units)
        ledger.change_line(replace(line, reversed_units=line.reversed_units + units))
        amount_minor += units * line.supply_price_minor
    hold = ledger.hold(fact.order_id)
    ledger.change(replace(hold, reversed_minor=hold.reversed_minor + amount_minor))
    if hold.account_id is None or not amount_minor:
        return
    cause = Cause(EntryKind.REVERSE, fact.return_id, fact.order_id)
    ledger.post(hold.account_id, cause, settled_minor=amount_minor)
    ledger.say(
        QuotaReversed(
            occurred_at=ledger.now,
            order_id=hold.order_id,
            hold_id=hold.hold_id,
            account_id=hold.account_id,
            amount_minor=amount_minor,
            currency=hold.currency,
            return_id=fact.return_id,
        )
    )
    ledger.drain(hold.account_id)
