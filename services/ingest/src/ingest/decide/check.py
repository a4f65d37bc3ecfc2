"""What can be wrong with an order although it is well formed (bad_inputs, section B)."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from contracts.values import Service
from ingest.model.order import Consumer, Order, Payment
from ingest.model.pool import Complaint, Pooled, Reason
from ingest.model.terms import Article, Directory, Shop, Terms

# A price this many times above or below the list price is a slip of unit (fen for yuan is 100).
OUTLIER_FACTOR = 20
AHEAD_MAX = timedelta(hours=24)
AHEAD_FLAGGED = timedelta(minutes=5)
EARLIEST_YEAR = 2000
CHINA_CITY = re.compile(r"CN-\d{4,}")
CHINA_PROVINCE_ONLY = re.compile(r"CN-\d{2}0{4}")
# Format characters (bidirectional overrides, zero-width) and controls; unassigned ones stay.
INVISIBLE = frozenset({"Cf", "Cc"})


def complaints_of(pooled: Pooled, directory: Directory, now: datetime) -> list[Complaint]:
    """Return everything that keeps an order from acceptance, waived reasons left out.

    The first one names the quarantine. Never raises.
    """
    order, consumer = pooled.order, pooled.consumer
    if order is None or consumer is None:
        return []
    found = [
        *_amounts(order, pooled.payments),
        *_lines(order),
        *_times(order, now),
        *_address(order, consumer),
        *_terms(order, directory),
    ]
    return [each for each in found if each.reason not in pooled.waivers]


def flags_of(order: Order, consumer: Consumer, now: datetime) -> list[str]:
    """Return what a reader should know about an order that is good all the same."""
    flags: list[str] = []
    latest = max(order.placed_at, order.paid_at or order.placed_at)
    if latest > now + AHEAD_FLAGGED:
        flags.append("ahead_of_time")
    texts = (consumer.name, consumer.phone, consumer.street, consumer.memo)
    if any(unicodedata.category(character) in INVISIBLE for text in texts for character in text):
        flags.append("invisible_characters")
    return flags


def payments_of(order: Order, recorded: Sequence[Payment]) -> list[Payment]:
    """Return the order's own and the recorded payments, each payment id once."""
    return list({payment.payment_id: payment for payment in (*recorded, *order.payments)}.values())


def paid_time(order: Order, recorded: Sequence[Payment]) -> datetime | None:
    """Return when an order was fully paid, or None while it is not.

    The channel's word counts; without it the payments must reach the total. An order that costs
    nothing is paid when it is placed.
    """
    if order.paid_at is not None:
        return order.paid_at
    payments = payments_of(order, recorded)
    if order.total_minor == 0:
        return order.placed_at
    if sum(payment.amount_minor for payment in payments) < order.total_minor:
        return None
    return max(payment.paid_at for payment in payments)


def terms_in_force(order: Order, shop: Shop, directory: Directory) -> Terms | None:
    """Return the agreement version in force by paid time; the highest where several are."""
    at = order.paid_at or order.placed_at
    versions = [
        terms
        for terms in directory.agreements.get(shop.agreement_id, ())
        if terms.valid_from <= at and (terms.valid_to is None or at < terms.valid_to)
    ]
    return max(versions, key=lambda terms: terms.version, default=None)


def _lines(order: Order) -> Iterator[Complaint]:
    if not order.lines and order.total_minor == order.freight_minor:
        yield Complaint(Reason.AMOUNT_INVALID, "it has no lines")
    seen: set[str] = set()
    for line in order.lines:
        if line.line_id in seen:
            yield Complaint(Reason.DUPLICATE_LINE, f"line {line.line_id} is there twice")
        seen.add(line.line_id)
        if not 0 <= line.discount_minor <= line.unit_price_minor * line.quantity_units:
            detail = f"line {line.line_id}: discount {line.discount_minor} is out of range"
            yield Complaint(Reason.AMOUNT_INVALID, detail)
        if line.freight_minor < 0:
            detail = f"line {line.line_id}: freight {line.freight_minor} is negative"
            yield Complaint(Reason.AMOUNT_INVALID, detail)


def _amounts(order: Order, recorded: Sequence[Payment]) -> Iterator[Complaint]:
    """Tolerance is zero: a difference of one minor unit is a break to be explained."""
    if order.freight_minor < 0:
        yield Complaint(Reason.AMOUNT_INVALID, f"freight {order.freight_minor} is negative")
    lines_minor = sum(line.amount_minor + line.freight_minor for line in order.lines)
    due_minor = lines_minor + order.freight_minor
    if due_minor != order.total_minor:
        detail = f"lines and freight are {due_minor}, the total is {order.total_minor}"
        yield Complaint(Reason.TOTAL_MISMATCH, detail)
    elif order.total_minor == 0 and not all(line.gift for line in order.lines):
        yield Complaint(Reason.AMOUNT_INVALID, "it costs nothing and not all lines are gifts")
    payments = payments_of(order, recorded)
    for payment in payments:
        if payment.currency != order.currency:
            detail = f"payment {payment.payment_id} is in {payment.currency}"
            yield Complaint(Reason.CURRENCY_MISMATCH, detail)
    paid_minor = sum(payment.amount_minor for payment in payments)
    short = order.paid_at is not None and bool(payments) and paid_minor != order.total_minor
    if short or paid_minor > order.total_minor:
        detail = f"payments are {paid_minor}, the total is {order.total_minor}"
        yield Complaint(Reason.TOTAL_MISMATCH, detail)


def _times(order: Order, now: datetime) -> Iterator[Complaint]:
    for name, moment in (("placed_at", order.placed_at), ("paid_at", order.paid_at)):
        if moment is None:
            continue
        if moment.year < EARLIEST_YEAR or moment > now + AHEAD_MAX:
            detail = f"{name} {moment.isoformat()} cannot be true"
            yield Complaint(Reason.TIME_IMPLAUSIBLE, detail)


def _address(order: Order, consumer: Consumer) -> Iterator[Complaint]:
    if order.service is Service.PICKUP:
        return
    if not consumer.street.strip():
        yield Complaint(Reason.ADDRESS_INCOMPLETE, "there is no street")
    if not is_below_province(order.region_code):
        detail = f"region {order.region_code} names no city"
        yield Complaint(Reason.ADDRESS_INCOMPLETE, detail)


def is_below_province(region_code: str) -> bool:
    """Tell whether a region is narrower than a province or state.

    China: at least the four digits of a prefecture (GB/T 2260). Elsewhere: a third part, or a
    second part with a digit, as in small countries that have postal codes and no states.
    """
    if region_code.startswith("CN-"):
        is_province = CHINA_PROVINCE_ONLY.fullmatch(region_code)
        return bool(CHINA_CITY.match(region_code)) and not is_province
    parts = region_code.split("-")
    return len(parts) > 2 or (len(parts) == 2 and any(map(str.isdigit, parts[1])))


def _terms(order: Order, directory: Directory) -> Iterator[Complaint]:
    shop = directory.shops.get(order.shop_id)
    if shop is None or not shop.enabled or shop.channel != order.channel:
        detail = f"shop {order.shop_id} of {order.channel} is not known"
        yield Complaint(Reason.UNKNOWN_SHOP, detail, f"shop/{order.shop_id}")
        return
    if shop.currency != order.currency:
        detail = f"shop {shop.shop_id} sells in {shop.currency}, not {order.currency}"
        yield Complaint(Reason.CURRENCY_MISMATCH, detail)
    terms = terms_in_force(order, shop, directory)
    if terms is None:
        detail = f"no version of agreement {shop.agreement_id} was in force"
        yield Complaint(Reason.NO_AGREEMENT, detail, f"agreement/{shop.agreement_id}")
    for line in order.lines:
        article = directory.articles.get((order.shop_id, line.sku))
        # A disabled article and another brand's are told apart from an unknown one by nobody.
        if article is None or article.brand_id != shop.brand_id:
            detail = f"SKU {line.sku!r} is not known in shop {shop.shop_id}"
            yield Complaint(Reason.UNKNOWN_SKU, detail, f"listing/{shop.shop_id}/{line.sku}")
        elif terms is not None:
            yield from _range(order, terms, article, directory)
        if article is not None and not line.gift:
            yield from _price(line.unit_price_minor, order.currency, line.line_id, article)


def _range(
    order: Order, terms: Terms, article: Article, directory: Directory
) -> Iterator[Complaint]:
    awaits = f"agreement/{terms.agreement_id}"
    if (terms.agreement_id, terms.version, article.goods_id) not in directory.prices_minor:
        detail = f"agreement {terms.agreement_id} has no supply price for {article.goods_id}"
        yield Complaint(Reason.OUTSIDE_RANGE, detail, awaits)
    if terms.product_lines and article.product_line not in terms.product_lines:
        detail = f"agreement {terms.agreement_id} does not cover {article.product_line}"
        yield Complaint(Reason.OUTSIDE_RANGE, detail, awaits)
    if terms.coverage and not any(order.region_code.startswith(area) for area in terms.coverage):
        detail = f"agreement {terms.agreement_id} does not cover {order.region_code}"
        yield Complaint(Reason.OUTSIDE_RANGE, detail, awaits)


def _price(
    unit_price_minor: int, currency: str, line_id: str, article: Article
) -> Iterator[Complaint]:
    usual_minor = article.list_price_minor
    if usual_minor <= 0 or currency != article.currency:
        return
    too_high = unit_price_minor > usual_minor * OUTLIER_FACTOR
    if too_high or unit_price_minor * OUTLIER_FACTOR < usual_minor:
        detail = f"line {line_id}: {unit_price_minor} is far from the usual {usual_minor}"
        yield Complaint(Reason.PRICE_OUTLIER, detail)
