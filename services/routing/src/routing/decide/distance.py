"""How far a node is from a place; it only breaks ties between plans of equal cost."""

from math import asin, cos, radians, sin, sqrt

from contracts.values import Place
from routing.model.world import Node

EARTH_RADIUS_M = 6_371_009  # mean radius R1 of WGS 84 (IUGG)
NEAR_M = ((9, 5_000), (7, 30_000), (5, 300_000), (2, 1_500_000))
"""Common characters of two region codes and what they are taken for: `CN-310109` is a district,
`CN-3101` a city, `CN-31` a province."""
FAR_M = 10_000_000


def distance_m(node: Node, place: Place) -> int:
    """Return great-circle metres (haversine), or what the region codes let one assume.

    Squared differences of degrees would be wrong by 1 / cos(latitude).
    """
    if (
        node.latitude is None
        or node.longitude is None
        or place.latitude is None
        or place.longitude is None
    ):
        return region_distance_m(node.region_code, place.region_code)
    from_latitude, to_latitude = radians(node.latitude), radians(place.latitude)
    half_chord = (
        sin((to_latitude - from_latitude) / 2) ** 2
        + cos(from_latitude)
        * cos(to_latitude)
        * sin(radians(place.longitude - node.longitude) / 2) ** 2
    )
    return round(2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half_chord))))


def region_distance_m(one: str, other: str) -> int:
    """Return a distance in metres by how much two region codes have in common from the left."""
    if one == other:
        return 0
    shared_count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        shared_count += 1
    return next((metres for length, metres in NEAR_M if shared_count >= length), FAR_M)
