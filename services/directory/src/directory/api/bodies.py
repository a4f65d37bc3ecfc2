"""What an entry says, as people and files give it; amounts are whole minor units."""

from collections.abc import Hashable, Sequence
from typing import Annotated, Any, ClassVar, Self, TypeAlias, TypeVar
from zoneinfo import available_timezones

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from contracts.entries import (
    AgreementDefined,
    EarnedOn,
    GoodsDefined,
    LegalEntityDefined,
    ListingDefined,
    NodeDefined,
    PartyDefined,
    PartyKind,
    ShopDefined,
)
from contracts.orders import Scenario
from contracts.values import Service
from directory.model import Definition
from runtime.fields import AmountMinor, Currency, Day, Id, Name, Timestamp, Units

SUPPLY_PRICES_MAX = 2_000
PARTS_MAX = 50
COVERAGE_MAX = 200
PRODUCT_LINES_MAX = 50
CLOSED_DAYS_MAX = 400
PPM_MAX = 1_000_000

_ZONES = available_timezones()
T = TypeVar("T", bound=Hashable)


def _zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("not a time zone of the IANA database, such as Asia/Shanghai")
    return name


def _as_set(values: Sequence[T]) -> list[T]:
    if len(set(values)) < len(values):
        raise ValueError("a value comes twice")
    return sorted(values, key=str)


Region: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,12}){0,3}$")
]
"""From the country downwards, compared by prefix: CN-310109, BR-SP-01012."""

Zone: TypeAlias = Annotated[
    str, StringConstraints(strict=True, max_length=64), AfterValidator(_zone)
]
WallTime: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
]
Rank: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=1_000)]
Coverage: TypeAlias = Annotated[
    list[Region], Field(max_length=COVERAGE_MAX), AfterValidator(_as_set)
]
ProductLine: TypeAlias = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=r"^[^\x00]*$")
]
ProductLines: TypeAlias = Annotated[
    list[ProductLine], Field(max_length=PRODUCT_LINES_MAX), AfterValidator(_as_set)
]
ChannelSku: TypeAlias = Annotated[
    str,
    StringConstraints(
        strict=True, max_length=128, pattern=r"^[^\p{C}\p{Z}]([^\p{C}]*[^\p{C}\p{Z}])?$"
    ),
]
"""A channel's own article number, byte by byte: no control characters, no space at the ends."""


class Item(BaseModel):
    """An entry of one kind without its id, as it is put under it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    _defines: ClassVar[type[Any]]

    def definition(self, **ids: str) -> Definition:
        """Return what this says about an id; version and time are not decided yet."""
        content: dict[str, Any] = {
            **self.model_dump(),
            **ids,
            "entry_version": 0,
            "occurred_at": "1970-01-01T00:00:00Z",
        }
        defined: Definition = msgspec.convert(content, self._defines)
        return defined


class LegalEntityBody(Item):
    """A company that keeps its own books, in one currency for ever."""

    _defines = LegalEntityDefined

    name: Name
    currency: Currency
    timezone: Zone


class PartyBody(Item):
    """Somebody who can own money or goods, at a place in the organisation tree."""

    _defines = PartyDefined

    kind: PartyKind
    name: Name
    parent_id: Id | None = None
    legal_entity_id: Id | None = None
    region_code: Region | None = None
    enabled: bool = True


class PartBody(BaseModel):
    """What one unit of a bundle contains."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    goods_id: Id
    units_each: Units


class GoodsBody(Item):
    """Goods; those with parts are a bundle."""

    _defines = GoodsDefined

    brand_id: Id
    name: Name
    product_line: ProductLine
    weight_g: Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
    list_price_minor: AmountMinor
    currency: Currency
    parts: Annotated[list[PartBody], Field(max_length=PARTS_MAX)] = []
    enabled: bool = True

    @model_validator(mode="after")
    def _parts_differ(self) -> Self:
        _as_set([part.goods_id for part in self.parts])
        return self


class NodeBody(Item):
    """A place that can ship; it covers all regions unless it names some."""

    _defines = NodeDefined

    name: Name
    owner_id: Id
    region_code: Region
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    timezone: Zone
    services: Annotated[list[Service], Field(min_length=1), AfterValidator(_as_set)]
    capacity_parcels_day: Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
    handling_minor: AmountMinor
    currency: Currency
    coverage: Coverage = []
    working_weekdays: Annotated[
        list[Annotated[int, Field(strict=True, ge=1, le=7)]], AfterValidator(_as_set)
    ] = [1, 2, 3, 4, 5, 6, 7]
    closed_on: Annotated[list[Day], Field(max_length=CLOSED_DAYS_MAX), AfterValidator(_as_set)] = []
    cut_off: WallTime = "16:00"
    safety_units: Rank = 0
    tier: Rank = 0
    enabled: bool = True

    @model_validator(mode="after")
    def _coordinates_are_a_pair(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together")
        return self


class ShopBody(Item):
    """A shop on a channel, the party that sells in it, and the agreement its orders follow."""

    _defines = ShopDefined

    channel: Id
    brand_id: Id
    seller_id: Id
    agreement_id: Id
    currency: Currency
    timezone: Zone
    enabled: bool = True


class ListingBody(Item):
    """What a shop's own article number means in goods."""

    _defines = ListingDefined

    goods_id: Id
    enabled: bool = True


class SupplyPriceBody(BaseModel):
    """What the seller pays the brand for one unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    goods_id: Id
    price_minor: AmountMinor


class AgreementBody(Item):
    """The terms of a seller from `valid_from` until before `valid_to` (none: open)."""

    _defines = AgreementDefined

    scenario: Scenario
    brand_id: Id
    seller_id: Id
    currency: Currency
    valid_from: Timestamp
    valid_to: Timestamp | None = None
    supply_prices: Annotated[list[SupplyPriceBody], Field(max_length=SUPPLY_PRICES_MAX)]
    platform_id: Id | None = None
    platform_rate_ppm: Annotated[int, Field(strict=True, ge=0, le=PPM_MAX)] = 0
    freight_payee_id: Id
    freight_bearer_id: Id
    earned_on: EarnedOn
    limit_account_id: Id | None = None
    coverage: Coverage = []
    product_lines: ProductLines = []

    @field_validator("supply_prices")
    @classmethod
    def _prices_by_goods(cls, prices: list[SupplyPriceBody]) -> list[SupplyPriceBody]:
        _as_set([price.goods_id for price in prices])
        return sorted(prices, key=lambda price: price.goods_id)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must be after valid_from")
        return self


class LegalEntityRow(LegalEntityBody):
    """A legal entity with its id."""

    legal_entity_id: Id


class PartyRow(PartyBody):
    """A party with its id."""

    party_id: Id


class GoodsRow(GoodsBody):
    """Goods with their id."""

    goods_id: Id


class NodeRow(NodeBody):
    """A node with its id."""

    node_id: Id


class ShopRow(ShopBody):
    """A shop with its id."""

    shop_id: Id


class ListingRow(ListingBody):
    """A listing with its shop and article number."""

    shop_id: Id
    channel_sku: ChannelSku


class AgreementRow(AgreementBody):
    """An agreement with its id."""

    agreement_id: Id
