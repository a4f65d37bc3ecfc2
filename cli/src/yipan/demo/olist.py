"""The Olist story: real orders of a Brazilian marketplace, with a world derived from the files.

The files give orders, items, payments, places and times. What they don't give is derived from them
by fixed rules, so that the same files and seed make the same story:

- every seller is a dealer with a shop and an agreement; an order belongs to the seller of the
  larger part of it; supply prices are 70 % of the lowest price seen;
- every state with sellers has a warehouse of the brand at the mean of its sellers' coordinates;
- a warehouse has on hand what its state's sellers sold, and the largest one as much again of
  everything, except of every fiftieth product, of which half is missing;
- dealers may owe 60 % of what they sell in all (but always their largest order);
- orders that were `unavailable` are rejected by every node.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from yipan.demo.olist_files import Files, Row, minor, moment, read
from yipan.demo.olist_world import BRAND, COURIER, accounts, directory, receipts
from yipan.demo.story import Document, Fate, Step, Story, StoryOrder

REJECTED_RATE, SHORT_RATE = 0.03, 0.02
"""Share of orders whose first offer is refused, and whose first parcel is picked one unit short."""
REJECTED_EVERYWHERE = 9

_LAST_STEP = {
    "delivered": Step.DELIVERED,
    "shipped": Step.SHIPPED,
    "invoiced": Step.PACKED,
    "processing": Step.PICKED,
    "approved": Step.ACCEPTED,
    "created": Step.OFFERED,
    "unavailable": Step.OFFERED,
}


def tell(folder: Path, orders: int | None = None, seed: int = 1) -> Story:
    """Return the story of the first so many orders by purchase time (None: all of them)."""
    files = read(folder)
    chosen = sorted(
        files.orders, key=lambda row: (row["order_purchase_timestamp"], row["order_id"])
    )
    chosen = chosen[:orders]
    chance = random.Random(seed)
    seller_of = {row["order_id"]: _seller(files.items.get(row["order_id"], ())) for row in chosen}
    told = [_order(chance, row, seller_of[row["order_id"]], files) for row in chosen]
    prices = _supply_prices(chosen, seller_of, files)
    return Story(
        title=f"Olist, {len(told)} orders, seed {seed}",
        name=f"olist-{len(told)}-{seed}",
        currency="BRL",
        carrier_id=COURIER,
        directory=directory(prices, files),
        accounts=accounts(prices, told),
        receipts=receipts(chosen, files),
        orders=told,
        payments_minor={row["order_id"]: _paid_minor(row, files) for row in chosen},
    )


def _seller(items: Sequence[Row]) -> str:
    """Return the seller of the larger part; an order without items has none of its own."""
    value_minor: Counter[str] = Counter()
    for item in items:
        value_minor[item["seller_id"]] += minor(item["price"])
    return min(value_minor, key=lambda seller: (-value_minor[seller], seller), default="")


def _order(chance: random.Random, row: Row, seller_id: str, files: Files) -> StoryOrder:
    number = row["order_id"]
    placed_at = moment(row["order_purchase_timestamp"])
    customer = files.customers[row["customer_id"]]
    items = files.items.get(number, ())
    body: Document = {
        "channel": "olist",
        "shop_id": f"shop-{seller_id or BRAND}",
        "order_number": number,
        "version": 1,
        "currency": "BRL",
        "placed_at": placed_at.isoformat(),
        "lines": [_line(item) for item in items],
        "total_minor": _paid_minor(row, files),
        "payments": _payments(row, files) if row["order_approved_at"] else [],
        "consumer": {
            "name": f"customer {customer['customer_unique_id'][:8]}",
            "phone": "",
            "street": f"CEP {customer['customer_zip_code_prefix']}",
        },
        "place": _place(customer, files),
        "service": "ship",
    }
    return StoryOrder(body=body, placed_at=placed_at, fate=_fate(chance, row))


def _line(item: Row) -> Document:
    return {
        "line_id": item["order_item_id"],
        "sku": item["product_id"],
        "quantity_units": 1,
        "unit_price_minor": minor(item["price"]),
        "discount_minor": 0,
        "freight_minor": minor(item["freight_value"]),
    }


def _payments(row: Row, files: Files) -> list[Document]:
    approved_at = moment(row["order_approved_at"]).isoformat()
    return [
        {
            "payment_id": f"{row['order_id']}-{payment['payment_sequential']}",
            "amount_minor": minor(payment["payment_value"]),
            "paid_at": approved_at,
        }
        for payment in files.payments[row["order_id"]]
        if minor(payment["payment_value"])
    ]


def _paid_minor(row: Row, files: Files) -> int:
    return sum(minor(payment["payment_value"]) for payment in files.payments[row["order_id"]])


def _place(customer: Row, files: Files) -> Document:
    prefix = customer["customer_zip_code_prefix"]
    place: Document = {"region_code": f"BR-{customer['customer_state']}-{prefix}"}
    if prefix in files.coordinates:
        place["latitude"], place["longitude"] = files.coordinates[prefix]
    return place


def _fate(chance: random.Random, row: Row) -> Fate:
    rejected, short = chance.random() < REJECTED_RATE, chance.random() < SHORT_RATE
    shipped, delivered = (
        moment(row[f"order_delivered_{who}_date"]) if row[f"order_delivered_{who}_date"] else None
        for who in ("carrier", "customer")
    )
    placed_at = moment(row["order_purchase_timestamp"])
    if row["order_status"] == "canceled":
        # The files give no time of cancellation: before the carrier came, or after the last date.
        last = delivered or shipped
        return Fate(
            last_step=_reached(shipped, delivered),
            ship_at=shipped,
            deliver_at=delivered,
            cancel_at=last + timedelta(hours=1) if last else placed_at + timedelta(hours=12),
        )
    return Fate(
        last_step=_LAST_STEP[row["order_status"]],
        ship_at=shipped or placed_at + timedelta(days=1),
        deliver_at=delivered or (shipped or placed_at) + timedelta(days=7),
        rejections=_rejections(row, rejected=rejected),
        short_pick=short,
    )


def _reached(shipped: datetime | None, delivered: datetime | None) -> Step:
    if delivered:
        return Step.DELIVERED
    return Step.SHIPPED if shipped else Step.ACCEPTED


def _rejections(row: Row, *, rejected: bool) -> int:
    if row["order_status"] == "unavailable":
        return REJECTED_EVERYWHERE
    return 1 if rejected else 0


def _supply_prices(
    chosen: Sequence[Row], seller_of: Mapping[str, str], files: Files
) -> dict[str, dict[str, int]]:
    lowest: dict[str, dict[str, int]] = defaultdict(dict)
    for row in chosen:
        prices = lowest[seller_of[row["order_id"]] or BRAND]
        for item in files.items.get(row["order_id"], ()):
            price_minor = minor(item["price"])
            seen_minor = prices.get(item["product_id"], price_minor)
            prices[item["product_id"]] = min(seen_minor, price_minor)
    return {
        seller_id: {product: price_minor * 7 // 10 for product, price_minor in prices.items()}
        for seller_id, prices in sorted(lowest.items())
    }
