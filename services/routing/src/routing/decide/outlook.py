"""What may be done for one order: who could ship it, who could not and why, and the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.values import LinePart
from routing.decide.eliminate import destination_of, may_sell, may_sell_to
from routing.decide.search import Plan, Wanted, search
from routing.decide.supply import Supply, candidates_of
from routing.model.fulfilment import Order
from routing.model.world import Code, Goods, Prospect, Reference


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the search said: the plans, the best first, and who was eliminated by which code."""

    wanted: tuple[Wanted, ...]
    plans: Sequence[Plan]
    eliminated: Mapping[Code, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Choice:
    """The plan that is taken (None: none) and the units per line that it leaves over."""

    outlook: Outlook
    plan: Plan | None
    left: Mapping[str, int]


def look(order: Order, reference: Reference, prospect: Prospect, supply: Supply) -> Outlook:
    """Return who could ship the order's uncovered units, over what is left of the batch's supply.

    LookupError for goods or an agreement that was not read; both are awaited before planning.
    """
    everywhere = tuple(sorted(reference.nodes))
    if order.failures_count > reference.policy.replans_max:
        return Outlook((), (), {Code.REPLANS_MAX: everywhere})
    agreement = prospect.agreements[order.agreement_id, order.agreement_version]
    if not may_sell_to(agreement, order.place):
        return Outlook((), (), {Code.SELLER_REGION: everywhere})
    barred = {
        line.line_id
        for line in order.lines
        if not may_sell(agreement, prospect.goods[line.goods_id].product_line)
    }
    every = _wanted(order, prospect.goods)
    wanted = tuple(want for want in every if want.line_id not in barred)
    outlook = _search(order, wanted, reference, supply)
    if len(wanted) == len(every):
        return outlook
    return replace(outlook, eliminated={**outlook.eliminated, Code.PRODUCT_LINE: everywhere})


def choose(order: Order, outlook: Outlook) -> Choice:
    """Take the best plan, in part where the whole cannot be had and the order allows that."""
    uncovered = order.uncovered()
    plan = outlook.plans[0] if outlook.plans else None
    left = _left(uncovered, outlook.wanted, plan)
    if not left or plan is None:
        return Choice(outlook, plan, left)
    if order.ship_complete:
        return Choice(_eliminate(outlook, Code.SHIP_COMPLETE, plan.node_ids), None, uncovered)
    # Those that ship have too little; the others that have some would be one parcel too many.
    unused = {each.node_ids[0] for each in outlook.plans if len(each.node_ids) == 1}
    short = (*outlook.eliminated.get(Code.STOCK, ()), *plan.node_ids)
    outlook = _eliminate(outlook, Code.STOCK, sorted(short))
    outlook = _eliminate(outlook, Code.PARCELS_MAX, sorted(unused - set(plan.node_ids)))
    return Choice(outlook, plan, left)


def _wanted(order: Order, goods: Mapping[str, Goods]) -> tuple[Wanted, ...]:
    parts = {line.line_id: line.parts for line in order.lines}
    return tuple(
        Wanted(line_id, units, parts[line_id], _weight_g(parts[line_id], goods))
        for line_id, units in order.uncovered().items()
    )


def _weight_g(parts: Sequence[LinePart], goods: Mapping[str, Goods]) -> int:
    return sum(goods[part.goods_id].weight_g * part.units_each for part in parts)


def _search(
    order: Order, wanted: tuple[Wanted, ...], reference: Reference, supply: Supply
) -> Outlook:
    destination = destination_of(order, reference)
    excluded = {each.node_id for each in order.exclusions if not each.goods_id}
    stock = supply.stock_by_node(wanted, order.exclusions)
    for node_id in excluded:
        stock.pop(node_id, None)
    candidates, full = candidates_of(destination, stock, supply)
    plans = search(order.order_id, wanted, candidates, reference.policy)
    able = {plan.node_ids[0] for plan in plans}.union(full, excluded)
    eliminated = {
        **destination.eliminated,
        Code.EXCLUDED: tuple(sorted(excluded)),
        Code.CAPACITY: tuple(full),
        Code.STOCK: tuple(
            leg.node.node_id for leg in destination.legs if leg.node.node_id not in able
        ),
    }
    return Outlook(wanted, plans, {code: nodes for code, nodes in eliminated.items() if nodes})


def _left(
    uncovered: Mapping[str, int], wanted: Sequence[Wanted], plan: Plan | None
) -> dict[str, int]:
    left = dict(uncovered)
    for draft in plan.drafts if plan else ():
        for want, units in zip(wanted, draft.units, strict=True):
            left[want.line_id] -= units
    return {line_id: units for line_id, units in left.items() if units}


def _eliminate(outlook: Outlook, code: Code, nodes: Sequence[str]) -> Outlook:
    if not nodes:
        return outlook
    return replace(outlook, eliminated={**outlook.eliminated, code: tuple(nodes)})
