"""The words of this service: entries, drafts of them, and what is wrong with a draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from contracts.entries import (
    AgreementDefined,
    GoodsDefined,
    LegalEntityDefined,
    ListingDefined,
    NodeDefined,
    PartyDefined,
    ShopDefined,
)
from contracts.event import Event

Definition: TypeAlias = (
    LegalEntityDefined
    | PartyDefined
    | GoodsDefined
    | NodeDefined
    | ShopDefined
    | ListingDefined
    | AgreementDefined
)


class Kind(StrEnum):
    """What an entry is about, in the order in which entries refer to each other."""

    LEGAL_ENTITY = "legal-entity"
    PARTY = "party"
    GOODS = "goods"
    NODE = "node"
    AGREEMENT = "agreement"
    SHOP = "shop"
    LISTING = "listing"


KINDS: Mapping[type[Definition], Kind] = {
    LegalEntityDefined: Kind.LEGAL_ENTITY,
    PartyDefined: Kind.PARTY,
    GoodsDefined: Kind.GOODS,
    NodeDefined: Kind.NODE,
    AgreementDefined: Kind.AGREEMENT,
    ShopDefined: Kind.SHOP,
    ListingDefined: Kind.LISTING,
}

Key: TypeAlias = tuple[Kind, str]
"""A kind and the id within it; of a listing `<shop>/<article number>`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants an entry to say, and where: a line of a file, or None.

    Its `entry_version` and `occurred_at` are not meant; `blank` makes two comparable.
    """

    key: Key
    definition: Definition
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of what is true; it is never changed."""

    key: Key
    definition: Definition
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a draft is refused; `field` is a path within it."""

    key: Key
    field: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """New entries in the order in which they refer to each other, or what forbids them."""

    entries: Sequence[Entry]
    unchanged: Sequence[Key]
    faults: Sequence[Fault]

    @property
    def events(self) -> Sequence[Event]:
        """What to publish."""
        return [entry.definition for entry in self.entries]


def key_of(definition: Definition) -> Key:
    """Return the key of what a definition is about; versions of an agreement share it."""
    if isinstance(definition, AgreementDefined):
        return (Kind.AGREEMENT, definition.agreement_id)
    kind, _, rest = definition.entry_id.partition("/")
    return (Kind(kind), rest)
