"""What a carrier takes for a weight from one region to another."""

from collections.abc import Sequence

from routing.model.world import FreightRate


def rates_to(rates: Sequence[FreightRate], region_code: str, currency: str) -> list[FreightRate]:
    """Return the rates that end in a region, in one currency."""
    return [
        rate
        for rate in rates
        if rate.currency == currency and region_code.startswith(rate.to_region)
    ]


def rate_from(rates: Sequence[FreightRate], region_code: str) -> FreightRate | None:
    """Return the rate with the longest pair of prefixes, the longer origin winning a tie."""
    return max(
        (rate for rate in rates if region_code.startswith(rate.from_region)),
        key=lambda rate: (len(rate.from_region) + len(rate.to_region), len(rate.from_region)),
        default=None,
    )


def freight_minor(rate: FreightRate, weight_g: int) -> int:
    """Return the freight of a parcel in minor units: each begun step beyond the base counts."""
    beyond_g = weight_g - rate.base_weight_g
    if beyond_g <= 0:
        return rate.base_minor
    return rate.base_minor + -(-beyond_g // rate.step_weight_g) * rate.step_minor
