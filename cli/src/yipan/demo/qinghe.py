"""The shipped story: a month of orders for Qinghe 清禾, made from data/ and a seed."""

import csv
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any

import yaml

from yipan.demo.story import Document, Fate, LimitAccount, Receipt, Step, Story, StoryOrder

ORDERS_DEFAULT = 3_000
FIRST_DAY = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 30
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
GIVEN_NAMES = ("伟", "芳", "娜", "敏", "静", "强", "磊", "洋", "艳", "勇", "杰", "娟", "涛", "明")
STREETS = ("解放路", "人民路", "中山路", "建设路", "和平街", "文化路", "新华路", "长江路")
# Orders by hour of the day (China time) as shops know them: a lunch peak and an evening peak.
HOURS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 12, 12, 11, 9, 9, 9, 9, 9, 10, 13, 16, 18, 12, 6)
SCARCE_GOODS = ("QH-RV2", "QH-JC1", "QH-OV25")
"""Goods of which the brand has too few, so that some orders find none."""

_RATES = {
    "unpaid": 0.010,
    "mismatch": 0.003,
    "unknown_sku": 0.003,
    "no_street": 0.002,
    "cancelled": 0.040,
    "cancelled_late": 0.008,
    "picked_early": 0.300,
    "rejected": 0.030,
    "short": 0.015,
    "returned": 0.030,
}
"""Share of orders that each of these happens to."""


def tell(orders: int = ORDERS_DEFAULT, seed: int = 1, prefix: str = "QH") -> Story:
    """Return the story of so many orders over 30 days; their numbers begin with the prefix."""
    reference = _reference()
    chance = random.Random(seed)
    told = [
        _order(chance, f"{prefix}{at:%y%m%d}{number:06d}", at, reference)
        for number, at in enumerate(_moments(chance, orders), start=1)
    ]
    return Story(
        title=f"Qinghe 清禾, {orders} orders of October 2026, seed {seed}",
        name=f"qinghe-{prefix}-{orders}-{seed}",
        currency="CNY",
        carrier_id="courier-sf",
        directory=reference,
        accounts=_accounts(reference, told),
        receipts=_receipts(reference, told),
        orders=told,
        payments_minor={each.number: each.body["total_minor"] for each in told},
    )


def _reference() -> dict[str, list[Document]]:
    text = files("yipan.demo").joinpath("data/reference.yaml").read_text(encoding="utf-8")
    reference: dict[str, list[Document]] = yaml.safe_load(text)
    for agreement in reference["agreements"]:
        agreement["valid_from"] = _iso(agreement["valid_from"])
    reference["listings"] = [
        {
            "shop_id": shop["shop_id"],
            "channel_sku": goods["goods_id"],
            "goods_id": goods["goods_id"],
        }
        for shop in reference["shops"]
        for goods in reference["goods"]
    ]
    return reference


def _moments(chance: random.Random, orders: int) -> list[datetime]:
    moments: list[datetime] = []
    for _ in range(orders):
        hour_in_china = chance.choices(range(24), HOURS)[0]
        moments.append(
            FIRST_DAY
            + timedelta(
                days=chance.randrange(DAYS),
                hours=hour_in_china - 8,
                seconds=chance.randrange(3600),
            )
        )
    return sorted(moments)


def _order(
    chance: random.Random, number: str, at: datetime, reference: Mapping[str, Sequence[Document]]
) -> StoryOrder:
    shop = chance.choice(reference["shops"])
    lines = _lines(chance, reference["goods"])
    freight_minor = chance.choice((0, 0, 0, 800, 1200))
    total_minor = freight_minor + sum(
        line["unit_price_minor"] * line["quantity_units"] - line["discount_minor"] for line in lines
    )
    body: Document = {
        "channel": shop["channel"],
        "shop_id": shop["shop_id"],
        "order_number": number,
        "version": 1,
        "currency": "CNY",
        "placed_at": _iso(at),
        "lines": lines,
        "freight_minor": freight_minor,
        "total_minor": total_minor,
        "payments": [
            {
                "payment_id": f"{number}-1",
                "amount_minor": total_minor,
                "paid_at": _iso(at + timedelta(minutes=chance.randrange(1, 20))),
            }
        ],
        "consumer": _consumer(chance),
        "place": _place(chance),
        "service": "ship",
    }
    fate = _fate(chance, at, body)
    return StoryOrder(body=body, placed_at=at, fate=fate)


def _lines(chance: random.Random, goods: Sequence[Document]) -> list[Document]:
    # Zipf: the k-th most popular article sells in proportion to 1/k.
    weights = list(accumulate(1 / rank for rank in range(1, len(goods) + 1)))
    count = chance.choices((1, 2, 3, 4), (70, 20, 7, 3))[0]
    lines: list[Document] = []
    for line_number in range(1, count + 1):
        article = chance.choices(goods, cum_weights=weights)[0]
        units = chance.choices((1, 2, 3), (85, 11, 4))[0]
        price_minor = article["list_price_minor"]
        lines.append(
            {
                "line_id": str(line_number),
                "sku": article["goods_id"],
                "quantity_units": units,
                "unit_price_minor": price_minor,
                "discount_minor": chance.choice((0, 0, 0, price_minor // 20)),
            }
        )
    return lines


def _consumer(chance: random.Random) -> Document:
    return {
        "name": chance.choice(SURNAMES) + chance.choice(GIVEN_NAMES),
        "phone": f"13{chance.randrange(10)}****{chance.randrange(10_000):04d}",
        "street": f"{chance.choice(STREETS)}{chance.randrange(1, 400)}号",
    }


def _place(chance: random.Random) -> Document:
    """Return a spot within some ten kilometres of a district's centre."""
    district = chance.choice(_districts())
    return {
        "region_code": district["region_code"],
        "latitude": round(float(district["latitude"]) + chance.uniform(-0.1, 0.1), 4),
        "longitude": round(float(district["longitude"]) + chance.uniform(-0.1, 0.1), 4),
    }


@cache
def _districts() -> list[dict[str, str]]:
    text = files("yipan.demo").joinpath("data/places.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _fate(chance: random.Random, at: datetime, body: Document) -> Fate:
    """Draw what happens; a few orders are spoilt on the way in, as channels spoil them."""
    happens = {name: chance.random() < rate for name, rate in _RATES.items()}
    if happens["unpaid"]:
        body["payments"] = []
        return Fate(last_step=Step.OFFERED, cancel_at=at + timedelta(hours=30))
    if happens["mismatch"]:
        body["total_minor"] += 1
        body["payments"][0]["amount_minor"] += 1
    if happens["unknown_sku"]:
        body["lines"][0]["sku"] += "-OLD"
    if happens["no_street"]:
        body["consumer"]["street"] = ""
    ship_at = at + timedelta(hours=chance.randrange(6, 40))
    deliver_at = ship_at + timedelta(hours=chance.randrange(20, 90))
    return Fate(
        pick_at=at + timedelta(hours=1) if happens["picked_early"] else None,
        ship_at=ship_at,
        deliver_at=deliver_at,
        cancel_at=_cancel_at(happens, at, ship_at),
        return_at=deliver_at + timedelta(days=3) if happens["returned"] else None,
        rejections=1 if happens["rejected"] else 0,
        short_pick=happens["short"],
    )


def _cancel_at(happens: Mapping[str, bool], at: datetime, ship_at: datetime) -> datetime | None:
    if happens["cancelled"]:
        return at + timedelta(hours=2)
    return ship_at + timedelta(hours=3) if happens["cancelled_late"] else None


def _accounts(
    reference: Mapping[str, Sequence[Document]], orders: Sequence[StoryOrder]
) -> list[LimitAccount]:
    """Give each dealer credit for about 70 % of a month, so that some orders have to wait."""
    use_minor: dict[str, int] = {}
    party_of: dict[str, str] = {}
    terms: dict[str, Any] = {each["agreement_id"]: each for each in reference["agreements"]}
    shops = {shop["shop_id"]: terms[shop["agreement_id"]] for shop in reference["shops"]}
    for agreement in reference["agreements"]:
        party_of[agreement["limit_account_id"]] = agreement["seller_id"]
    for order in orders:
        account_id = shops[order.body["shop_id"]]["limit_account_id"]
        use_minor[account_id] = use_minor.get(account_id, 0) + order.body["total_minor"] * 7 // 10
    return [
        LimitAccount(account_id, party_id, "CNY", use_minor.get(account_id, 0) * 7 // 10)
        for account_id, party_id in sorted(party_of.items())
    ]


def _receipts(
    reference: Mapping[str, Sequence[Document]], orders: Sequence[StoryOrder]
) -> list[Receipt]:
    """Stock warehouses for the month's demand, stores with a few of each; scarce goods short."""
    parts: dict[str, list[Document]] = {
        goods["goods_id"]: goods.get("parts", []) for goods in reference["goods"]
    }
    demand_units: dict[str, int] = {}
    for order in orders:
        for line in order.body["lines"]:
            kit = parts.get(line["sku"]) or [{"goods_id": line["sku"], "units_each": 1}]
            for part in kit:
                units = part["units_each"] * line["quantity_units"]
                demand_units[part["goods_id"]] = demand_units.get(part["goods_id"], 0) + units
    receipts: list[Receipt] = []
    for goods_id in (each for each, kit in parts.items() if not kit):
        for node in reference["nodes"]:
            units = _stocked_units(node["node_id"], goods_id, demand_units.get(goods_id, 0))
            if units:
                receipts.append(Receipt(node["node_id"], goods_id, units))
    return receipts


def _stocked_units(node_id: str, goods_id: str, demand_units: int) -> int:
    if node_id.startswith("wh-"):
        return demand_units // 4 if goods_id in SCARCE_GOODS else demand_units * 6 // 10 + 5
    return 0 if goods_id in SCARCE_GOODS else 4


def _iso(at: datetime | str) -> str:
    return at if isinstance(at, str) else at.isoformat()
