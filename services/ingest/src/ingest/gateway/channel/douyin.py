"""Douyin (Doudian): pushed messages of trades, with the order's detail where a connector adds it.

Signature: header `event-sign` is a hexadecimal digest over the app key, the raw body and the app
secret joined without separator; `app-id` names the app. The message push service uses MD5, as the
public client minibear2021/doudian verifies it (method `md5`). Method `hmac-sha256` is HMAC-SHA256
of the same text keyed with the app secret, for relays that can do better; a shop has one method.
A pushed message carries ids and amounts, not the order: the detail (`order.orderDetail`) comes with
it as `shop_order_detail`, or the message waits in quarantine until somebody brings it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import md5, sha256
from hmac import compare_digest, new
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, JsonValue

from contracts.values import Service
from ingest.gateway.notice import Adapter, MisfitError, Notice, fit
from ingest.gateway.secrets import Credential
from ingest.model.order import (
    Consumer,
    Delivery,
    HoldReason,
    Line,
    Order,
    Payment,
    RawInput,
    WantedHold,
)
from ingest.model.pool import Reason
from runtime.body import parse
from runtime.fields import AmountMinor, Id, SignedAmountMinor, Text, Units

PING = "0"
TRADE_CREATED = "100"
TRADE_PAID = "101"
TRADE_CANCELLED = "106"
STATUS_UNPAID = 1
STATUS_RISK = 105
STATUS_CLOSED = 4
SECONDS_MAX = 4_102_444_800  # the year 2100


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


NumericId = Annotated[Id, BeforeValidator(_as_text)]
EpochSeconds = Annotated[int, Field(strict=True, ge=0, le=SECONDS_MAX)]


class _Message(BaseModel):
    tag: Annotated[Text, BeforeValidator(_as_text)]
    msg_id: Annotated[Text, BeforeValidator(_as_text)] = ""
    data: JsonValue = None


class _Trade(BaseModel):
    p_id: NumericId
    pay_amount: AmountMinor = 0
    pay_time: EpochSeconds = 0
    cancel_reason: Text = ""


class _Region(BaseModel):
    id: Annotated[Text, BeforeValidator(_as_text)] = ""


class _Address(BaseModel):
    province: _Region = _Region()
    city: _Region = _Region()
    town: _Region = _Region()
    encrypt_detail: Text = ""


class _SkuOrder(BaseModel):
    order_id: NumericId
    code: Text = ""
    out_sku_id: Text = ""
    sku_id: Annotated[Text, BeforeValidator(_as_text)] = ""
    item_num: Units
    origin_amount: AmountMinor
    promotion_amount: SignedAmountMinor = 0
    post_amount: SignedAmountMinor = 0
    given_product_type: Text = ""


class _Detail(BaseModel):
    order_id: NumericId
    order_status: int
    create_time: EpochSeconds
    update_time: EpochSeconds
    pay_time: EpochSeconds = 0
    pay_amount: AmountMinor
    cancel_reason: Text = ""
    buyer_words: Text = ""
    encrypt_post_receiver: Text = ""
    encrypt_post_tel: Text = ""
    post_addr: _Address = _Address()
    sku_order_list: Annotated[list[_SkuOrder], Field(min_length=1, max_length=500)]


class _Envelope(NamedTuple):
    notice: Notice
    raw: RawInput


def is_authentic(notice: Notice, credential: Credential, now: datetime) -> bool:
    """Compare the sign in constant time by the shop's one method; the request chooses nothing."""
    claimed = notice.headers.get("event-sign", "").encode()
    if notice.headers.get("app-id") != credential.app_key:
        return False
    text = credential.app_key.encode() + notice.body
    return any(
        compare_digest(_sign(credential.method, text, secret).encode(), claimed)
        for secret in credential.valid(now)
    )


def _sign(method: str, text: bytes, secret: bytes) -> str:
    if method == "md5":
        return md5(text + secret, usedforsecurity=False).hexdigest()  # the channel's own choice
    return new(secret, text + secret, sha256).hexdigest()


def read(notice: Notice, value: JsonValue) -> Sequence[Delivery]:
    """Return what each message of a push says; a connection test says nothing.

    Data that is JSON within JSON is read as strictly as the body, with its problems.
    """
    if not isinstance(value, list):
        raise MisfitError("a push is a list of messages")
    deliveries: list[Delivery] = []
    for item in value:
        message = fit(item, _Message)
        deliveries.extend(_deliveries(_Envelope(notice, notice.raw(message.msg_id)), message))
    return deliveries


def _deliveries(envelope: _Envelope, message: _Message) -> Iterator[Delivery]:
    data = _data(message)
    notice, raw = envelope
    if message.tag == PING:
        return
    if "shop_order_detail" in data:
        yield from _detailed(envelope, fit(data["shop_order_detail"], _Detail))
        return
    if message.tag not in {TRADE_CREATED, TRADE_PAID, TRADE_CANCELLED}:
        detail = f"messages of tag {message.tag[:16]!r} are not taken"
        yield notice.misunderstood(Reason.UNSUPPORTED, detail, raw)
        return
    trade = fit(data, _Trade)
    if message.tag == TRADE_CANCELLED:
        yield notice.cancelled(trade.p_id, trade.cancel_reason or "cancelled", raw)
    elif message.tag == TRADE_PAID:
        payment = Payment(trade.p_id, trade.pay_amount, "CNY", _instant(trade.pay_time))
        yield notice.paid(trade.p_id, payment, raw)
    else:
        detail = "the message carries no order detail"
        yield notice.misunderstood(Reason.DETAIL_MISSING, detail, raw, trade.p_id)


def _data(message: _Message) -> dict[str, JsonValue]:
    """Messages carry their data as an object or as its JSON text."""
    data = message.data
    if isinstance(data, str) and message.tag != PING:
        data = parse(data.encode(errors="replace"))
    return data if isinstance(data, dict) else {}


def _detailed(envelope: _Envelope, found: _Detail) -> Iterator[Delivery]:
    notice, raw = envelope
    if found.order_status == STATUS_CLOSED:
        # First, so that an order which arrives closed is never accepted.
        yield notice.cancelled(found.order_id, found.cancel_reason or "closed", raw)
    consumer = Consumer(
        name=found.encrypt_post_receiver,
        phone=found.encrypt_post_tel,
        street=found.post_addr.encrypt_detail,
        memo=found.buyer_words,
    )
    yield notice.submitted(_order(notice, found), consumer, raw)


def _order(notice: Notice, found: _Detail) -> Order:
    is_paid = found.order_status != STATUS_UNPAID and found.pay_time > 0
    is_risky = found.order_status == STATUS_RISK
    return Order(
        channel=notice.channel,
        shop_id=notice.shop_id,
        channel_order_number=found.order_id,
        version=None,
        updated_at=_instant(found.update_time),
        currency="CNY",
        lines=[_line(item) for item in found.sku_order_list],
        freight_minor=0,
        total_minor=found.pay_amount,
        payments=(),
        region_code=_region(found.post_addr),
        latitude=None,
        longitude=None,
        placed_at=_instant(found.create_time),
        paid_at=_instant(found.pay_time) if is_paid else None,
        service=Service.SHIP,
        holds=[WantedHold(HoldReason.FRAUD)] if is_risky else [],
    )


def _line(item: _SkuOrder) -> Line:
    """Amounts are fen; Douyin divides promotions and freight among the lines itself."""
    return Line(
        line_id=item.order_id,
        sku=item.out_sku_id or item.code or item.sku_id,
        quantity_units=item.item_num,
        unit_price_minor=item.origin_amount,
        discount_minor=item.promotion_amount,
        freight_minor=item.post_amount,
        gift=item.given_product_type == "FREE",
    )


def _region(address: _Address) -> str:
    """District, city and province ids are those of GB/T 2260."""
    code = address.town.id or address.city.id or address.province.id
    return f"CN-{code}" if code.isascii() and code.isdigit() and len(code) <= 6 else "CN"


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


adapter = Adapter("douyin", is_authentic, read, {"code": 0, "msg": "success"})
