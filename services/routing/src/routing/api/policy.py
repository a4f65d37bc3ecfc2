"""HTTP in: how routing decides: freight rates and policy. Plans made from now on follow them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from backbone import Outcome, Transaction
from routing.model.world import FreightRate, Policy
from routing.store import reference
from runtime.api import Body, NotFound, Perform, Read, StrictRoute, responses
from runtime.fields import AmountMinor, Currency

router = APIRouter(route_class=StrictRoute, tags=["policy"])

RATES_MAX = 5_000
SECONDS_MAX = 90 * 86_400
WEIGHT_G_MAX = 100_000_000

Region = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9-]{0,32}$")]
Weight = Annotated[int, Field(strict=True, ge=0, le=WEIGHT_G_MAX)]
Step = Annotated[int, Field(strict=True, ge=1, le=WEIGHT_G_MAX)]
Seconds = Annotated[int, Field(strict=True, ge=0, le=SECONDS_MAX)]


class RateBody(Body):
    """A freight rate between two region prefixes (empty: everywhere)."""

    currency: Currency
    from_region: Region
    to_region: Region
    base_minor: AmountMinor
    base_weight_g: Weight
    step_minor: AmountMinor
    step_weight_g: Step


class RatesBody(Body):
    """Freight rates to set; those of other regions stay."""

    rates: Annotated[list[RateBody], Field(min_length=1, max_length=RATES_MAX)]


class RateView(BaseModel):
    """A freight rate."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    currency: str
    from_region: str
    to_region: str
    base_minor: int
    base_weight_g: int
    step_minor: int
    step_weight_g: int


class RatesView(BaseModel):
    """All freight rates, sorted by currency and regions."""

    rates: list[RateView]


class PolicyBody(Body):
    """The parts of the policy to change; what is left out stays."""

    parcels_max: Annotated[int, Field(strict=True, ge=1, le=10)] | None = None
    split_minor: AmountMinor | None = None
    late_day_minor: AmountMinor | None = None
    beam_nodes: Annotated[int, Field(strict=True, ge=1, le=16)] | None = None
    horizon_days: Annotated[int, Field(strict=True, ge=0, le=90)] | None = None
    replans_max: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    offer_timeout_s: Seconds | None = None
    cancel_answer_s: Seconds | None = None
    stock_wait_s: Seconds | None = None


class PolicyView(BaseModel):
    """The policy in force."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    parcels_max: int
    split_minor: int
    late_day_minor: int
    beam_nodes: int
    horizon_days: int
    replans_max: int
    offer_timeout_s: int
    cancel_answer_s: int
    stock_wait_s: int


@router.get("/freight-rates")
async def get_rates(read: Read) -> RatesView:
    """Return all freight rates; the longest matching pair of prefixes counts."""
    async with read() as tx:
        rates = await reference.load_rates(tx)
    return RatesView(rates=[RateView.model_validate(rate) for rate in rates])


@router.put("/freight-rates", responses=responses(422))
async def put_rates(body: RatesBody, perform: Perform) -> RatesView:
    """Set freight rates; the last of two for the same regions counts."""
    named = {
        (rate.currency, rate.from_region, rate.to_region): FreightRate(**rate.model_dump())
        for rate in body.rates
    }

    async def command(tx: Transaction, now: datetime) -> Outcome[RatesView]:
        del now
        await reference.save_rates(tx, list(named.values()))
        rates = await reference.load_rates(tx)
        return Outcome(RatesView(rates=[RateView.model_validate(rate) for rate in rates]))

    return await perform(command)


@router.delete("/freight-rates", status_code=204, responses=responses(404, 422))
async def delete_rate(
    perform: Perform,
    currency: Annotated[Currency, Query()],
    from_region: Annotated[Region, Query()] = "",
    to_region: Annotated[Region, Query()] = "",
) -> None:
    """Remove a freight rate."""

    async def command(tx: Transaction, now: datetime) -> Outcome[bool]:
        del now
        return Outcome(await reference.delete_rate(tx, currency, from_region, to_region))

    if not await perform(command):
        raise NotFound(f"there is no {currency} rate from {from_region!r} to {to_region!r}")


@router.get("/policy")
async def get_policy(read: Read) -> PolicyView:
    """Return the policy in force."""
    async with read() as tx:
        return PolicyView.model_validate(await reference.load_policy(tx))


@router.put("/policy", responses=responses(422))
async def put_policy(body: PolicyBody, perform: Perform) -> PolicyView:
    """Change parts of the policy."""
    values: dict[str, int] = body.model_dump(exclude_none=True)

    async def command(tx: Transaction, now: datetime) -> Outcome[Policy]:
        del now
        await reference.save_policy(tx, values)
        return Outcome(await reference.load_policy(tx))

    return PolicyView.model_validate(await perform(command))
