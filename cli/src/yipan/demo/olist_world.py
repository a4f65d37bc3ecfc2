"""The world of the Olist story: dealers, warehouses, stock and credit that the files imply."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from yipan.demo.olist_files import ZONE, Files, Row, grouped
from yipan.demo.story import Document, LimitAccount, Receipt, StoryOrder

BRAND, PLATFORM, COURIER = "olist-brand", "olist-marketplace", "correios"
WEIGHT_G_UNKNOWN = 500
Prices = Mapping[str, Mapping[str, int]]
"""Supply prices in cents by seller and product."""


def directory(prices: Prices, read: Files) -> dict[str, Sequence[Document]]:
    """Return the document for the directory's load."""
    dealers = [seller for seller in prices if seller != BRAND]
    products = sorted({product for goods in prices.values() for product in goods})
    return {
        "legal_entities": [_legal_entity(party) for party in (BRAND, *dealers)],
        "parties": [
            _party(BRAND, "brand", None),
            *(_party(seller, "dealer", read.sellers[seller]) for seller in dealers),
            _party(PLATFORM, "platform", None),
            _party(COURIER, "courier", None),
        ],
        "goods": [_goods(product, prices, read) for product in products],
        "nodes": [_node(state, rows, read) for state, rows in _states(read).items()],
        "shops": [_shop(seller) for seller in prices],
        "listings": [
            {"shop_id": f"shop-{seller}", "channel_sku": product, "goods_id": product}
            for seller, goods in prices.items()
            for product in sorted(goods)
        ],
        "agreements": [_agreement(seller, goods) for seller, goods in prices.items()],
    }


def _legal_entity(party_id: str) -> Document:
    return {
        "legal_entity_id": f"le-{party_id}",
        "name": f"{party_id[:12]} Ltda.",
        "currency": "BRL",
        "timezone": str(ZONE),
    }


def _party(party_id: str, kind: str, seller: Row | None) -> Document:
    keeps_books = kind in {"brand", "dealer"}
    return {
        "party_id": party_id,
        "kind": kind,
        "name": f"{kind} {party_id[:12]}",
        "parent_id": BRAND if kind == "dealer" else None,
        "legal_entity_id": f"le-{party_id}" if keeps_books else None,
        "region_code": f"BR-{seller['seller_state']}" if seller else None,
    }


def _goods(product: str, prices: Prices, read: Files) -> Document:
    row = read.products[product]
    highest_minor = max(goods[product] for goods in prices.values() if product in goods)
    return {
        "goods_id": product,
        "brand_id": BRAND,
        "name": f"{row['product_category_name'] or 'sem categoria'} {product[:8]}",
        "product_line": row["product_category_name"] or "outros",
        "weight_g": max(int(float(row["product_weight_g"] or 0)), 0) or WEIGHT_G_UNKNOWN,
        "list_price_minor": highest_minor * 10 // 7,
        "currency": "BRL",
    }


def _states(read: Files) -> dict[str, list[Row]]:
    return dict(sorted(grouped(list(read.sellers.values()), "seller_state").items()))


def _node(state: str, sellers: Sequence[Row], read: Files) -> Document:
    known = [
        read.coordinates[seller["seller_zip_code_prefix"]]
        for seller in sellers
        if seller["seller_zip_code_prefix"] in read.coordinates
    ]
    return {
        "node_id": f"wh-{state.lower()}",
        "name": f"Warehouse {state}",
        "owner_id": BRAND,
        "region_code": f"BR-{state}",
        "latitude": round(fmean(at[0] for at in known), 2) if known else None,
        "longitude": round(fmean(at[1] for at in known), 2) if known else None,
        "timezone": str(ZONE),
        "services": ["ship"],
        "capacity_parcels_day": 20_000,
        "handling_minor": 150,
        "currency": "BRL",
    }


def _shop(seller_id: str) -> Document:
    return {
        "shop_id": f"shop-{seller_id}",
        "channel": "olist",
        "brand_id": BRAND,
        "seller_id": seller_id,
        "agreement_id": f"agreement-{seller_id}",
        "currency": "BRL",
        "timezone": str(ZONE),
    }


def _agreement(seller_id: str, prices: Mapping[str, int]) -> Document:
    return {
        "agreement_id": f"agreement-{seller_id}",
        "scenario": "brand_direct" if seller_id == BRAND else "drop_shipping",
        "brand_id": BRAND,
        "seller_id": seller_id,
        "currency": "BRL",
        "valid_from": "2016-01-01T00:00:00-02:00",
        "valid_to": None,
        "supply_prices": [
            {"goods_id": product, "price_minor": price_minor}
            for product, price_minor in sorted(prices.items())
        ],
        "platform_id": PLATFORM,
        "platform_rate_ppm": 100_000,
        "freight_payee_id": BRAND,
        "freight_bearer_id": BRAND,
        "earned_on": "delivered",
        "limit_account_id": None if seller_id == BRAND else f"limit-{seller_id}",
    }


def accounts(prices: Prices, orders: Sequence[StoryOrder]) -> list[LimitAccount]:
    """Let each dealer owe 60 % of what it sells, but at least its largest order."""
    use_minor: Counter[str] = Counter()
    largest_minor: Counter[str] = Counter()
    for order in orders:
        seller_id = str(order.body["shop_id"]).removeprefix("shop-")
        supply_minor = sum(prices[seller_id][line["sku"]] for line in order.body["lines"])
        use_minor[seller_id] += supply_minor
        largest_minor[seller_id] = max(largest_minor[seller_id], supply_minor)
    return [
        LimitAccount(
            account_id=f"limit-{seller_id}",
            party_id=seller_id,
            currency="BRL",
            limit_minor=max(use_minor[seller_id] * 6 // 10, largest_minor[seller_id]),
        )
        for seller_id in prices
        if seller_id != BRAND
    ]


def receipts(chosen: Sequence[Row], read: Files) -> list[Receipt]:
    """Stock each state with what its sellers sold, the largest with everything again."""
    sold: Counter[tuple[str, str]] = Counter()
    for row in chosen:
        for item in read.items.get(row["order_id"], ()):
            state = read.sellers[item["seller_id"]]["seller_state"]
            sold[f"wh-{state.lower()}", item["product_id"]] += 1
    sold_anywhere: Counter[str] = Counter()
    for (_, product), units in sold.items():
        sold_anywhere[product] += units
    scarce = set(sorted(sold_anywhere)[::50])
    states = _states(read)
    largest = f"wh-{max(states, key=lambda state: (len(states[state]), state)).lower()}"
    on_hand: Counter[tuple[str, str]] = Counter()
    for (node_id, product), units in sold.items():
        on_hand[node_id, product] += units // 2 if product in scarce else units
    for product, units in sold_anywhere.items():
        on_hand[largest, product] += 0 if product in scarce else units
    return [Receipt(*place, units) for place, units in sorted(on_hand.items()) if units]
