"""Taobao and Tmall: trades as `taobao.trade.fullinfo.get` gives them, pushed with a TOP sign.

Signature (Alibaba open platform, "Signature workflow", and for callbacks with a body the Qimen
rule): the query parameters but `sign`, sorted by name, names and values joined without separator,
then the raw body. `md5` is MD5 of that text between two copies of the secret, `hmac-sha256` is
HMAC-SHA256 keyed with it; upper-case hexadecimal. The timestamp is signed, in GMT+8, and counts for
five minutes (the platform allows ten). The request's `sign_method` must be the shop's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from hashlib import md5, sha256
from hmac import compare_digest, new
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, JsonValue

from contracts.values import Service
from ingest.gateway.notice import Adapter, MisfitError, Notice, fit
from ingest.gateway.secrets import Credential
from ingest.model.order import Consumer, Delivery, Line, Order
from runtime.currency import minor_units
from runtime.fields import DecimalAmount, Id, Text, Units

WINDOW = timedelta(minutes=5)
CHINA = timezone(timedelta(hours=8))
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
TIME_LENGTH_COUNT = 19
CLOSED = frozenset({"TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO"})
UNPAID = frozenset({"TRADE_NO_CREATE_PAY", "WAIT_BUYER_PAY", "PAY_PENDING"})


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


NumericId = Annotated[Id, BeforeValidator(_as_text)]


class _SubOrder(BaseModel):
    oid: NumericId
    outer_sku_id: Text = ""
    outer_iid: Text = ""
    sku_id: Annotated[Text, BeforeValidator(_as_text)] = ""
    num: Units
    price: DecimalAmount
    payment: DecimalAmount
    divide_order_fee: DecimalAmount | None = None


class _SubOrders(BaseModel):
    order: Annotated[list[_SubOrder], Field(min_length=1, max_length=500)]


class _Trade(BaseModel):
    tid: NumericId
    created: Text
    modified: Text
    pay_time: Text | None = None
    payment: DecimalAmount
    post_fee: DecimalAmount = "0"
    status: Text = ""
    buyer_message: Text = ""
    receiver_name: Text = ""
    receiver_mobile: Text = ""
    receiver_phone: Text = ""
    receiver_address: Text = ""
    orders: _SubOrders


class _Response(BaseModel):
    trade: _Trade


class _FullInfo(BaseModel):
    trade_fullinfo_get_response: _Response


def is_authentic(notice: Notice, credential: Credential, now: datetime) -> bool:
    """Check method, app, time and sign; the comparison of the sign takes constant time."""
    query = notice.query
    if query.get("sign_method") != credential.method or query.get("app_key") != credential.app_key:
        return False
    try:
        sent_at = _instant(query.get("timestamp", ""))
    except MisfitError:
        return False
    if abs(now - sent_at) > WINDOW:
        return False
    names = sorted(name for name in query if name != "sign")
    text = "".join(name + query[name] for name in names).encode() + notice.body
    claimed = query.get("sign", "").encode()
    return any(
        compare_digest(_sign(credential.method, text, secret).encode(), claimed)
        for secret in credential.valid(now)
    )


def _sign(method: str, text: bytes, secret: bytes) -> str:
    if method == "md5":
        joined = secret + text + secret
        return md5(joined, usedforsecurity=False).hexdigest().upper()  # the channel's own choice
    return new(secret, text, sha256).hexdigest().upper()


def read(notice: Notice, value: JsonValue) -> Sequence[Delivery]:
    """Return the trade as an order, and before it its cancellation if it is closed."""
    trade = fit(value, _FullInfo).trade_fullinfo_get_response.trade
    raw = notice.raw()
    consumer = Consumer(
        name=trade.receiver_name,
        phone=trade.receiver_mobile or trade.receiver_phone,
        street=trade.receiver_address,
        memo=trade.buyer_message,
    )
    deliveries: list[Delivery] = []
    if trade.status in CLOSED:
        deliveries.append(notice.cancelled(trade.tid, trade.status.lower(), raw))
    deliveries.append(notice.submitted(_order(notice, trade), consumer, raw))
    return deliveries


def _order(notice: Notice, trade: _Trade) -> Order:
    """A trade names its region in words alone, so the code says no more than the country."""
    is_paid = trade.pay_time is not None and trade.status not in UNPAID
    return Order(
        channel=notice.channel,
        shop_id=notice.shop_id,
        channel_order_number=trade.tid,
        version=None,
        updated_at=_instant(trade.modified),
        currency="CNY",
        lines=[_line(each) for each in trade.orders.order],
        freight_minor=_fen(trade.post_fee),
        total_minor=_fen(trade.payment),
        payments=(),
        region_code="CN",
        latitude=None,
        longitude=None,
        placed_at=_instant(trade.created),
        paid_at=_instant(trade.pay_time) if is_paid and trade.pay_time else None,
        service=Service.SHIP,
    )


def _line(each: _SubOrder) -> Line:
    """`divide_order_fee` is what was paid for the line after the trade's own discounts."""
    paid_minor = _fen(each.divide_order_fee or each.payment)
    unit_price_minor = _fen(each.price)
    return Line(
        line_id=each.oid,
        sku=each.outer_sku_id or each.outer_iid or each.sku_id,
        quantity_units=each.num,
        unit_price_minor=unit_price_minor,
        discount_minor=unit_price_minor * each.num - paid_minor,
    )


def _fen(amount: str) -> int:
    try:
        return minor_units(amount, "CNY")
    except ValueError as error:
        raise MisfitError(str(error)) from None


def _instant(local_time: str) -> datetime:
    """Read TOP's local time, which is always GMT+8 and says so nowhere."""
    if len(local_time) != TIME_LENGTH_COUNT or not local_time.isascii():
        raise MisfitError("a time is not of the form 2017-07-28 14:18:32")
    try:
        return datetime.strptime(local_time, TIME_FORMAT).replace(tzinfo=CHINA).astimezone(UTC)
    except ValueError:
        raise MisfitError("a time is not of the form 2017-07-28 14:18:32") from None


adapter = Adapter("taobao", is_authentic, read, {"success": True})
