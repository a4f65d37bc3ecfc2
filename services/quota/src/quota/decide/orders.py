"""Accepted orders take their hold or wait for it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from contracts.holds import QuotaExpired, QuotaRefused, RefusalReason
from contracts.ids import derive_id
from contracts.orders import OrderAccepted
from quota.decide.ledger import Ledger
from quota.model import Account, Book, Decision, Hold, HoldLine


def hold(book: Book, orders: Sequence[OrderAccepted], now: datetime) -> Decision:
    """Hold each order at its supply prices, one after the other, or let it wait.

    An order behind others of its account waits with them, though it would fit. Orders that are
    known already are passed over. The account of each order is in the book.
    """
    ledger = Ledger(book, now)
    for order in orders:
        if not ledger.knows(order.order_id):
            _take(ledger, order)
    return ledger.decision()


def drain(book: Book, now: datetime) -> Decision:
    """Grant waiting orders: a limit has become valid, or more were waiting than one look saw."""
    ledger = Ledger(book, now)
    for account_id in sorted(book.accounts):
        ledger.drain(account_id)
    return ledger.decision()


def expire(book: Book, order_ids: Collection[str], now: datetime) -> Decision:
    """End the waits that are over; those behind an order that blocked the queue may go on."""
    ledger = Ledger(book, now)
    for order_id in sorted(order_ids):
        waiting = ledger.hold(order_id)
        account_id = waiting.account_id
        if account_id is None or waiting.waits_until is None or waiting.waits_until > now:
            continue
        ledger.leave(waiting)
        ledger.change(replace(waiting, waits_until=None, expired_at=now))
        ledger.say(QuotaExpired(occurred_at=now, order_id=order_id, account_id=account_id))
        ledger.drain(account_id)
    return ledger.decision()


def _take(ledger: Ledger, order: OrderAccepted) -> None:
    wanted = _hold_of(order)
    ledger.open(wanted, _lines_of(order))
    if wanted.account_id is None or ledger.goes_at_once(wanted):
        ledger.grant(wanted)
        return
    account = ledger.account(wanted.account_id)
    waiting = replace(wanted, waits_until=ledger.now + timedelta(hours=account.wait_hours))
    ledger.change(waiting)
    ledger.enqueue(waiting)
    ledger.drain(account.account_id)
    if ledger.hold(order.order_id).granted_at is None:
        ledger.change(replace(ledger.hold(order.order_id), refused_at=ledger.now))
        ledger.say(_refused(ledger.account(account.account_id), waiting, ledger.now))


def _hold_of(order: OrderAccepted) -> Hold:
    return Hold(
        order_id=order.order_id,
        hold_id=derive_id("hold", order.order_id),
        account_id=order.limit_account_id,
        currency=order.currency,
        amount_minor=sum(line.supply_price_minor * line.quantity_units for line in order.lines),
        priority=order.priority,
        placed_at=order.placed_at,
    )


def _lines_of(order: OrderAccepted) -> list[HoldLine]:
    return [
        HoldLine(order.order_id, line.line_id, line.supply_price_minor, line.quantity_units)
        for line in order.lines
    ]


def _refused(account: Account, waiting: Hold, now: datetime) -> QuotaRefused:
    shortfall_minor = max(0, waiting.amount_minor - account.available_minor)
    if account.is_blocked:
        reason = RefusalReason.ACCOUNT_BLOCKED
    elif shortfall_minor:
        reason = RefusalReason.OVER_LIMIT
    else:
        reason = RefusalReason.QUEUED
    return QuotaRefused(
        occurred_at=now,
        order_id=waiting.order_id,
        account_id=account.account_id,
        amount_minor=waiting.amount_minor,
        currency=waiting.currency,
        shortfall_minor=shortfall_minor,
        reason=reason,
        waits_until=waiting.waits_until or now,
    )
