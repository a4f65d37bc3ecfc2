"""What every published fact has in common."""

from datetime import datetime
from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A published fact, named in the past tense.

    `occurred_at` is when the fact became true for the service that states it, in UTC; it is never
    used for ordering (a lane's sequence is). Raising `version` means that older readers must not
    guess: they park the event until they are upgraded. Adding a field with a default does not
    raise it.
    """

    version: ClassVar[int] = 1

    occurred_at: datetime


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an event; it has no identity of its own."""
