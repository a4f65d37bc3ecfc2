"""The rules of stock. Pure: same input, same output, no I/O, no clock."""

from inventory.decide.check import contradiction
from inventory.decide.command import adjust, put_away, receive
from inventory.decide.fulfil import (
    FulfilmentEvent,
    fulfil,
    keys_to_fulfil,
    parcels_of,
    voided_attempts,
)
from inventory.decide.holdings import state_of
from inventory.decide.reserve import (
    keys_to_reserve,
    latest_attempts,
    reservation_id,
    reserve,
)

__all__ = [
    "FulfilmentEvent",
    "adjust",
    "contradiction",
    "fulfil",
    "keys_to_fulfil",
    "keys_to_reserve",
    "latest_attempts",
    "parcels_of",
    "put_away",
    "receive",
    "reservation_id",
    "reserve",
    "state_of",
    "voided_attempts",
]
