"""What is left to give out while a batch of orders is planned one after the other."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from routing.decide.search import Candidate, Plan, Wanted
from routing.decide.workdays import Slot, end_of, working_days
from routing.model.fulfilment import Exclusion
from routing.model.world import Destination, Node, Prospect, Reference


class Supply:
    """Stock and capacity of one batch; what a plan takes is gone for the orders after it."""

    def __init__(self, reference: Reference, prospect: Prospect, now: datetime) -> None:
        self._reference = reference
        self._now = now
        self._stock: dict[str, dict[str, int]] = {}
        self._read = prospect.stock
        self._taken_parcels: dict[tuple[str, date], int] = dict(prospect.taken_parcels)
        self._slots: dict[str, Slot | None] = {}

    def stock_of(self, goods_id: str) -> dict[str, int]:
        """Return the units of goods per node, net of safety stock, where there are any."""
        stock = self._stock.get(goods_id)
        if stock is None:
            nodes = self._reference.nodes
            stock = self._stock[goods_id] = {
                node_id: units - nodes[node_id].safety_units
                for node_id, units in self._read.get(goods_id, {}).items()
                if node_id in nodes and units > nodes[node_id].safety_units
            }
        return stock

    def stock_by_node(
        self, wanted: Iterable[Wanted], exclusions: Iterable[Exclusion]
    ) -> dict[str, dict[str, int]]:
        """Return what each node has of the wanted goods and this order may still take there."""
        by_node: dict[str, dict[str, int]] = {}
        for goods_id in {part.goods_id for want in wanted for part in want.parts}:
            for node_id, units in self.stock_of(goods_id).items():
                by_node.setdefault(node_id, {})[goods_id] = units
        for exclusion in exclusions:
            stock = by_node.get(exclusion.node_id)
            if stock is not None and exclusion.goods_id in stock:
                stock[exclusion.goods_id] = min(stock[exclusion.goods_id], exclusion.units_max)
        return by_node

    def slot_of(self, node: Node) -> Slot | None:
        """Return the first working day on which the node has room, within the horizon."""
        if node.node_id not in self._slots:
            self._slots[node.node_id] = self._find_slot(node)
        return self._slots[node.node_id]

    def take(self, plan: Plan, wanted: Sequence[Wanted]) -> None:
        """Take a plan's units and parcels off."""
        for draft in plan.drafts:
            node = draft.leg.node
            for want, units in zip(wanted, draft.units, strict=True):
                for part in want.parts if units else ():
                    stock = self._stock[part.goods_id]
                    stock[node.node_id] -= units * part.units_each
                    if not stock[node.node_id]:
                        del stock[node.node_id]
            taken = (node.node_id, draft.slot.promised_on)
            self._taken_parcels[taken] = self._taken_parcels.get(taken, 0) + 1
            del self._slots[node.node_id]

    def _find_slot(self, node: Node) -> Slot | None:
        horizon_days = self._reference.policy.horizon_days
        for day, ahead_days in working_days(node, self._now, horizon_days):
            taken_parcels = self._taken_parcels.get((node.node_id, day), 0)
            if taken_parcels < node.capacity_parcels:
                return Slot(day, end_of(day, node.timezone), ahead_days)
        return None


def candidates_of(
    destination: Destination, stock: Mapping[str, Mapping[str, int]], supply: Supply
) -> tuple[list[Candidate], list[str]]:
    """Return the nodes that have stock and room, and those that have stock but no room."""
    candidates: list[Candidate] = []
    full: list[str] = []
    for leg in destination.legs:
        held = stock.get(leg.node.node_id)
        if held:
            slot = supply.slot_of(leg.node)
            if slot is None:
                full.append(leg.node.node_id)
            else:
                candidates.append(Candidate(leg, slot, held))
    return candidates, full
