"""Writes docs/reliability.md from what the proofs found."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

import msgspec

from prove.faults import Injected
from prove.mutants import MUTANTS, OUT_OF_REACH
from prove.rounds import Round

HEAD = """\
# Reliability: what was proved

Written by `make prove` from its own results; do not edit. [guarantees.md](guarantees.md) says what
is promised. `make prove` takes minutes, `make prove LONG=1` as long as its faults need
(`FAULTS=1000`, `MINUTES=60`). Every seed that is printed plays the same story with the same faults
again: `make prove SEED=…`.
"""
CHAOS = """\
## Chaos on the real stack

Two processes of each of the six services, one Kafka, one PostgreSQL. While orders come in and
dealers' limits move, processes are killed (SIGKILL) and frozen (SIGSTOP for longer than the
consumers' session, then SIGCONT), several at once. Then independent checkers compare: acknowledged
orders with stored ones (G1, G2), Kafka's logs with committed sequences and with what each reader
counted (G3, G4, G8, G9), bounds of stock, limits and books in snapshots taken all the while (G5,
G6, G7), the time until all that was committed is applied (G10), and all books with each other by
`yipan verify` (G12).
"""
FOUND = """\
## What the proofs found

All mended since.

- Long chaos run: a process that had ended was on record with id 0, so a kill at that moment hit the
  killer's own process group; `yipan demo --kill-every` could end itself.
- Long chaos run: an order that was cancelled while it waited for stock waited for ever and was
  looked at every second, so the story never came to rest.
- Chaos rounds: a second story on one installation was refused, as its limits and top-ups had the
  ids of the first.
- A mutant that survived: no test let an older directory entry come in a later batch than the newer.
- A mutant that survived: a record before the cursor on a stranger's topic was in no proof.
"""
LIMITS = """\
## What these runs cannot express

- All processes share one machine: no link between them is cut or half open, clocks agree, the page
  cache outlives every kill. Power loss is not simulated (`fsync` is on, the disk is never cut off).
- One broker: replication, elections and unclean leaders are not exercised.
- The faults follow from the seed; how threads and processes interleave with them does not. A seed
  repeats the attack, and usually but not always the outcome.
- The supervisor is not attacked; it stands for systemd or Kubernetes.
- No overload (G11), no isolation (G13) or erasure (G15): they have no place in this run.
"""


class Caught(msgspec.Struct, frozen=True):
    """A mutant, the proof named for it, and whether that proof failed on it."""

    mutant: str
    promise: str
    proof: str
    caught: bool


class Chaos(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one chaos run."""

    ended_at: datetime
    seeds: list[int]
    minutes: float
    faults: dict[str, dict[str, int]]
    overlapping: int
    acked: int
    records: int
    repeated: int
    snapshots: int
    compared: int
    recovered_s: list[float]
    answered_s: list[float]
    violations: list[str]


class Results(msgspec.Struct):
    """What is known so far: the latest run of each kind."""

    long: Chaos | None = None
    short: Chaos | None = None
    mutants: list[Caught] = msgspec.field(default_factory=list[Caught])


def summarize(rounds: Sequence[Round], began_at: datetime, ended_at: datetime) -> Chaos:
    """Return the figures of rounds on one installation."""
    injected = [each for one in rounds for each in one.injected]
    return Chaos(
        ended_at=ended_at,
        seeds=[one.seed for one in rounds],
        minutes=(ended_at - began_at).total_seconds() / 60,
        faults=by_target(injected),
        overlapping=max((one.overlapping for one in rounds), default=0),
        acked=sum(one.acked for one in rounds),
        records=rounds[-1].records,
        repeated=rounds[-1].repeated,
        snapshots=sum(one.snapshots for one in rounds),
        compared=sum(one.compared for one in rounds),
        recovered_s=[one.recovered_s for one in rounds if one.recovered_s is not None],
        answered_s=[each.lasted_s for each in injected if each.lasted_s is not None],
        violations=[f"seed {one.seed}: {wrong}" for one in rounds for wrong in one.wrong],
    )


def by_target(injected: Sequence[Injected]) -> dict[str, dict[str, int]]:
    """Count faults by target, replicas together, and by kind."""
    counts: dict[str, Counter[str]] = {}
    for each in injected:
        target = each.fault.target.partition("-")[0]
        counts.setdefault(target, Counter())[each.fault.kind] += 1
    return {target: dict(counts[target]) for target in sorted(counts)}


def write(
    folder: Path,
    *,
    long: Chaos | None = None,
    short: Chaos | None = None,
    mutants: Sequence[Caught] = (),
) -> None:
    """Write the page anew with these results in place of the former ones of their kind.

    Mutants that were not tried this time keep what is known of them. The figures behind the page
    are kept beside it as JSON.
    """
    figures = folder / "reliability.json"
    results = Results()
    if figures.exists():
        results = msgspec.json.decode(figures.read_bytes(), type=Results)
    results.long = long or results.long
    results.short = short or results.short
    known = {each.mutant: each for each in [*results.mutants, *mutants]}
    results.mutants = [known[mutant.name] for mutant in MUTANTS if mutant.name in known]
    figures.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    parts = [HEAD, CHAOS]
    if results.long:
        parts.append(_chaos("The latest long run", results.long))
    if results.short:
        parts.append(_chaos("The latest short run", results.short))
    if results.mutants:
        parts.append(_mutants(results.mutants))
    text = "\n".join([*parts, FOUND, LIMITS])
    (folder / "reliability.md").write_text(text, encoding="utf-8")


def _chaos(title: str, run: Chaos) -> str:
    total = sum(count for kinds in run.faults.values() for count in kinds.values())
    kinds = sorted({kind for counts in run.faults.values() for kind in counts})
    rows = [
        f"| {target} | " + " | ".join(str(counts.get(kind, 0)) for kind in kinds) + " |"
        for target, counts in run.faults.items()
    ]
    return f"""\
### {title}

| | |
|---|---|
| ended | {run.ended_at:%Y-%m-%d %H:%M} UTC, after {run.minutes:.0f} minutes |
| seeds | {_span(run.seeds)} |
| faults | **{total}**, at most {run.overlapping} under way at once |
| orders acknowledged | {run.acked:,} |
| records read in Kafka's logs | {run.records:,}, of them {run.repeated:,} repeated by relays |
| snapshots of bounds while it ran | {run.snapshots:,} |
| comparisons of `yipan verify` at rest | {run.compared:,} |
| a process hit answers again | {_spread(run.answered_s)} |
| all that was committed is applied, after a round's last fault | {_spread(run.recovered_s)} |
| **violations** | **{len(run.violations)}** |

| faults on | {" | ".join(kinds)} |
|---|{"---|" * len(kinds)}
{chr(10).join(rows)}
{_violations(run.violations)}"""


def _mutants(mutants: Sequence[Caught]) -> str:
    rows = [
        f"| {each.mutant} | {each.promise} | `{each.proof}` | "
        f"{'caught' if each.caught else '**survived**'} |"
        for each in mutants
    ]
    caught = sum(each.caught for each in mutants)
    missing = "\n".join(f"- Not tried: {name} ({reason})." for name, reason in OUT_OF_REACH.items())
    return f"""\
## Mutants

A proof counts only if it can fail: each fault below is built into a copy of the code, and the named
test must fail on it. {caught} of {len(mutants)} are caught.

| mutant | promise | proof | |
|---|---|---|---|
{chr(10).join(rows)}

{missing}
"""


def _violations(violations: Sequence[str]) -> str:
    return "\n".join(["", *(f"- {each}" for each in violations[:50]), ""]) if violations else ""


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "never"
    return f"median {median(seconds):.1f} s, at most {max(seconds):.1f} s ({len(seconds)} times)"
