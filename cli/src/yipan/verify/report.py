"""What a check found."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

EXAMPLES_MAX = 20
"""How many differences of one check are kept with their details; all are counted."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which two accounts of the truth disagree."""

    subject: str
    expected: Any
    found: Any


@dataclass(slots=True)
class Check:
    """A comparison by name: how many things were compared, and those that differ.

    `waiting` counts what is not wrong but not finished: it belongs to orders still on their way.
    """

    name: str
    compared: int = 0
    differences: int = 0
    waiting: int = 0
    examples: list[Difference] = field(default_factory=list[Difference])

    def expect(self, subject: object, expected: object, found: object) -> None:
        """Compare two values of one thing."""
        self.compared += 1
        if expected != found:
            self.differences += 1
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append(Difference(str(subject), expected, found))

    def expect_same(self, expected: Mapping[K, object], found: Mapping[K, object]) -> None:
        """Compare two accounts of the same things; a thing in one alone is None in the other."""
        for subject in expected.keys() | found.keys():
            self.expect(subject, expected.get(subject), found.get(subject))

    def expect_none(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Every row is a violation: its first column names the thing, the others what was found."""
        for subject, *found in rows:
            self.expect(subject, None, found)


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one run."""

    checks: tuple[Check, ...]

    @property
    def differences(self) -> int:
        """How many things differ in all."""
        return sum(check.differences for check in self.checks)

    @property
    def compared(self) -> int:
        """How many things were compared in all."""
        return sum(check.compared for check in self.checks)
