"""What would be true if all drafts were: the register with the drafts laid over it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from msgspec.structs import replace

from contracts.entries import GoodsDefined, PartyDefined, PartyKind
from directory.model import KINDS, Definition, Draft, Key

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T", bound=Definition)


def blank(definition: T) -> T:
    """Return a definition without version and time, so that equal contents are equal."""
    return replace(definition, entry_version=0, occurred_at=EPOCH)


class World:
    """Looks definitions up by type and id; drafts are seen before what they replace."""

    def __init__(self, current: Mapping[Key, Definition], drafts: Iterable[Draft]) -> None:
        self._before = current
        self._after = {**current, **{draft.key: draft.definition for draft in drafts}}

    def find(self, wanted: type[T], key: str) -> T | None:
        """Return what is defined under an id, or None."""
        found = self._after.get((KINDS[wanted], key))
        return found if isinstance(found, wanted) else None

    def before(self, draft: Draft, wanted: type[T]) -> T | None:
        """Return what a draft replaces, or None."""
        found = self._before.get(draft.key)
        return found if isinstance(found, wanted) else None

    def party_of_kind(self, party_id: str, *kinds: PartyKind) -> bool:
        """Tell whether a party exists and is of one of the kinds."""
        party = self.find(PartyDefined, party_id)
        return party is not None and party.kind in kinds

    def sells(self, brand_id: str, goods_id: str) -> bool:
        """Tell whether goods exist and are of a brand; nobody learns about other brands' goods."""
        goods = self.find(GoodsDefined, goods_id)
        return goods is not None and goods.brand_id == brand_id
