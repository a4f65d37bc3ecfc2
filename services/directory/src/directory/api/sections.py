"""The sections of a file and the addresses of the API: one per kind, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass

from directory.api import bodies
from directory.model import Kind


@dataclass(frozen=True, slots=True)
class Section:
    """A kind's name in files and addresses, and what a row of it holds."""

    name: str
    kind: Kind
    tag: str
    row: type[bodies.Item]

    @property
    def path(self) -> str:
        """The address below which its entries lie."""
        return "/" + self.name.replace("_", "-")


SECTIONS: Mapping[str, Section] = {
    section.name: section
    for section in (
        Section("legal_entities", Kind.LEGAL_ENTITY, "organisation", bodies.LegalEntityRow),
        Section("parties", Kind.PARTY, "organisation", bodies.PartyRow),
        Section("goods", Kind.GOODS, "goods", bodies.GoodsRow),
        Section("nodes", Kind.NODE, "nodes", bodies.NodeRow),
        Section("agreements", Kind.AGREEMENT, "agreements", bodies.AgreementRow),
        Section("shops", Kind.SHOP, "shops", bodies.ShopRow),
        Section("listings", Kind.LISTING, "shops", bodies.ListingRow),
    )
}
