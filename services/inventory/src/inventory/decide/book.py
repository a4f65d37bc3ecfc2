"""The arithmetic of stock: every change of a level becomes a movement that explains it."""

from collections.abc import Mapping
from datetime import datetime

from contracts.availability import AvailabilityChanged
from inventory.model import Change, Condition, Movement, Source, StockKey, StockLevel

EMPTY = StockLevel()


class StockBook:
    """Stock levels as one batch changes them, and the movements that did it.

    After every movement `0 ≤ reserved ≤ on hand`, and units are missing only where everything on
    hand is promised (`missing = 0` or `on hand = reserved`).
    """

    def __init__(self, levels: Mapping[StockKey, StockLevel]) -> None:
        self._before = levels
        self._changed: dict[StockKey, StockLevel] = {}
        self.movements: list[Movement] = []

    @property
    def changed(self) -> Mapping[StockKey, StockLevel]:
        """The levels that moved."""
        return self._changed

    def level(self, key: StockKey) -> StockLevel:
        """Return a level as of the last movement; what is unknown is empty."""
        return self._changed.get(key) or self._before.get(key, EMPTY)

    def post(self, key: StockKey, source: Source, change: Change) -> None:
        """Move a level and write down the movement that really happened."""
        before = self.level(key)
        actual = _settle_missing(before, change)
        after = StockLevel(
            on_hand_units=before.on_hand_units + actual.on_hand_units,
            reserved_units=before.reserved_units + actual.reserved_units,
            missing_units=before.missing_units + actual.missing_units,
            version=before.version + 1,
        )
        self._changed[key] = after
        self.movements.append(Movement(key, after.version, source, actual))

    def availability(self, now: datetime) -> list[AvailabilityChanged]:
        """Say what can be promised now, once for each sellable level where it is another figure."""
        return [
            AvailabilityChanged(
                occurred_at=now,
                goods_id=key.goods_id,
                node_id=key.node_id,
                available_units=level.available_units,
                stock_version=level.version,
            )
            for key, level in sorted(self._changed.items(), key=lambda item: item[0])
            if key.condition is Condition.SELLABLE
            and level.available_units != self._before.get(key, EMPTY).available_units
        ]


def _settle_missing(before: StockLevel, wanted: Change) -> Change:
    """Take missing units off what nobody was promised; the rest stays missing.

    More than is on hand cannot be missing: that part is excess. It arises when the world disproves
    the books, such as a parcel shipped from units that somebody had reported as not there.
    """
    on_hand_units = before.on_hand_units + wanted.on_hand_units
    reserved_units = before.reserved_units + wanted.reserved_units
    missing_units = before.missing_units + wanted.missing_units
    excess_units = max(0, missing_units - on_hand_units)
    missing_units -= excess_units
    corrected_units = min(missing_units, on_hand_units - reserved_units)
    return Change(
        on_hand_units=wanted.on_hand_units - corrected_units,
        reserved_units=wanted.reserved_units,
        missing_units=missing_units - corrected_units - before.missing_units,
        excess_units=wanted.excess_units + excess_units,
    )
