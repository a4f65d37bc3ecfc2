"""Plans for one order: single nodes, then combinations, each scored in minor units."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter
from typing import NamedTuple
from zlib import crc32

from contracts.values import LinePart
from routing.decide.freight import freight_minor
from routing.decide.workdays import Slot
from routing.model.world import Leg, Policy

_rank = attrgetter("rank")


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


# Named tuples, not dataclasses: one of each is made for every node that could ship every order.
class Draft(NamedTuple):
    """One parcel of a plan; `units` stand in the order of what is wanted."""

    leg: Leg
    slot: Slot
    units: tuple[int, ...]
    freight_minor: int


class Plan(NamedTuple):
    """Parcels with the terms they are compared by.

    Of two `rank`s the lower is better: more units, better tier, less cost, shorter way, then a tie
    that spreads by a hash of the order's id and the nodes.
    """

    rank: tuple[int, int, int, int, int, tuple[str, ...]]
    drafts: tuple[Draft, ...]
    freight_minor: int
    handling_minor: int
    split_minor: int
    late_minor: int

    @property
    def covered_units(self) -> int:
        """Units of all lines that the plan ships."""
        return -self.rank[0]

    @property
    def tier(self) -> int:
        """The worst tier of its nodes."""
        return self.rank[1]

    @property
    def cost_minor(self) -> int:
        """The terms that are money, summed."""
        return self.rank[2]

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Who ships."""
        return self.rank[5]


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
            plans[index] = score_single(order_id, wanted, candidate, units, policy)
    singles = sorted(plans.values(), key=_rank)
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
            parcels = [
                score_single(order_id, wanted, candidate, units, policy)
                for candidate, units in zip(combination, shares, strict=True)
            ]
            found.append(join(parcels, order_id, policy))
            best = min(best, found[-1], key=_rank)
    return sorted(found, key=_rank)


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


def score_single(
    order_id: str,
    wanted: Sequence[Wanted],
    candidate: Candidate,
    units: tuple[int, ...],
    policy: Policy,
) -> Plan:
    """Return the plan in which one node ships units of each line."""
    node, rate, distance_m = candidate.leg.node, candidate.leg.rate, candidate.leg.distance_m
    weight_g = 0
    for want, count in zip(wanted, units, strict=True):
        weight_g += want.weight_g * count
    charge_minor = freight_minor(rate, weight_g)
    late_minor = policy.late_day_minor * candidate.slot.late_days
    cost_minor = charge_minor + node.handling_minor + late_minor
    tie = crc32(f"{order_id}/{node.node_id}".encode())
    return Plan(
        (-sum(units), node.tier, cost_minor, distance_m, tie, (node.node_id,)),
        (Draft(candidate.leg, candidate.slot, units, charge_minor),),
        charge_minor,
        node.handling_minor,
        0,
        late_minor,
    )


def join(singles: Sequence[Plan], order_id: str, policy: Policy) -> Plan:
    """Return the plan of several parcels, each given as the plan of its own node."""
    split_minor = policy.split_minor * (len(singles) - 1)
    late_minor = max(single.late_minor for single in singles)
    freight = sum(single.freight_minor for single in singles)
    handling_minor = sum(single.handling_minor for single in singles)
    node_ids = tuple(single.node_ids[0] for single in singles)
    rank = (
        sum(single.rank[0] for single in singles),
        max(single.tier for single in singles),
        freight + handling_minor + split_minor + late_minor,
        sum(single.rank[3] for single in singles),
        crc32("/".join([order_id, *node_ids]).encode()),
        node_ids,
    )
    drafts = tuple(single.drafts[0] for single in singles)
    return Plan(rank, drafts, freight, handling_minor, split_minor, late_minor)


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
