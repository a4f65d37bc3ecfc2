"""Goods, shops, listings and agreements: what may be sold where, by whom, on which terms."""

from collections.abc import Iterator

from contracts.entries import (
    AgreementDefined,
    GoodsDefined,
    ListingDefined,
    PartyDefined,
    PartyKind,
    ShopDefined,
)
from contracts.values import LinePart
from directory.decide.world import World, blank


def check_goods(
    goods: GoodsDefined, before: GoodsDefined | None, world: World
) -> Iterator[tuple[str, str]]:
    """Goods belong to a brand; a bundle is made of singles of the same brand.

    A single stays a single and a bundle a bundle: stock is kept of the one and never of the other.
    """
    if not world.party_of_kind(goods.brand_id, PartyKind.BRAND):
        yield "brand_id", f"there is no brand {goods.brand_id}"
    if before is not None:
        if before.brand_id != goods.brand_id:
            yield "brand_id", f"cannot change from {before.brand_id}"
        if bool(before.parts) != bool(goods.parts):
            yield "parts", "a single cannot become a bundle, nor a bundle a single"
    for index, part in enumerate(goods.parts):
        yield from ((f"parts/{index}", message) for message in _check_part(goods, part, world))


def check_shop(
    shop: ShopDefined, before: ShopDefined | None, world: World
) -> Iterator[tuple[str, str]]:
    """A shop follows an agreement between its brand and its seller in its currency."""
    if not world.party_of_kind(shop.brand_id, PartyKind.BRAND):
        yield "brand_id", f"there is no brand {shop.brand_id}"
    if world.find(PartyDefined, shop.seller_id) is None:
        yield "seller_id", f"there is no party {shop.seller_id}"
    if before is not None and (before.brand_id, before.channel) != (shop.brand_id, shop.channel):
        yield "", f"brand {before.brand_id} and channel {before.channel} cannot change"
    agreement = world.find(AgreementDefined, shop.agreement_id)
    if agreement is None:
        yield "agreement_id", f"there is no agreement {shop.agreement_id}"
        return
    for field in ("brand_id", "seller_id", "currency"):
        agreed: str = getattr(agreement, field)
        if getattr(shop, field) != agreed:
            yield field, f"agreement {shop.agreement_id} is for {agreed}"


def check_listing(listing: ListingDefined, world: World) -> Iterator[tuple[str, str]]:
    """A listing means goods of its shop's brand."""
    shop = world.find(ShopDefined, listing.shop_id)
    if shop is None:
        yield "shop_id", f"there is no shop {listing.shop_id}"
    elif not world.sells(shop.brand_id, listing.goods_id):
        yield "goods_id", f"brand {shop.brand_id} has no goods {listing.goods_id}"


def check_agreement(
    agreement: AgreementDefined, before: AgreementDefined | None, world: World
) -> Iterator[tuple[str, str]]:
    """An agreement names parties and goods that exist; a new version follows the one before it."""
    if not world.party_of_kind(agreement.brand_id, PartyKind.BRAND):
        yield "brand_id", f"there is no brand {agreement.brand_id}"
    for field in ("seller_id", "freight_payee_id", "freight_bearer_id"):
        party_id: str = getattr(agreement, field)
        if world.find(PartyDefined, party_id) is None:
            yield field, f"there is no party {party_id}"
    yield from _check_platform(agreement, world)
    for index, price in enumerate(agreement.supply_prices):
        if not world.sells(agreement.brand_id, price.goods_id):
            field = f"supply_prices/{index}/goods_id"
            yield field, f"brand {agreement.brand_id} has no goods {price.goods_id}"
    if before is not None and blank(before) != blank(agreement):
        yield from _check_succession(agreement, before)


def _check_part(goods: GoodsDefined, part: LinePart, world: World) -> Iterator[str]:
    single = world.find(GoodsDefined, part.goods_id)
    if single is None or single.brand_id != goods.brand_id:
        yield f"brand {goods.brand_id} has no goods {part.goods_id}"
    elif single.parts:
        yield f"{part.goods_id} is a bundle itself"


def _check_platform(agreement: AgreementDefined, world: World) -> Iterator[tuple[str, str]]:
    platform_id = agreement.platform_id
    if platform_id is None:
        if agreement.platform_rate_ppm:
            yield "platform_id", "somebody must take the platform's rate"
    elif not world.party_of_kind(platform_id, PartyKind.PLATFORM):
        yield "platform_id", f"there is no platform {platform_id}"


def _check_succession(
    agreement: AgreementDefined, before: AgreementDefined
) -> Iterator[tuple[str, str]]:
    """Versions follow each other in time: an open one ends where its successor begins."""
    for field in ("brand_id", "seller_id", "currency"):
        agreed: str = getattr(before, field)
        if getattr(agreement, field) != agreed:
            yield field, f"cannot change from {agreed}; make another agreement"
    if agreement.valid_from <= before.valid_from:
        began = before.valid_from.isoformat()
        yield "valid_from", f"must be after {began}, when version {before.entry_version} began"
    elif before.valid_to is not None and agreement.valid_from < before.valid_to:
        ends = before.valid_to.isoformat()
        yield "valid_from", f"version {before.entry_version} is in force until {ends}"
