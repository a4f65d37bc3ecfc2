"""Minor units divided exactly: largest remainder, and what each unit of a line takes."""

from collections.abc import Sequence
from fractions import Fraction


def round_half_away(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to whole units, halves away from zero; `denominator` > 0."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def rate_of(base_minor: int, rate_ppm: int) -> int:
    """Return parts per million of an amount, halves away from zero."""
    return round_half_away(base_minor * rate_ppm, 1_000_000)


def allocate(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Divide a total by whole weights so that the parts add up to it (largest remainder).

    Each part is within one unit of exact. Spare units go to the largest remainders; ties go to the
    earlier weight, so callers pass weights in the order of (priority, party id) and the result does
    not depend on how they came by them. ValueError for a negative weight, or when all are 0 and
    there is something to divide.
    """
    weight_sum = sum(weights)
    if min(weights, default=0) < 0:
        raise ValueError(f"negative weight in {list(weights)}")
    if weight_sum == 0:
        if total_minor:
            raise ValueError(f"nobody to take {total_minor}")
        return [0] * len(weights)
    return _largest_remainder([total_minor * weight for weight in weights], weight_sum, total_minor)


def first_units(amounts: Sequence[int], units: int, of_units: int) -> list[int]:
    """Return what the first `units` of `of_units` take of each amount, in minor units.

    The units take their part of the sum, rounded half away from zero, and the amounts divide it by
    Sainte-Laguë's method over all units, so that no part shrinks when more units are taken (with
    largest remainder it could, the Alabama paradox), all units take exactly everything, and the
    order in which units were taken in between does not matter: callers ask for a difference of two
    results. Losses (negative amounts) are divided apart from gains. Ties go to the earlier amount.
    """
    if units in {0, of_units}:
        return list(amounts) if units else [0] * len(amounts)
    gains = _first_units([max(amount, 0) for amount in amounts], units, of_units)
    losses = _first_units([max(-amount, 0) for amount in amounts], units, of_units)
    return [gain - loss for gain, loss in zip(gains, losses, strict=True)]


def _first_units(amounts: Sequence[int], units: int, of_units: int) -> list[int]:
    total_minor = sum(amounts)
    target_minor = round_half_away(total_minor * units, of_units)
    if not target_minor:
        return [0] * len(amounts)
    parts = [round_half_away(amount * target_minor, total_minor) for amount in amounts]
    while sum(parts) < target_minor:
        claims = [_claim(amount, part + 1) for amount, part in zip(amounts, parts, strict=True)]
        parts[claims.index(max(claims))] += 1
    while sum(parts) > target_minor:
        claims = [_claim(amount, part) for amount, part in zip(amounts, parts, strict=True)]
        weakest = min(claim for claim in claims if claim)
        parts[len(claims) - 1 - claims[::-1].index(weakest)] -= 1
    return parts


def _claim(amount_minor: int, nth: int) -> Fraction:
    """Return how strongly an amount claims its n-th minor unit; 0 when it has none."""
    return Fraction(amount_minor, 2 * nth - 1) if nth else Fraction(0)


def _largest_remainder(numerators: Sequence[int], denominator: int, target: int) -> list[int]:
    """Floor each fraction and hand the units missing to the target to the largest remainders."""
    parts = [numerator // denominator for numerator in numerators]
    spare_units = target - sum(parts)
    if spare_units:
        remainders = [numerator % denominator for numerator in numerators]
        ranked = sorted(range(len(parts)), key=lambda index: -remainders[index])
        for index in ranked[:spare_units]:
            parts[index] += 1
    return parts
