"""Turns a complete, paid order into the fact that it is accepted, with its terms frozen."""

from datetime import datetime

from contracts.orders import OrderAccepted, OrderLine
from contracts.values import LinePart, Place
from ingest.decide.allocate import allocate
from ingest.decide.check import terms_in_force
from ingest.model.order import Line, Order
from ingest.model.pool import Pooled
from ingest.model.terms import Article, Directory, Terms


def accept(pooled: Pooled, directory: Directory, now: datetime) -> OrderAccepted:
    """Freeze the terms of an order about which there is no complaint.

    LookupError where the directory lacks something: the caller asks `complaints_of` first.
    """
    order = pooled.order
    if order is None or pooled.paid_at is None:
        raise LookupError(f"order {pooled.order_id} is not there or not paid")
    shop = directory.shops[order.shop_id]
    terms = terms_in_force(order, shop, directory)
    if terms is None:
        raise LookupError(f"agreement {shop.agreement_id} is not in force")
    return OrderAccepted(
        occurred_at=now,
        order_id=pooled.order_id,
        order_version=pooled.order_version,
        brand_id=shop.brand_id,
        channel=order.channel,
        shop_id=order.shop_id,
        channel_order_number=order.channel_order_number,
        scenario=terms.scenario,
        seller_id=shop.seller_id,
        agreement_id=terms.agreement_id,
        agreement_version=terms.version,
        limit_account_id=terms.limit_account_id,
        currency=order.currency,
        lines=_lines(order, terms, directory),
        service=order.service,
        place=Place(
            region_code=order.region_code, latitude=order.latitude, longitude=order.longitude
        ),
        consumer_ref=pooled.order_id,
        placed_at=order.placed_at,
        paid_at=pooled.paid_at,
        ship_complete=order.ship_complete,
        priority=order.priority,
    )


def _lines(order: Order, terms: Terms, directory: Directory) -> tuple[OrderLine, ...]:
    """Freight for the order is divided in proportion to what the lines cost."""
    freight = allocate(order.freight_minor, [line.amount_minor for line in order.lines])
    return tuple(
        _line(line, freight_minor, directory.articles[order.shop_id, line.sku], terms, directory)
        for line, freight_minor in zip(order.lines, freight, strict=True)
    )


def _line(
    line: Line, freight_minor: int, article: Article, terms: Terms, directory: Directory
) -> OrderLine:
    single = (LinePart(goods_id=article.goods_id, units_each=1),)
    return OrderLine(
        line_id=line.line_id,
        goods_id=article.goods_id,
        quantity_units=line.quantity_units,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        freight_minor=line.freight_minor + freight_minor,
        supply_price_minor=directory.prices_minor[
            terms.agreement_id, terms.version, article.goods_id
        ],
        parts=tuple(article.parts) or single,
        gift=line.gift,
    )
