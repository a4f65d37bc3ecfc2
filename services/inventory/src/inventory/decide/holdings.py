"""What parcels hold, as one batch changes it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from inventory.model import Reservation, ReservationState


class Holdings:
    """The reservation rows of one batch; what is given back is read off them, never recomputed."""

    def __init__(self, reservations: Iterable[Reservation]) -> None:
        self._rows = {(row.parcel_id, row.goods_id): row for row in reservations}
        self._changed: dict[tuple[str, str], Reservation] = {}

    @property
    def changed(self) -> list[Reservation]:
        """The rows that are to be saved."""
        return list(self._changed.values())

    def held_units(self, parcel_id: str, goods_id: str) -> int:
        """Return what a parcel still holds of some goods; nothing when it is unknown."""
        row = self._rows.get((parcel_id, goods_id))
        return row.held_units if row else 0

    def of_parcel(self, parcel_id: str) -> Sequence[Reservation]:
        """Return what a parcel still holds."""
        return [row for row in self._rows.values() if row.parcel_id == parcel_id and row.held_units]

    def of_attempt(self, order_id: str, attempt: int) -> Sequence[Reservation]:
        """Return what the parcels of an attempt still hold."""
        return [
            row
            for row in self._rows.values()
            if row.order_id == order_id and row.attempt == attempt and row.held_units
        ]

    def unsettled_quarantine_units(self, parcel_id: str, goods_id: str) -> int:
        """Return what went to quarantine from a parcel and did not leave the node after all."""
        row = self._rows.get((parcel_id, goods_id))
        return max(0, row.quarantined_units - row.conflicted_units) if row else 0

    def release(self, parcel_id: str, goods_id: str, units: int) -> None:
        """Note that units were given back."""
        row = self._rows[parcel_id, goods_id]
        self._save(replace(row, released_units=row.released_units + units))

    def quarantine(self, parcel_id: str, goods_id: str, units: int) -> None:
        """Note that units lie in quarantine."""
        row = self._rows[parcel_id, goods_id]
        self._save(replace(row, quarantined_units=row.quarantined_units + units))

    def consume(self, parcel_id: str, goods_id: str, units: int) -> None:
        """Note that held units left the node."""
        row = self._rows[parcel_id, goods_id]
        self._save(replace(row, consumed_units=row.consumed_units + units))

    def conflict(self, parcel_id: str, goods_id: str, units: int) -> None:
        """Note that units left the node although nothing held them; unknown parcels have no row."""
        if row := self._rows.get((parcel_id, goods_id)):
            self._save(replace(row, conflicted_units=row.conflicted_units + units))

    def _save(self, row: Reservation) -> None:
        key = (row.parcel_id, row.goods_id)
        self._rows[key] = row
        self._changed[key] = row


def state_of(row: Reservation) -> ReservationState:
    """Say what became of a reservation; where its units went several ways, by the last step."""
    if row.held_units == row.quantity_units:
        return ReservationState.HELD
    if row.held_units:
        return ReservationState.PART_CONSUMED if row.consumed_units else ReservationState.HELD
    if row.consumed_units:
        return ReservationState.CONSUMED
    if row.quarantined_units:
        return ReservationState.QUARANTINED
    return ReservationState.RELEASED
