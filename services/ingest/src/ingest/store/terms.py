"""The directory's entries as this service keeps them, each replaced by a higher version alone."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from backbone import Transaction
from contracts.entries import AgreementDefined, GoodsDefined, ListingDefined, ShopDefined
from contracts.values import LinePart
from ingest.model.order import Order
from ingest.model.terms import Article, Directory, Shop, Terms
from ingest.store.columns import columns, from_json, to_json

SAVE_SHOPS = """
INSERT INTO shop AS s
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::bool[])
ON CONFLICT (shop_id) DO UPDATE SET
    entry_version = excluded.entry_version, channel = excluded.channel,
    brand_id = excluded.brand_id, seller_id = excluded.seller_id,
    agreement_id = excluded.agreement_id, currency = excluded.currency, enabled = excluded.enabled
WHERE s.entry_version < excluded.entry_version
"""
SAVE_LISTINGS = """
INSERT INTO listing AS l
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bool[])
ON CONFLICT (shop_id, channel_sku) DO UPDATE SET
    entry_version = excluded.entry_version, goods_id = excluded.goods_id,
    enabled = excluded.enabled
WHERE l.entry_version < excluded.entry_version
"""
SAVE_GOODS = """
INSERT INTO goods AS g
SELECT a, b, c, d, e, f, h::jsonb, i
FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
            $8::bool[]) AS u (a, b, c, d, e, f, h, i)
ON CONFLICT (goods_id) DO UPDATE SET
    entry_version = excluded.entry_version, brand_id = excluded.brand_id,
    product_line = excluded.product_line, list_price_minor = excluded.list_price_minor,
    currency = excluded.currency, parts = excluded.parts, enabled = excluded.enabled
WHERE g.entry_version < excluded.entry_version
"""
# Versions of an agreement are entries of their own and never change.
SAVE_AGREEMENTS = """
INSERT INTO agreement
SELECT a, b, c::jsonb FROM unnest($1::text[], $2::int[], $3::text[]) AS u (a, b, c)
ON CONFLICT DO NOTHING
"""
SAVE_PRICES = """
INSERT INTO supply_price
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[])
ON CONFLICT DO NOTHING
"""
# Whoever judges orders shares this lock with others who do, and not with who changes the directory:
# an order must not miss an entry that, stored at the same instant, does not see the order waiting.
DIRECTORY_LOCK_INDEX = 0x444952
SHARE_DIRECTORY = f"SELECT pg_advisory_xact_lock_shared({DIRECTORY_LOCK_INDEX})"
LOCK_DIRECTORY = f"SELECT pg_advisory_xact_lock({DIRECTORY_LOCK_INDEX})"
LOAD_SHOPS = "SELECT * FROM shop WHERE shop_id = ANY($1::text[])"
LOAD_ARTICLES = """
SELECT l.shop_id, l.channel_sku, g.*
FROM unnest($1::text[], $2::text[]) AS u (shop_id, channel_sku)
JOIN listing AS l USING (shop_id, channel_sku)
JOIN goods AS g USING (goods_id)
WHERE l.enabled AND g.enabled
"""
LOAD_AGREEMENTS = "SELECT agreement_id, terms FROM agreement WHERE agreement_id = ANY($1::text[])"
LOAD_PRICES = """
SELECT agreement_id, version, goods_id, price_minor FROM supply_price
WHERE agreement_id = ANY($1::text[]) AND goods_id = ANY($2::text[])
"""
MARK_AWAITING = """
UPDATE quarantine SET recheck = true
WHERE resolved_at IS NULL AND awaits && $1::text[]
"""
FIND_SHOP_LISTINGS = """
SELECT DISTINCT 'listing/' || shop_id || '/' || channel_sku AS awaits FROM listing
WHERE goods_id = ANY($1::text[])
"""
CLEAR_ALARMS = """
UPDATE alarm SET cleared_at = $2
WHERE kind = 'unknown_sku' AND subject = ANY($1::text[]) AND cleared_at IS NULL
"""


async def lock_directory(tx: Transaction) -> None:
    """Wait for orders that are being judged by the old entries, and hold the next ones up."""
    await tx.execute(LOCK_DIRECTORY)


async def save_shops(tx: Transaction, shops: Sequence[ShopDefined]) -> None:
    """Store shops; older versions change nothing."""
    latest = {shop.shop_id: shop for shop in sorted(shops, key=lambda s: s.entry_version)}
    rows = [
        (
            s.shop_id,
            s.entry_version,
            s.channel,
            s.brand_id,
            s.seller_id,
            s.agreement_id,
            s.currency,
            s.enabled,
        )
        for s in latest.values()
    ]
    await tx.execute(SAVE_SHOPS, *columns(rows, 8))


async def save_listings(tx: Transaction, listings: Sequence[ListingDefined]) -> None:
    """Store listings; older versions change nothing."""
    latest = {
        (each.shop_id, each.channel_sku): each
        for each in sorted(listings, key=lambda each: each.entry_version)
    }
    rows = [
        (each.shop_id, each.channel_sku, each.entry_version, each.goods_id, each.enabled)
        for each in latest.values()
    ]
    await tx.execute(SAVE_LISTINGS, *columns(rows, 5))


async def save_goods(tx: Transaction, goods: Sequence[GoodsDefined]) -> None:
    """Store goods; older versions change nothing."""
    latest = {each.goods_id: each for each in sorted(goods, key=lambda each: each.entry_version)}
    rows = [
        (
            each.goods_id,
            each.entry_version,
            each.brand_id,
            each.product_line,
            each.list_price_minor,
            each.currency,
            to_json(each.parts),
            each.enabled,
        )
        for each in latest.values()
    ]
    await tx.execute(SAVE_GOODS, *columns(rows, 8))


async def save_agreements(tx: Transaction, agreements: Sequence[AgreementDefined]) -> None:
    """Store versions of agreements with their supply prices."""
    rows = [(each.agreement_id, each.entry_version, to_json(_terms(each))) for each in agreements]
    await tx.execute(SAVE_AGREEMENTS, *columns(rows, 3))
    prices = [
        (each.agreement_id, each.entry_version, price.goods_id, price.price_minor)
        for each in agreements
        for price in each.supply_prices
    ]
    await tx.execute(SAVE_PRICES, *columns(prices, 4))


def _terms(agreement: AgreementDefined) -> Terms:
    return Terms(
        agreement_id=agreement.agreement_id,
        version=agreement.entry_version,
        scenario=agreement.scenario,
        brand_id=agreement.brand_id,
        seller_id=agreement.seller_id,
        currency=agreement.currency,
        valid_from=agreement.valid_from,
        valid_to=agreement.valid_to,
        limit_account_id=agreement.limit_account_id,
        coverage=agreement.coverage,
        product_lines=agreement.product_lines,
    )


async def mark_awaiting(tx: Transaction, entries: Collection[str]) -> None:
    """Have the quarantined orders that wait for any of these entries looked at again."""
    await tx.execute(MARK_AWAITING, sorted(entries))


async def find_listings_of(tx: Transaction, goods_ids: Collection[str]) -> list[str]:
    """Return the entry ids of all listings of some goods."""
    rows = await tx.fetch(FIND_SHOP_LISTINGS, sorted(goods_ids))
    return [row["awaits"] for row in rows]


async def load_directory(tx: Transaction, orders: Collection[Order]) -> Directory:
    """Return what the directory says about the shops and articles of some orders.

    It stays true until the transaction ends.
    """
    if not orders:
        return Directory({}, {}, {}, {})
    await tx.execute(SHARE_DIRECTORY)
    shop_ids = sorted({order.shop_id for order in orders})
    skus = sorted({(order.shop_id, line.sku) for order in orders for line in order.lines})
    shops = {row["shop_id"]: _shop(row) for row in await tx.fetch(LOAD_SHOPS, shop_ids)}
    rows = await tx.fetch(LOAD_ARTICLES, *columns(skus, 2))
    articles = {(row["shop_id"], row["channel_sku"]): _article(row) for row in rows}
    agreement_ids = sorted({shop.agreement_id for shop in shops.values()})
    agreements: dict[str, list[Terms]] = {}
    for row in await tx.fetch(LOAD_AGREEMENTS, agreement_ids):
        terms = from_json(row["terms"], Terms)
        agreements.setdefault(terms.agreement_id, []).append(terms)
    goods_ids = sorted({article.goods_id for article in articles.values()})
    prices = await tx.fetch(LOAD_PRICES, agreement_ids, goods_ids)
    prices_minor = {
        (row["agreement_id"], row["version"], row["goods_id"]): row["price_minor"] for row in prices
    }
    return Directory(shops, articles, agreements, prices_minor)


def _shop(row: asyncpg.Record) -> Shop:
    return Shop(
        shop_id=row["shop_id"],
        channel=row["channel"],
        brand_id=row["brand_id"],
        seller_id=row["seller_id"],
        agreement_id=row["agreement_id"],
        currency=row["currency"],
        enabled=row["enabled"],
    )


def _article(row: asyncpg.Record) -> Article:
    return Article(
        goods_id=row["goods_id"],
        brand_id=row["brand_id"],
        product_line=row["product_line"],
        list_price_minor=row["list_price_minor"],
        currency=row["currency"],
        parts=from_json(row["parts"], tuple[LinePart, ...]),
    )


async def clear_alarms(tx: Transaction, entries: Collection[str], now: datetime) -> None:
    """Clear the alarms about listings that are there now."""
    await tx.execute(CLEAR_ALARMS, sorted(entries), now)
