"""The organisation tree, legal entities and nodes: who may stand where."""

from collections.abc import Iterator, Mapping

from contracts.entries import LegalEntityDefined, NodeDefined, PartyDefined, PartyKind
from directory.decide.world import World

DEPTH_MAX_COUNT = 16

# None: may stand at the top.
PARENTS: Mapping[PartyKind, frozenset[PartyKind | None]] = {
    PartyKind.BRAND: frozenset({None}),
    PartyKind.BRANCH: frozenset({PartyKind.BRAND, PartyKind.BRANCH}),
    PartyKind.DEALER: frozenset({PartyKind.BRAND, PartyKind.BRANCH, PartyKind.DEALER}),
    PartyKind.STORE: frozenset({PartyKind.BRANCH, PartyKind.DEALER}),
    PartyKind.PROVIDER: frozenset({None, PartyKind.BRAND, PartyKind.BRANCH, PartyKind.DEALER}),
    PartyKind.COURIER: frozenset({None, PartyKind.BRAND}),
    PartyKind.PLATFORM: frozenset({None, PartyKind.BRAND}),
}


def check_legal_entity(
    entity: LegalEntityDefined, before: LegalEntityDefined | None
) -> Iterator[tuple[str, str]]:
    """Books are kept in one currency for ever."""
    if before is not None and before.currency != entity.currency:
        yield "currency", f"cannot change from {before.currency}: books are kept in it"


def check_party(
    party: PartyDefined, before: PartyDefined | None, world: World
) -> Iterator[tuple[str, str]]:
    """A party stands under one that exists and may have it, and never under itself."""
    if before is not None and before.kind != party.kind:
        yield "kind", f"cannot change from {before.kind}"
    entity_id = party.legal_entity_id
    if entity_id is not None and world.find(LegalEntityDefined, entity_id) is None:
        yield "legal_entity_id", f"there is no legal entity {entity_id}"
    yield from _check_parent(party, world)


def check_node(node: NodeDefined, world: World) -> Iterator[tuple[str, str]]:
    """A node belongs to a party."""
    if world.find(PartyDefined, node.owner_id) is None:
        yield "owner_id", f"there is no party {node.owner_id}"


def depth_of(party: PartyDefined, world: World) -> int | None:
    """Count the parties above one; None in a circle, or deeper than DEPTH_MAX_COUNT."""
    for depth in range(DEPTH_MAX_COUNT):
        above = None if party.parent_id is None else world.find(PartyDefined, party.parent_id)
        if above is None:
            return depth
        party = above
    return None


def _check_parent(party: PartyDefined, world: World) -> Iterator[tuple[str, str]]:
    allowed = PARENTS[party.kind]
    if party.parent_id is None:
        if None not in allowed:
            yield "parent_id", f"a {party.kind} stands under {_names(allowed)}"
        return
    parent = world.find(PartyDefined, party.parent_id)
    if parent is None:
        yield "parent_id", f"there is no party {party.parent_id}"
    elif parent.kind not in allowed:
        yield "parent_id", f"a {party.kind} stands under {_names(allowed)}, not {parent.kind}"
    elif depth_of(party, world) is None:
        yield "parent_id", f"the tree has a circle here or is deeper than {DEPTH_MAX_COUNT}"


def _names(kinds: frozenset[PartyKind | None]) -> str:
    return " or ".join(sorted(kind.value if kind else "nobody" for kind in kinds))
