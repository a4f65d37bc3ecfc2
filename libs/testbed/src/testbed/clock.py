"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)


class Clock:
    """Gives `now` to commands and handlers; calling it reads the time."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time it stands at."""
        return self.now

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move forward and return the new time."""
        self.now += timedelta(days=days, seconds=seconds)
        return self.now
