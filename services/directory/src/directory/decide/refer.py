"""Which entries a definition refers to, so that they can be loaded before it is judged."""

from collections.abc import Iterator, Mapping

from contracts.entries import AgreementDefined, GoodsDefined
from directory.model import Definition, Key, Kind, key_of

REFERENCES: Mapping[Kind, Mapping[str, Kind]] = {
    Kind.LEGAL_ENTITY: {},
    Kind.PARTY: {"parent_id": Kind.PARTY, "legal_entity_id": Kind.LEGAL_ENTITY},
    Kind.GOODS: {"brand_id": Kind.PARTY},
    Kind.NODE: {"owner_id": Kind.PARTY},
    Kind.AGREEMENT: {
        "brand_id": Kind.PARTY,
        "seller_id": Kind.PARTY,
        "platform_id": Kind.PARTY,
        "freight_payee_id": Kind.PARTY,
        "freight_bearer_id": Kind.PARTY,
    },
    Kind.SHOP: {
        "brand_id": Kind.PARTY,
        "seller_id": Kind.PARTY,
        "agreement_id": Kind.AGREEMENT,
    },
    Kind.LISTING: {"shop_id": Kind.SHOP, "goods_id": Kind.GOODS},
}


def references(definition: Definition) -> Iterator[Key]:
    """Give the key of each entry that a definition names directly."""
    for field, kind in REFERENCES[key_of(definition)[0]].items():
        named: str | None = getattr(definition, field)
        if named is not None:
            yield (kind, named)
    if isinstance(definition, GoodsDefined):
        yield from ((Kind.GOODS, part.goods_id) for part in definition.parts)
    elif isinstance(definition, AgreementDefined):
        yield from ((Kind.GOODS, price.goods_id) for price in definition.supply_prices)
