"""The decision record: every candidate, elimination and term, as compact JSON."""

from collections.abc import Mapping

import msgspec

from routing.decide.outlook import Choice
from routing.decide.search import Plan
from routing.model.world import Policy

CANDIDATES_RECORDED_MAX = 256
TERMS = (
    "nodes",
    "units",
    "covered_units",
    "tier",
    "cost_minor",
    "freight_minor",
    "handling_minor",
    "split_minor",
    "late_minor",
    "distance_m",
    "tie",
)
"""The columns of a recorded candidate, in order; `units` are per node in the order of the lines."""


def record_of(wanted: Mapping[str, int], choice: Choice, policy: Policy) -> bytes:
    """Return the record of one decision about units per line.

    Of more than CANDIDATES_RECORDED_MAX plans the worst are left out and only counted.
    """
    plans = choice.outlook.plans
    return msgspec.json.encode(
        {
            "wanted": wanted,
            "eliminated": choice.outlook.eliminated,
            "terms": TERMS,
            "candidates": [_row(plan) for plan in plans[:CANDIDATES_RECORDED_MAX]],
            "candidates_count": len(plans),
            "chosen": choice.plan.node_ids if choice.plan else None,
            "left": choice.left,
            "policy": policy,
        }
    )


def _row(plan: Plan) -> tuple[object, ...]:
    return (
        plan.node_ids,
        tuple(draft.units for draft in plan.drafts),
        plan.covered_units,
        plan.tier,
        plan.cost_minor,
        plan.freight_minor,
        plan.handling_minor,
        plan.split_minor,
        plan.late_minor,
        plan.rank[3],
        plan.rank[4],
    )
