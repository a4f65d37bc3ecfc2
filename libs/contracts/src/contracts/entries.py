"""Reference data of the directory (topic directory.entries).

An entry replaces the one of the same `entry_id` with a lower `entry_version`; a republish sends
the same versions again.
"""

from datetime import date, datetime
from enum import StrEnum

from contracts.event import Event, Value
from contracts.orders import Scenario
from contracts.values import LinePart, Service


class LegalEntityDefined(Event, frozen=True, kw_only=True):
    """A company that keeps its own books."""

    legal_entity_id: str
    entry_version: int
    name: str
    currency: str
    timezone: str

    @property
    def entry_id(self) -> str:
        """The key of this entry."""
        return f"legal-entity/{self.legal_entity_id}"


class PartyKind(StrEnum):
    """What a party is to the group."""

    BRAND = "brand"
    BRANCH = "branch"
    DEALER = "dealer"
    STORE = "store"
    PROVIDER = "provider"
    COURIER = "courier"
    PLATFORM = "platform"


class PartyDefined(Event, frozen=True, kw_only=True):
    """Somebody who can own money or goods, at a place in the organisation tree.

    Without `legal_entity_id` the party keeps no books here (a platform, a courier).
    """

    party_id: str
    entry_version: int
    kind: PartyKind
    name: str
    parent_id: str | None
    legal_entity_id: str | None
    region_code: str | None
    enabled: bool = True

    @property
    def entry_id(self) -> str:
        """The key of this entry."""
        return f"party/{self.party_id}"


class GoodsDefined(Event, frozen=True, kw_only=True):
    """Goods that can be sold; a bundle has the goods it is made of as parts.

    `list_price_minor` is the usual price of one unit, against which outliers are noticed.
    """

    goods_id: str
    entry_version: int
    brand_id: str
    name: str
    product_line: str
    weight_g: int
    list_price_minor: int
    currency: str
    parts: tuple[LinePart, ...] = ()
    enabled: bool = True

    @property
    def entry_id(self) -> str:
        """The key of this entry."""
        return f"goods/{self.goods_id}"


class NodeDefined(Event, frozen=True, kw_only=True):
    """A place that can ship.

    `coverage` are region prefixes it serves (none: everywhere). `working_weekdays` counts from
    Monday = 1 (ISO 8601), `closed_on` are dates off, `cut_off` is local wall time `HH:MM` in
    `timezone`. `capacity_parcels_day` bounds the parcels promised for one day. `tier` orders
    strategies: lower first. `safety_units` are kept back of every kind of goods.
    """

    node_id: str
    entry_version: int
    name: str
    owner_id: str
    region_code: str
    latitude: float | None
    longitude: float | None
    timezone: str
    services: tuple[Service, ...]
    capacity_parcels_day: int
    handling_minor: int
    currency: str
    coverage: tuple[str, ...] = ()
    working_weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    closed_on: tuple[date, ...] = ()
    cut_off: str = "16:00"
    safety_units: int = 0
    tier: int = 0
    enabled: bool = True

    @property
    def entry_id(self) -> str:
        """The key of this entry."""
        return f"node/{self.node_id}"


class ShopDefined(Event, frozen=True, kw_only=True):
    """A shop on a channel and the party that sells in it.

    `agreement_id` is the agreement its orders follow.
    """

    shop_id: str
    entry_version: int
    channel: str
    brand_id: str
    seller_id: str
    agreement_id: str
    currency: str
    timezone: str
    enabled: bool = True

    @property
    def entry_id(self) -> str:
        """The key of this entry."""
        return f"shop/{self.shop_id}"


class ListingDefined(Event, frozen=True, kw_only=True):
    """What a shop's own article number means in goods."""

    shop_id: str
    channel_sku: str
    entry_version: int
    goods_id: str
    enabled: bool = True

    @property
    def entry_id(self) -> str:
        """The key of this entry."""
        return f"listing/{self.shop_id}/{self.channel_sku}"


class SupplyPrice(Value, frozen=True, kw_only=True):
    """What the seller pays the brand for one unit, in minor units."""

    goods_id: str
    price_minor: int


class EarnedOn(StrEnum):
    """The fact that turns planned money into earned money."""

    SHIPPED = "shipped"
    DELIVERED = "delivered"


class AgreementDefined(Event, frozen=True, kw_only=True):
    """The terms of one seller, as of one version; old versions stay valid for their orders.

    In force from `valid_from` until before `valid_to` (None: open) by the order's paid time.
    The platform takes `platform_rate_ppm` (parts per million) of what the buyer pays for goods.
    Freight that the buyer pays goes to `freight_payee_id`; the carrier is paid by
    `freight_bearer_id`. Goods without a supply price cannot be sold under the agreement.
    `limit_account_id` is the quota account that orders use (None: no limit).
    `coverage` are region prefixes it may sell to (none: everywhere).
    """

    agreement_id: str
    entry_version: int
    scenario: Scenario
    brand_id: str
    seller_id: str
    currency: str
    valid_from: datetime
    valid_to: datetime | None
    supply_prices: tuple[SupplyPrice, ...]
    platform_id: str | None
    platform_rate_ppm: int
    freight_payee_id: str
    freight_bearer_id: str
    earned_on: EarnedOn
    limit_account_id: str | None = None
    coverage: tuple[str, ...] = ()
    product_lines: tuple[str, ...] = ()

    @property
    def entry_id(self) -> str:
        """The key of this entry: every version is an entry of its own."""
        return f"agreement/{self.agreement_id}/{self.entry_version}"
