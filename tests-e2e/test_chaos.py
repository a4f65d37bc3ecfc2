"""Nothing is lost, doubled or oversold while processes are killed and frozen, several at once."""

import os
import signal
import sys
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prove import report
from prove.rounds import Dose, Proof, Round
from yipan import supervisor
from yipan.home import Home

REPLICAS = 2
SHORT = Dose(orders=60, faults=10, every_s=2.0)
LONG = Dose(orders=150, faults=60, every_s=3.0)
FAULTS_SHORT = 20
FAULTS_LONG = 1_000
MINUTES_LONG = 60.0
SEED_DEFAULT = 1


@pytest.fixture
def doubled(tmp_path: Path) -> Generator[Home]:
    """A home of its own with two processes of each service."""
    place = Home(tmp_path / "home")
    process = supervisor.launch(place, replicas=REPLICAS, death_signal=signal.SIGTERM)
    try:
        supervisor.wait_ready(place, process)
        yield place
    finally:
        process.stop(signal.SIGTERM, 60)


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_every_promise_holds_under_random_faults(doubled: Home, folder: Path) -> None:
    """Rounds of faults until there were enough of them, or the time is over.

    LONG=1 is the long form, FAULTS and MINUTES bound it, SEED is the seed of the first round.
    """
    is_long = os.environ.get("LONG", "") not in {"", "0"}
    dose = LONG if is_long else SHORT
    wanted = int(os.environ.get("FAULTS") or (FAULTS_LONG if is_long else FAULTS_SHORT))
    end_s = time.monotonic() + 60 * float(os.environ.get("MINUTES") or MINUTES_LONG)
    seed = int(os.environ.get("SEED") or SEED_DEFAULT)
    began_at = datetime.now(UTC)
    proof, rounds = Proof(doubled), list[Round]()
    while sum(len(one.injected) for one in rounds) < wanted and time.monotonic() < end_s:
        rounds.append(proof.play(seed + len(rounds), dose))
        _say(rounds[-1])
        if rounds[-1].wrong:
            break  # the state at the first violation is worth more than more of them
    chaos = report.summarize(rounds, began_at, datetime.now(UTC))
    if is_long:
        report.write(folder / "docs", long=chaos)
    else:
        report.write(folder / "docs", short=chaos)
    assert chaos.violations == []
    assert chaos.overlapping >= 2


def _say(one: Round) -> None:
    sys.stderr.write(
        f"\nseed {one.seed}: {len(one.injected)} faults, {one.overlapping} at once, "
        f"recovered in {one.recovered_s} s, {one.acked} orders, {one.compared} comparisons, "
        f"{one.played_s:.0f} s, {len(one.wrong)} violations\n"
    )
