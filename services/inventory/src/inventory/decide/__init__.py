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
    attempts_of,
    highest_attempts,
    keys_to_reserve,
    reservation_id,
    reserve,
)

__all__ = [
    "FulfilmentEvent",
    "adjust",
    "attempts_of",
    "contradiction",
    "fulfil",
    "highest_attempts",
    "keys_to_fulfil",
    "keys_to_reserve",
    "parcels_of",
    "put_away",
    "receive",
    "reservation_id",
    "reserve",
    "state_of",
    "voided_attempts",
]
