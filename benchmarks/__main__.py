"""Measures the whole chain: `python -m benchmarks [--runs N] [--rates 100 300] [--write FILE]`.

From orders handed to ingest's HTTP API to parcels released to their nodes and splits planned and
posted; the nodes do nothing. Each run begins with empty databases, offers orders at each rate in
turn and then all at once, and counts only when the reconciler finds no difference after each.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load, report
from benchmarks.installation import install
from benchmarks.report import Measured

ORDERS_DEFAULT = 5_000
RUNS_DEFAULT = 3
RATES_DEFAULT = (100, 300, 1_000)
SECONDS_DEFAULT = 10


def measure(orders: int, rates: Sequence[int], seconds: int) -> Measured:
    """Start everything anew, and measure each load one after the other, then rest."""
    with install() as installation:
        loads = [load.run(installation, rate * seconds, rate) for rate in rates]
        loads.append(load.run(installation, orders, None))
        return Measured(loads, load.rest(installation))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS_DEFAULT, help="all at once")
    parser.add_argument("--runs", type=int, default=RUNS_DEFAULT)
    parser.add_argument("--rates", type=int, nargs="*", default=RATES_DEFAULT, help="orders/s")
    parser.add_argument("--seconds", type=int, default=SECONDS_DEFAULT, help="of each rate")
    parser.add_argument("--write", type=Path, help="write the report there as well")
    options = parser.parse_args()
    runs: list[Measured] = []
    machine_loads: list[float] = []
    for number in range(options.runs):
        machine_loads.append(os.getloadavg()[0])
        measured = measure(options.orders, options.rates, options.seconds)
        rates = ", ".join(f"{each.orders_per_s:.0f}" for each in measured.loads)
        print(f"run {number + 1}: {rates} orders/s", file=sys.stderr)
        runs.append(measured)
    command = " ".join(("python -m benchmarks", *sys.argv[1:]))
    text = report.write(runs, command, machine_loads)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
