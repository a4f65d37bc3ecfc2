"""Turns drafts into new versions: all of them, or none and every fault."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from contracts.entries import (
    AgreementDefined,
    GoodsDefined,
    LegalEntityDefined,
    ListingDefined,
    NodeDefined,
    PartyDefined,
    ShopDefined,
)
from directory.decide.organisation import check_legal_entity, check_node, check_party, depth_of
from directory.decide.trade import check_agreement, check_goods, check_listing, check_shop
from directory.decide.world import World, blank
from directory.model import Decision, Definition, Draft, Entry, Fault, Key, Kind

RANKS = {kind: rank for rank, kind in enumerate(Kind)}


def define(drafts: Sequence[Draft], current: Mapping[Key, Definition], now: datetime) -> Decision:
    """Give each draft that says something new the next version of its entry.

    `current` holds the latest version of the drafts' own entries, of all that they refer to, and
    of the ancestors of parties. A draft equal to what is there makes no version.
    """
    world = World(current, drafts)
    faults = [*_repeated(drafts)]
    for draft in drafts:
        faults.extend(
            Fault(draft.key, field, message, draft.line) for field, message in _check(draft, world)
        )
    if faults:
        return Decision((), (), faults)
    entries: list[Entry] = []
    unchanged: list[Key] = []
    for draft in sorted(drafts, key=lambda each: _order(each, world)):
        before = current.get(draft.key)
        if before is not None and blank(before) == blank(draft.definition):
            unchanged.append(draft.key)
        else:
            version = 1 if before is None else before.entry_version + 1
            definition = replace(draft.definition, entry_version=version, occurred_at=now)
            entries.append(Entry(draft.key, definition, now))
    return Decision(entries, unchanged, ())


def _repeated(drafts: Sequence[Draft]) -> Iterator[Fault]:
    counts = Counter(draft.key for draft in drafts)
    for draft in drafts:
        if counts[draft.key] > 1:
            yield Fault(draft.key, "", "is defined twice in one load", draft.line)


def _check(draft: Draft, world: World) -> Iterator[tuple[str, str]]:
    """Give field and message of each fault."""
    match draft.definition:
        case LegalEntityDefined() as entity:
            yield from check_legal_entity(entity, world.before(draft, LegalEntityDefined))
        case PartyDefined() as party:
            yield from check_party(party, world.before(draft, PartyDefined), world)
        case GoodsDefined() as goods:
            yield from check_goods(goods, world.before(draft, GoodsDefined), world)
        case NodeDefined() as node:
            yield from check_node(node, world)
        case ShopDefined() as shop:
            yield from check_shop(shop, world.before(draft, ShopDefined), world)
        case ListingDefined() as listing:
            yield from check_listing(listing, world)
        case AgreementDefined() as agreement:
            yield from check_agreement(agreement, world.before(draft, AgreementDefined), world)


def _order(draft: Draft, world: World) -> tuple[int, int, str]:
    """Kinds in the order of reference; parents before children, parts before bundles."""
    kind, key = draft.key
    match draft.definition:
        case PartyDefined() as party:
            within_rank = depth_of(party, world) or 0
        case GoodsDefined() as goods:
            within_rank = int(bool(goods.parts))
        case _:
            within_rank = 0
    return (RANKS[kind], within_rank, key)
