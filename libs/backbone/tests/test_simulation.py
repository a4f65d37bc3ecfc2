"""The accept rule on a simulated lane that loses, repeats, reorders and crashes, seed by seed.

A producer commits events; relays, of which one may be a zombie that acts on an old view of the
outbox, write them to a log; batches are lost, or arrive although their relay never hears of it;
readers, zombies among them, are handed any stretch of the log in any order, and die before or after
their transaction. At the end all faults stop. Then every event must have had its effect once, in
sequence, whatever came before. The rule itself is the backbone's; everything around it is a model.
"""

import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from backbone import positions
from backbone.positions import Cursor, Followed, follow
from backbone.records import KafkaRecord, StoredRecord

LANE = ("simulated", 0)
SEEDS = 2_000
STEPS = 60
SEEDS_OF_MUTANTS = 300


@dataclass
class Simulation:
    """One lane from its producer's outbox to its reader's tables."""

    chance: random.Random
    committed: int = 0
    acknowledged: int = 0
    old_view: tuple[int, int] = (1, 0)
    log: list[KafkaRecord] = field(default_factory=list[KafkaRecord])
    cursor: Cursor = field(default_factory=lambda: Cursor(LANE, 0, 0, 0, 0))
    effects: list[int] = field(default_factory=list[int])

    def run(self) -> list[int]:
        """Do random steps, then let all that is left arrive; return the effects in their order."""
        for _ in range(STEPS):
            self.chance.choice((self.commit, self.relay, self.haunt, self.read, self.read))()
        self.write(self.acknowledged + 1, self.committed)
        while self.cursor.next_offset < len(self.log):
            before = self.cursor
            self.take(before.next_offset, len(self.log), dies_before_commit=False)
            if self.cursor == before:
                break
        return self.effects

    def commit(self) -> None:
        """Commit a transaction with a few events."""
        self.committed += self.chance.randint(1, 4)

    def relay(self) -> None:
        """Send what the outbox holds in batches, which meet their fates one by one.

        Several are under way at once, so one may be lost and the next arrive. What follows a loss
        is not acknowledged.
        """
        start, all_arrived = self.acknowledged + 1, True
        self.old_view = (start, self.committed)
        while start <= self.committed:
            end = min(self.committed, start + self.chance.randint(0, 5))
            fate = self.chance.choices(("arrives", "unheard", "lost"), (6, 1, 1))[0]
            if fate != "lost":
                self.write(start, end)
            all_arrived = all_arrived and fate == "arrives"
            if all_arrived:
                self.acknowledged = end
            start = end + 1

    def haunt(self) -> None:
        """Let a relay that was frozen send some of what it had in hand."""
        start, end = self.old_view
        if start <= end:
            start = self.chance.randint(start, end)
            self.write(start, self.chance.randint(start, end))

    def write(self, start: int, end: int) -> None:
        """Append events to the log."""
        for sequence in range(start, end + 1):
            headers: list[tuple[str, bytes | None]] = [("ce_sequence", b"%d" % sequence)]
            self.log.append(StoredRecord(*LANE, len(self.log), b"k", b"", headers))

    def read(self) -> None:
        """Hand a reader some stretch of the log: the next one, an old one, or one too far on."""
        if not self.log:
            return
        start = self.chance.choice(
            (self.cursor.next_offset, self.chance.randrange(len(self.log) + 1))
        )
        end = start + self.chance.randint(1, 8)
        self.take(start, end, dies_before_commit=self.chance.random() < 0.2)

    def take(self, start: int, end: int, *, dies_before_commit: bool) -> None:
        """Apply a stretch in one transaction: effects and cursor, or neither."""
        stretch = self.log[start:end]
        if not stretch:
            return
        passed: Followed = follow(self.cursor, stretch, sequenced=True)
        if dies_before_commit:
            return
        self.effects += [arrival.sequence or 0 for arrival in passed.arrivals]
        self.cursor = Cursor(LANE, passed.next_offset, passed.last_seq, 0, 0)


def is_exact(seed: int) -> bool:
    """Tell whether every event has its effect once and in sequence."""
    simulation = Simulation(random.Random(seed))  # noqa: S311 it is to be repeatable
    return simulation.run() == [*range(1, simulation.committed + 1)]


def test_each_event_has_its_effect_once_and_in_sequence_for_every_seed() -> None:
    wrong = [seed for seed in range(SEEDS) if not is_exact(seed)]
    assert wrong == [], f"seeds {wrong[:10]}"


def beyond(sequence: int, last_seq: int) -> bool:
    """Accept whatever is later: a hole is passed."""
    return sequence > last_seq


def anything(sequence: int, last_seq: int) -> bool:
    """Accept everything that is not the same again."""
    return sequence != last_seq


@contextmanager
def rule(name: str) -> Generator[None]:
    """Put a wrong rule in the place of the right one."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(positions, "follows", {"beyond": beyond, "anything": anything}[name])
        yield


@pytest.mark.parametrize("name", ["beyond", "anything"])
def test_the_simulation_finds_wrong_rules(name: str) -> None:
    with rule(name):
        assert not all(map(is_exact, range(SEEDS_OF_MUTANTS)))
