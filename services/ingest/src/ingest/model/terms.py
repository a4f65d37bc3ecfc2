"""What the directory says about shops, goods and agreements, as far as acceptance needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.orders import Scenario
from contracts.values import LinePart


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop and the seller in it."""

    shop_id: str
    channel: str
    brand_id: str
    seller_id: str
    agreement_id: str
    currency: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Article:
    """The goods behind a shop's own article number; `parts` is empty for a single."""

    goods_id: str
    brand_id: str
    product_line: str
    list_price_minor: int
    currency: str
    parts: Sequence[LinePart]


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of an agreement, in force from `valid_from` until before `valid_to`."""

    agreement_id: str
    version: int
    scenario: Scenario
    brand_id: str
    seller_id: str
    currency: str
    valid_from: datetime
    valid_to: datetime | None
    limit_account_id: str | None
    coverage: Sequence[str]
    product_lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Directory:
    """The part of the directory that a batch of orders refers to.

    Only enabled listings of enabled goods are articles. Articles are keyed by (shop, SKU), prices
    by (agreement, version, goods); an agreement's versions are in no particular order.
    """

    shops: Mapping[str, Shop]
    articles: Mapping[tuple[str, str], Article]
    agreements: Mapping[str, Sequence[Terms]]
    prices_minor: Mapping[tuple[str, int, str], int]
