"""Divides an amount among weights without losing a unit."""

from collections.abc import Sequence


def allocate(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount in proportion to non-negative weights by the largest remainder method.

    The shares add up to the amount and each lies within one minor unit of its exact part. Ties go
    to the earlier weight. Weights that are all zero count as equal. ValueError without weights.
    """
    if not weights:
        raise ValueError(f"{amount_minor} cannot be divided among nobody")
    total = sum(weights)
    if total == 0:
        return allocate(amount_minor, [1] * len(weights))
    shares = [amount_minor * weight // total for weight in weights]
    remainders = [amount_minor * weight % total for weight in weights]
    spare = amount_minor - sum(shares)
    for index in sorted(range(len(weights)), key=lambda i: (-remainders[i], i))[:spare]:
        shares[index] += 1
    return shares
