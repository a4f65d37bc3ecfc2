"""Plans for one order: single nodes, then combinations, each scored in minor units."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from zlib import crc32

from contracts.values import LinePart
from routing.decide.freight import freight_minor
from routing.decide.workdays import Slot
from routing.model.world import Leg, Policy


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units of one line to be shipped; `weight_g` is of one unit, which is never divided."""

    line_id: str
    quantity_units: int
    parts: tuple[LinePart, ...]
    weight_g: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that has some of what is wanted; `stock` are its units by goods."""

    leg: Leg
    slot: Slot
    stock: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Draft:
    """One parcel of a plan; `units` stand in the order of what is wanted."""

    leg: Leg
    slot: Slot
    units: tuple[int, ...]
    freight_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Parcels with the terms they are compared by."""

    drafts: tuple[Draft, ...]
    covered_units: int
    tier: int
    freight_minor: int
    handling_minor: int
    split_minor: int
    late_minor: int
    distance_m: int
    tie: int

    @property
    def cost_minor(self) -> int:
        """The terms that are money, summed."""
        return self.freight_minor + self.handling_minor + self.split_minor + self.late_minor

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Who ships."""
        return tuple(draft.leg.node.node_id for draft in self.drafts)

    @property
    def rank(self) -> tuple[int | tuple[str, ...], ...]:
        """Lower is better: more units, better tier, less cost, shorter way, then a spread tie."""
        return (
            -self.covered_units,
            self.tier,
            self.cost_minor,
            self.distance_m,
            self.tie,
            self.node_ids,
        )


def search(
    order_id: str, wanted: Sequence[Wanted], candidates: Sequence[Candidate], policy: Policy
) -> list[Plan]:
    """Return the plans that were considered, the best first; none covers a unit twice.

    Combinations are made of at most `policy.beam_nodes` nodes and left out where even empty parcels
    would cost more than the best plan known.
    """
    plans: dict[int, Plan] = {}
    for index, candidate in enumerate(candidates):
        units = fill(wanted, candidate.stock)
        if any(units):
            plans[index] = score(order_id, wanted, [(candidate, units)], policy)
    singles = sorted(plans.values(), key=lambda plan: plan.rank)
    wanted_units = sum(want.quantity_units for want in wanted)
    if len(singles) < 2 or wanted_units < 2 or policy.parcels_max < 2:
        return singles
    beam = [candidates[index] for index in _beam(plans, len(wanted), policy.beam_nodes)]
    found = list(singles)
    best = singles[0]
    for combination in _combinations(beam, policy):
        if best.covered_units == wanted_units and not _may_beat(best, combination, policy):
            continue
        shares = allocate(wanted, combination)
        if all(any(units) for units in shares):
            plan = score(order_id, wanted, list(zip(combination, shares, strict=True)), policy)
            found.append(plan)
            best = min(best, plan, key=lambda each: each.rank)
    return sorted(found, key=lambda plan: plan.rank)


def fill(wanted: Sequence[Wanted], stock: Mapping[str, int]) -> tuple[int, ...]:
    """Return how many units of each line one node can take, in the order of the lines."""
    if len(wanted) == 1:
        return (_room(wanted[0], stock),)
    left = dict(stock)
    return tuple(_take(want, left, want.quantity_units) for want in wanted)


def allocate(wanted: Sequence[Wanted], combination: Sequence[Candidate]) -> list[tuple[int, ...]]:
    """Divide lines among nodes: whole where one node has all of it, else by units in node order."""
    stocks = [dict(candidate.stock) for candidate in combination]
    shares = [[0] * len(wanted) for _ in combination]
    broken: list[int] = []
    for index, want in enumerate(wanted):
        for place, stock in enumerate(stocks):
            if _room(want, stock) == want.quantity_units:
                shares[place][index] = _take(want, stock, want.quantity_units)
                break
        else:
            broken.append(index)
    for index in broken:
        left_units = wanted[index].quantity_units
        for place, stock in enumerate(stocks):
            shares[place][index] = _take(wanted[index], stock, left_units)
            left_units -= shares[place][index]
    return [tuple(units) for units in shares]


def score(
    order_id: str,
    wanted: Sequence[Wanted],
    shares: Sequence[tuple[Candidate, tuple[int, ...]]],
    policy: Policy,
) -> Plan:
    """Return a plan with its terms; ties fall by a hash of the order's id, so that they spread."""
    drafts: list[Draft] = []
    for candidate, units in shares:
        weight_g = sum(want.weight_g * count for want, count in zip(wanted, units, strict=True))
        charge_minor = freight_minor(candidate.leg.rate, weight_g)
        drafts.append(Draft(candidate.leg, candidate.slot, units, charge_minor))
    return Plan(
        drafts=tuple(drafts),
        covered_units=sum(sum(draft.units) for draft in drafts),
        tier=max(draft.leg.node.tier for draft in drafts),
        freight_minor=sum(draft.freight_minor for draft in drafts),
        handling_minor=sum(draft.leg.node.handling_minor for draft in drafts),
        split_minor=policy.split_minor * (len(drafts) - 1),
        late_minor=policy.late_day_minor * max(draft.slot.late_days for draft in drafts),
        distance_m=sum(draft.leg.distance_m for draft in drafts),
        tie=crc32("/".join([order_id, *(d.leg.node.node_id for d in drafts)]).encode()),
    )


def _room(want: Wanted, stock: Mapping[str, int]) -> int:
    units = want.quantity_units
    for part in want.parts:
        units = min(units, stock.get(part.goods_id, 0) // part.units_each)
    return units


def _take(want: Wanted, stock: dict[str, int], limit_units: int) -> int:
    units = min(limit_units, _room(want, stock))
    if units:
        for part in want.parts:
            stock[part.goods_id] -= units * part.units_each
    return units


def _beam(plans: Mapping[int, Plan], lines_count: int, nodes_max: int) -> list[int]:
    # The best node of each line, then the second best of each: a line that only one poor node has
    # would otherwise fall out of the beam.
    orders = [
        sorted(plans, key=lambda index: (-plans[index].drafts[0].units[line], plans[index].rank))
        for line in range(lines_count)
    ]
    chosen = dict.fromkeys(index for row in zip(*orders, strict=True) for index in row)
    return list(chosen)[:nodes_max]


def _combinations(beam: Sequence[Candidate], policy: Policy) -> Iterator[tuple[Candidate, ...]]:
    for size in range(2, min(policy.parcels_max, len(beam)) + 1):
        yield from combinations(beam, size)


def _may_beat(best: Plan, combination: Sequence[Candidate], policy: Policy) -> bool:
    tier = max(candidate.leg.node.tier for candidate in combination)
    if tier != best.tier:
        return tier < best.tier
    floor_minor = policy.split_minor * (len(combination) - 1) + sum(
        candidate.leg.rate.base_minor + candidate.leg.node.handling_minor
        for candidate in combination
    )
    return floor_minor < best.cost_minor
