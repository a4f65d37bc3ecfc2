"""Takes arrivals through their handlers, in sequence per key, and notes what becomes of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from backbone.consumer import Binding, Consumer
from backbone.failures import Unprocessable, describe, is_program_fault, is_transient
from backbone.outbox import Outbox, Staged
from backbone.positions import Arrival
from backbone.reading import Fault, Reader, Unknown
from backbone.records import Batch, Lane
from backbone.transaction import Transaction

Queue: TypeAlias = tuple[Lane, bytes]


@dataclass(slots=True)
class Death:
    """A record that becomes a dead letter; it gets its number when it is stored."""

    arrival: Arrival
    reason: str
    blocks: bool
    dead_letter_id: int | None = None


@dataclass(frozen=True, slots=True)
class Parking:
    """A record that is parked: for what it awaits, or behind a dead letter, or behind its queue."""

    arrival: Arrival
    awaits: str | None = None
    death: Death | None = None
    dead_letter_id: int | None = None


Hold: TypeAlias = Death | int | None
"""Why a queue is held: a dead letter (the number of a stored one), or None for a parked record."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one handler call gave."""

    parked: list[Parking]
    staged: list[Staged]


def waves(arrivals: Sequence[Arrival]) -> list[dict[Binding, list[Arrival]]]:
    """Cut arrivals so that each queue's records reach their handlers in sequence.

    The wave of a record is the number of times its queue changed handlers before it. Inside a wave
    every handler is called once; no queue has records of two handlers in it.
    """
    places: dict[Queue, tuple[Binding, int]] = {}
    found: list[dict[Binding, list[Arrival]]] = []
    for arrival in arrivals:
        binding = arrival.binding
        if binding is None:
            continue
        before = places.get(arrival.queue)
        wave = 0 if before is None else before[1] + (before[0] is not binding)
        places[arrival.queue] = (binding, wave)
        if wave == len(found):
            found.append({})
        found[wave].setdefault(binding, []).append(arrival)
    return found


class Passage:
    """One batch's way through the handlers of a consumer, inside a transaction.

    `held` names the queues in which something waits already; later records of theirs are parked
    behind it.
    """

    def __init__(self, consumer: Consumer, outbox: Outbox, tx: Transaction, now: datetime) -> None:
        self.held: dict[Queue, Hold] = {}
        # What is held while handlers run. Not `held`: what reading found there (a payload that
        # cannot be decoded) is later than every record that goes to a handler.
        self._stopped: dict[Queue, Hold] = {}
        self.parked: list[Parking] = []
        self.dead: list[Death] = []
        self.staged: list[Staged] = []
        self._order = {binding: place for place, binding in enumerate(consumer.bindings)}
        self._outbox = outbox
        self._tx = tx
        self.now = now
        self._traceparents: dict[str, str] = {}

    def read(self, reader: Reader, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return the arrivals that can go to handlers, opened; note the others."""
        opened: list[Arrival] = []
        for arrival in arrivals:
            if arrival.dead_letter_id is not None:
                self.held[arrival.queue] = arrival.dead_letter_id
            fault = reader.judge(arrival)
            if fault is None and arrival.queue in self.held:
                self._park_behind(arrival, self.held)
                continue
            match fault or reader.open(arrival, self.now):
                case Fault(reason, blocks):
                    self._bury(Death(arrival, reason, blocks), self.held)
                case Unknown(awaits):
                    self._park(Parking(arrival, awaits), self.held)
                case None:
                    opened.append(arrival)
                    self._note_trace(arrival)
        return opened

    async def run(self, arrivals: Sequence[Arrival], *, isolate: bool) -> None:
        """Call the handlers, wave by wave.

        With `isolate` a failing call is undone and repeated by halves, down to the records that
        fail by themselves, which become dead letters; without, the failure rises.
        """
        for wave in waves(arrivals):
            for binding in sorted(wave, key=self._order.__getitem__):
                if isolate:
                    await self._call_isolated(binding, wave[binding])
                else:
                    await self._call_plainly(binding, wave[binding])

    async def _call_plainly(self, binding: Binding, arrivals: Sequence[Arrival]) -> None:
        free = self._free(arrivals)
        if free:
            self._keep(await self._call(binding, free))

    async def _call_isolated(self, binding: Binding, arrivals: Sequence[Arrival]) -> None:
        free = self._free(arrivals)
        if not free:
            return
        try:
            async with self._tx.transaction():  # a savepoint
                step = await self._call(binding, free)
        except Exception as error:
            if is_transient(error) or is_program_fault(error):
                raise
            if len(free) == 1:
                self._bury_poison(free[0], error)
                return
        else:
            self._keep(step)
            return
        middle = len(free) // 2
        await self._call_isolated(binding, free[:middle])
        await self._call_isolated(binding, free[middle:])

    async def _call(self, binding: Binding, arrivals: Sequence[Arrival]) -> _Step:
        parked: list[Parking] = []
        if binding.waits_for is not None:
            waits = await binding.waits_for(_batch(arrivals, self.now), self._tx)
            if waits:
                arrivals, parked = _part(arrivals, waits)
        if not arrivals:
            return _Step(parked, [])
        events = await binding.handler(_batch(arrivals, self.now), self._tx)
        return _Step(parked, self._outbox.stage(events, self._traceparents))

    def _keep(self, step: _Step) -> None:
        self.staged += step.staged
        for parking in step.parked:
            self._park(parking, self._stopped)

    def _free(self, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        if not self._stopped:
            return arrivals
        free: list[Arrival] = []
        for arrival in arrivals:
            if arrival.queue in self._stopped:
                self._park_behind(arrival, self._stopped)
            else:
                free.append(arrival)
        return free

    def _park_behind(self, arrival: Arrival, holds: dict[Queue, Hold]) -> None:
        """Park a record behind what holds its queue; only the first names the dead letter."""
        match holds[arrival.queue]:
            case Death() as death:
                self._park(Parking(arrival, death=death), holds)
            case int() as dead_letter_id:
                self._park(Parking(arrival, dead_letter_id=dead_letter_id), holds)
            case None:
                self._park(Parking(arrival), holds)

    def _park(self, parking: Parking, holds: dict[Queue, Hold]) -> None:
        self.parked.append(parking)
        holds[parking.arrival.queue] = None

    def _bury(self, death: Death, holds: dict[Queue, Hold]) -> None:
        self.dead.append(death)
        arrival = death.arrival
        death.blocks = death.blocks and arrival.raw.key is not None
        if death.blocks:
            holds[arrival.queue] = death

    def _bury_poison(self, arrival: Arrival, error: Exception) -> None:
        reason = str(error) if isinstance(error, Unprocessable) else describe(error)
        self._bury(Death(arrival, reason, blocks=True), self._stopped)

    def _note_trace(self, arrival: Arrival) -> None:
        record = arrival.record
        if record is not None and record.traceparent is not None and arrival.raw.key is not None:
            key = arrival.raw.key.decode(errors="replace")
            self._traceparents[key] = record.traceparent


def _batch(arrivals: Sequence[Arrival], now: datetime) -> Batch[object]:
    return Batch([each.record for each in arrivals if each.record is not None], now)


def _part(
    arrivals: Sequence[Arrival], waits: Mapping[int, str]
) -> tuple[list[Arrival], list[Parking]]:
    """Part the records that wait, and those behind them, from those that go on."""
    going: list[Arrival] = []
    parked: list[Parking] = []
    queues: set[Queue] = set()
    for index, arrival in enumerate(arrivals):
        awaits = waits.get(index)
        if arrival.queue in queues:
            parked.append(Parking(arrival))
        elif awaits is not None:
            parked.append(Parking(arrival, awaits.replace("\x00", "�")))
            queues.add(arrival.queue)
        else:
            going.append(arrival)
    return going, parked
