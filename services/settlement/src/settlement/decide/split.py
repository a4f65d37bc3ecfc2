"""An agreement as a list of typed steps, its check, and the integer interpreter with its trace."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import msgspec

from contracts.orders import OrderLine, Scenario
from settlement.decide.allocate import allocate, rate_of
from settlement.model import Code, Terms

RATE_MAX_PPM = 1_000_000


class PlanRefusedError(ValueError):
    """An agreement or order whose money cannot be divided; the message says why."""


class Base(StrEnum):
    """What a rate is taken of: price by units, what the buyer pays, what earlier steps left."""

    GROSS = "gross"
    NET = "net"
    REMAINING = "remaining"


@dataclass(frozen=True, slots=True)
class TakeRate:
    """A party takes parts per million of the goods' amount, rounded once for the whole order."""

    payee_id: str
    component: str
    base: Base
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class TakeSupply:
    """A party takes the frozen supply price of every unit; what stays is the seller's margin."""

    payee_id: str
    component: str


@dataclass(frozen=True, slots=True)
class TakeFreight:
    """A party takes the freight that the buyer paid."""

    payee_id: str
    component: str


@dataclass(frozen=True, slots=True)
class Weight:
    """A party's part in a share."""

    payee_id: str
    component: str
    weight_ppm: int


@dataclass(frozen=True, slots=True)
class TakeShares:
    """Parties divide what is left by weights; the rest stays for the residual."""

    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class TakeResidual:
    """A party takes all that is left; less than nothing only where the agreement means it."""

    payee_id: str
    component: str
    may_be_negative: bool = False


Step: TypeAlias = TakeRate | TakeSupply | TakeFreight | TakeShares | TakeResidual


class TracedLine(msgspec.Struct, frozen=True):
    """What a step took of one line, in minor units."""

    line_id: str
    amount_minor: int


class Traced(msgspec.Struct, frozen=True):
    """Why a party gets an amount: the step, what went into it, what came out for each line."""

    step: str
    payee_id: str
    component: str
    inputs: dict[str, int | str]
    amount_minor: int
    lines: tuple[TracedLine, ...]


def steps_of(terms: Terms) -> tuple[Step, ...]:
    """Return the steps that an agreement's scenario and terms stand for."""
    payee_id = terms.freight_payee_id
    steps: list[Step] = [TakeFreight(payee_id, Code.FREIGHT_REVENUE)]
    if terms.platform_id is not None:
        rate_ppm = terms.platform_rate_ppm
        steps.append(TakeRate(terms.platform_id, Code.PLATFORM_FEE, Base.NET, rate_ppm))
    match terms.scenario:
        case Scenario.DROP_SHIPPING:
            steps.append(TakeSupply(terms.brand_id, Code.SUPPLY_REVENUE))
            # A dealer may sell below supply price; the loss is a debit on its own margin account.
            steps.append(TakeResidual(terms.seller_id, Code.DEALER_MARGIN, may_be_negative=True))
        case Scenario.BRAND_DIRECT:
            steps.append(TakeResidual(terms.brand_id, Code.SALES_REVENUE))
    return tuple(steps)


def check(steps: Sequence[Step], party_ids: Collection[str]) -> None:
    """Raise PlanRefusedError unless the steps divide every order's money among known parties.

    Refused: no taker of the residual at the end or of the freight, two of either, a party unknown
    or twice with one component, a rate outside 0 to 100 %, and a plan that could go negative
    without saying so.
    """
    _check_takers(steps, party_ids)
    for step in steps:
        _check_rates(step)
    residuals = [step for step in steps if isinstance(step, TakeResidual)]
    if len(residuals) != 1 or steps[-1] is not residuals[0]:
        raise PlanRefusedError("a plan needs exactly one residual taker, at its end")
    _check_signs(steps, may_be_negative=residuals[0].may_be_negative)


def _takers(step: Step) -> list[tuple[str, str]]:
    if isinstance(step, TakeShares):
        return [(weight.payee_id, weight.component) for weight in step.weights]
    return [(step.payee_id, step.component)]


def _check_takers(steps: Sequence[Step], party_ids: Collection[str]) -> None:
    takers = [taker for step in steps for taker in _takers(step)]
    for payee_id, component in takers:
        if payee_id not in party_ids:
            raise PlanRefusedError(f"{component} goes to the unknown party {payee_id}")
    if len(set(takers)) != len(takers):
        raise PlanRefusedError(f"a party takes the same component twice: {sorted(takers)}")
    if sum(isinstance(step, TakeFreight) for step in steps) != 1:
        raise PlanRefusedError("a plan needs exactly one taker of the buyer's freight")


def _check_rates(step: Step) -> None:
    match step:
        case TakeRate():
            parts_ppm = [step.rate_ppm]
        case TakeShares():
            parts_ppm = [weight.weight_ppm for weight in step.weights]
        case TakeSupply() | TakeFreight() | TakeResidual():
            return
    if min(parts_ppm, default=0) < 0 or sum(parts_ppm) > RATE_MAX_PPM:
        raise PlanRefusedError(f"{parts_ppm} ppm is outside 0 to {RATE_MAX_PPM}")


def _check_signs(steps: Sequence[Step], *, may_be_negative: bool) -> None:
    """Refuse a step that divides what may be less than nothing, and a loss nobody owned up to."""
    takes_goods = [step for step in steps if not isinstance(step, TakeFreight)]
    may_overdraw = False
    for index, step in enumerate(takes_goods):
        if may_overdraw and _divides_rest(step):
            raise PlanRefusedError(f"step {index + 1} ({step}) divides what may be negative")
        may_overdraw = may_overdraw or _may_overdraw(step, is_first=index == 0)
    if may_overdraw and not may_be_negative:
        raise PlanRefusedError("the residual may be negative, and the plan does not say so")


def _divides_rest(step: Step) -> bool:
    return isinstance(step, TakeShares) or (
        isinstance(step, TakeRate) and step.base is Base.REMAINING
    )


def _may_overdraw(step: Step, *, is_first: bool) -> bool:
    match step:
        case TakeSupply() | TakeRate(base=Base.GROSS):
            return True
        case TakeRate(base=Base.NET):
            return not is_first
        case _:
            return False


def read_trace(encoded: str) -> list[Traced]:
    """Return the trace that a plan keeps as JSON."""
    return msgspec.json.decode(encoded, type=list[Traced])


def why(traced: Traced) -> str:
    """Return why a party gets an amount of the order, in one line for people."""
    inputs = ", ".join(f"{name} {value}" for name, value in traced.inputs.items())
    given = f"{traced.step} ({inputs})" if inputs else traced.step
    return f"{given} gives {traced.amount_minor} for the order, divided among its lines"


def run(steps: Sequence[Step], lines: Sequence[OrderLine]) -> list[Traced]:
    """Run checked steps over an order's lines and return what each took and why, in step order.

    The amounts of all steps add up to what the buyer paid for each line, freight included.
    """
    remaining = [line.amount_minor for line in lines]
    trace: list[Traced] = []
    for step in steps:
        for traced in _run_step(step, lines, remaining):
            trace.append(traced)
            if not isinstance(step, TakeFreight):
                taken = [line.amount_minor for line in traced.lines]
                remaining = [left - part for left, part in zip(remaining, taken, strict=True)]
    return trace


def _run_step(step: Step, lines: Sequence[OrderLine], remaining: Sequence[int]) -> list[Traced]:
    match step:
        case TakeRate():
            return [_take_rate(step, lines, remaining)]
        case TakeSupply():
            taken = [line.supply_price_minor * line.quantity_units for line in lines]
            units = sum(line.quantity_units for line in lines)
            return [_traced("take_supply", _takers(step)[0], lines, taken, {"units": units})]
        case TakeFreight():
            taken = [line.freight_minor for line in lines]
            return [_traced("take_freight", _takers(step)[0], lines, taken, {})]
        case TakeShares():
            return _take_shares(step, lines, remaining)
        case TakeResidual():
            left = {"left_minor": sum(remaining)}
            return [_traced("take_residual", _takers(step)[0], lines, remaining, left)]


def _take_rate(step: TakeRate, lines: Sequence[OrderLine], remaining: Sequence[int]) -> Traced:
    match step.base:
        case Base.GROSS:
            bases = [line.unit_price_minor * line.quantity_units for line in lines]
        case Base.NET:
            bases = [line.amount_minor for line in lines]
        case Base.REMAINING:
            bases = list(remaining)
    base_minor = sum(bases)
    # Once per order: rounding line by line is off by up to half a unit for every line.
    taken = allocate(rate_of(base_minor, step.rate_ppm), bases)
    inputs = {"base": step.base.value, "base_minor": base_minor, "rate_ppm": step.rate_ppm}
    return _traced("take_rate", (step.payee_id, step.component), lines, taken, inputs)


def _take_shares(
    step: TakeShares, lines: Sequence[OrderLine], remaining: Sequence[int]
) -> list[Traced]:
    left_minor = sum(remaining)
    weights = sorted(step.weights, key=lambda weight: (weight.payee_id, weight.component))
    unshared_ppm = RATE_MAX_PPM - sum(weight.weight_ppm for weight in weights)
    parts = allocate(left_minor, [*(weight.weight_ppm for weight in weights), unshared_ppm])
    traces: list[Traced] = []
    for weight, part in zip(weights, parts[:-1], strict=True):
        inputs = {"left_minor": left_minor, "weight_ppm": weight.weight_ppm}
        # Over what is left of each line, so that rounding never takes a line below zero.
        taken = allocate(part, remaining)
        remaining = [left - amount for left, amount in zip(remaining, taken, strict=True)]
        taker = (weight.payee_id, weight.component)
        traces.append(_traced("take_shares", taker, lines, taken, inputs))
    return traces


def _traced(
    step: str,
    taker: tuple[str, str],
    lines: Sequence[OrderLine],
    taken: Sequence[int],
    inputs: Mapping[str, int | str],
) -> Traced:
    return Traced(
        step=step,
        payee_id=taker[0],
        component=taker[1],
        inputs=dict(inputs),
        amount_minor=sum(taken),
        lines=tuple(
            TracedLine(line.line_id, amount) for line, amount in zip(lines, taken, strict=True)
        ),
    )
