"""Faults built into copies of the code, each with the proof that must fail on it.

A mutant is an edit of source text, applied to a copy of its package that precedes the installed one
in the proof's process; the repository is not touched. Its text must be there exactly once, so a
mutant does not outlive the code that it was made for.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BACKBONE = "libs/backbone/src/backbone"
BACKBONE_TESTS = "libs/backbone/tests"
CRASH = (
    f"{BACKBONE_TESTS}/test_crash_points.py"
    "::test_a_death_at_any_statement_changes_nothing_in_the_end"
)
PUBLICATION = (
    f"{BACKBONE_TESTS}/test_publication.py"
    "::test_what_committed_is_published_once_in_order_and_nothing_else"
)
TIMEOUT_S = 240
FAILED = re.compile(r"^\d+ failed|, \d+ failed", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces a text in a module of the mutant's package."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault by name, the promise that it breaks, its edits, and the proof named for it."""

    name: str
    promise: str
    package: str
    edits: tuple[Edit, ...]
    proof: str


LATE = Edit(
    "inbox.py",
    "        log_dead(passage.dead)\n        self._database.committed(chunks)\n        arrivals =",
    "        async with self._database.transaction() as tx:\n"
    "            await settle(tx, *self._late)\n"
    "        arrivals =",
)

MUTANTS = (
    Mutant(
        "no cursor row",
        "G3",
        BACKBONE,
        (
            Edit(
                "settling.py",
                "    await _move(tx, [move for move in moves.values() if not move.is_still])\n",
                "",
            ),
        ),
        f"{BACKBONE_TESTS}/test_inbox.py::test_a_batch_is_applied_once_however_often_it_comes",
    ),
    Mutant(
        "cursor in another transaction",
        "G3",
        BACKBONE,
        (
            Edit(
                "inbox.py",
                "        await settle(tx, moves, arrivals, passage)\n",
                "        self._late = (moves, arrivals, passage)\n",
            ),
            LATE,
        ),
        CRASH,
    ),
    Mutant(
        "offset taken from Kafka instead of the cursor",
        "G3",
        BACKBONE,
        (
            Edit(
                "positions.py",
                "        if raw.offset > passed.next_offset and "
                "(sequenced or not passed.arrivals):\n",
                "        if False:\n",
            ),
        ),
        f"{BACKBONE_TESTS}/test_inbox.py::test_a_gap_of_offsets_is_sought",
    ),
    Mutant(
        "offsets before the cursor are applied",
        "G3",
        BACKBONE,
        (
            Edit(
                "positions.py",
                "        if raw.offset < passed.next_offset:\n            continue\n",
                "",
            ),
        ),
        CRASH,
    ),
    Mutant(
        "accept a sequence beyond the last instead of last + 1",
        "G8",
        BACKBONE,
        (Edit("positions.py", "sequence == last_seq + 1", "sequence > last_seq"),),
        f"{BACKBONE_TESTS}/test_positions.py::test_each_event_is_taken_once_and_in_order",
    ),
    Mutant(
        "gap ignored",
        "G8",
        BACKBONE,
        (
            Edit(
                "positions.py",
                "    elif follows(sequence, passed.last_seq):\n",
                "    elif sequence > passed.last_seq:\n",
            ),
        ),
        f"{BACKBONE_TESTS}/test_inbox.py::test_a_hole_is_not_passed",
    ),
    Mutant(
        "relay asks for what was recorded after the last it sent",
        "G4",
        BACKBONE,
        (
            Edit(
                "relay.py",
                "SELECT topic, partition, seq, n, size_bytes FROM outbox ORDER BY",
                "SELECT topic, partition, seq, n, size_bytes, recorded_at FROM outbox\n"
                "WHERE recorded_at > $2 ORDER BY recorded_at,",
            ),
            Edit(
                "relay.py",
                "await connection.fetch(FIND_CHUNKS, ROUND_CHUNKS_MAX, timeout=CONNECT_TIMEOUT_S)\n"
                "        heads = _within_bytes([Head(*row) for row in rows])\n",
                "await connection.fetch(FIND_CHUNKS, ROUND_CHUNKS_MAX, self._last)\n"
                "        self._last = max((row[5] for row in rows), default=self._last)\n"
                "        heads = [Head(*row[:5]) for row in rows]\n",
            ),
            Edit(
                "relay.py",
                "        self._offered_bytes = 0\n\n    def offer",
                "        self._offered_bytes = 0\n"
                "        import datetime\n"
                "        self._last = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)\n\n"
                "    def offer",
            ),
        ),
        PUBLICATION,
    ),
    Mutant(
        "two relays at once",
        "G4",
        BACKBONE,
        (Edit("relay.py", '"SELECT pg_try_advisory_lock($1)"', '"SELECT $1::bigint > 0"'),),
        PUBLICATION,
    ),
    Mutant(
        "send before commit",
        "G4",
        BACKBONE,
        (
            Edit(
                "database.py",
                "            chunks = await self.outbox.append(tx, staged, now)\n"
                "        self.committed(chunks)\n",
                "            chunks = await self.outbox.append(tx, staged, now)\n"
                "            self.committed(chunks)\n",
            ),
            Edit(
                "relay.py",
                "        heads = _within_bytes([Head(*row) for row in rows])\n",
                "        found = {Head(*row).chunk_id: Head(*row) for row in rows}\n"
                "        for at, chunk in self._offered.items():\n"
                "            found[at] = Head(*at, len(chunk.keys), chunk.size_bytes)\n"
                "        heads = [found[at] for at in sorted(found)]\n",
            ),
        ),
        PUBLICATION,
    ),
    Mutant(
        "sequence taken without keeping the counter locked",
        "G4",
        BACKBONE,
        (
            Edit(
                "outbox.py",
                "ON CONFLICT (topic, partition) DO UPDATE SET last_seq = "
                "o.last_seq + excluded.last_seq\n"
                "RETURNING topic, partition, last_seq\n",
                "ON CONFLICT (topic, partition) DO NOTHING\n"
                "RETURNING topic, partition, (SELECT coalesce(max(x.seq + x.n - 1), 0)::bigint\n"
                "    + o.last_seq FROM outbox AS x WHERE (x.topic, x.partition)\n"
                "    = (o.topic, o.partition)) AS last_seq\n",
            ),
        ),
        PUBLICATION,
    ),
    Mutant(
        "dead letter outside the transaction",
        "G9",
        BACKBONE,
        (
            Edit(
                "settling.py",
                "    if passage.dead:\n        await _save_dead_letters(tx, passage.dead, "
                "passage.now)\n",
                "",
            ),
            Edit(
                "inbox.py",
                "        await settle(tx, moves, arrivals, passage)\n",
                "        if passage.dead:\n"
                "            from backbone import settling\n"
                "            async with self._database.transaction() as other:\n"
                "                await settling._save_dead_letters(\n"
                "                    other, passage.dead, passage.now)\n"
                "        await settle(tx, moves, arrivals, passage)\n",
            ),
        ),
        CRASH,
    ),
    Mutant(
        "exception swallowed and acknowledged",
        "G9",
        BACKBONE,
        (Edit("passage.py", "                self._bury_poison(free[0], error)\n", ""),),
        f"{BACKBONE_TESTS}/test_poison.py::test_poison_is_found_among_the_good",
    ),
    Mutant(
        "what is behind a dead letter goes on",
        "G8",
        BACKBONE,
        (
            Edit(
                "passage.py",
                "        if death.blocks:\n            holds[arrival.queue] = death\n",
                "",
            ),
        ),
        f"{BACKBONE_TESTS}/test_poison.py::test_a_broken_record_delays_its_own_key",
    ),
    Mutant(
        "read-modify-write of stock: check outside the lock",
        "G5",
        "services/inventory/src/inventory",
        (Edit("store.py", "FOR NO KEY UPDATE OF stock\n", ""),),
        "services/inventory/tests/test_store.py::test_stock_is_locked_until_the_transaction_ends",
    ),
    Mutant(
        "stock released twice",
        "G5",
        "services/inventory/src/inventory",
        (
            Edit(
                "decide/fulfil.py",
                "    units = min(goods.quantity_units, row.held_units) if row else 0\n",
                "    units = goods.quantity_units if row else 0\n",
            ),
        ),
        "services/inventory/tests/test_decide.py"
        "::test_a_cancellation_gives_back_no_more_than_is_held",
    ),
    Mutant(
        "cancellation before the plan forgotten",
        "G5",
        "services/inventory/src/inventory",
        (
            Edit(
                "consume.py",
                "    await store.raise_fences(tx, decide.highest_attempts(voided))\n",
                "",
            ),
        ),
        "services/inventory/tests/test_consume.py"
        "::test_a_plan_voided_before_it_came_holds_nothing_and_is_not_answered",
    ),
    Mutant(
        "receipt without its id: retry after an unknown commit",
        "G2",
        "services/inventory/src/inventory",
        (
            Edit(
                "api/commands.py",
                "        if earlier := await store.save_command(tx, command, now):\n",
                "        if (earlier := await store.save_command(tx, command, now)) and not now:\n",
            ),
        ),
        "services/inventory/tests/test_api.py"
        "::test_a_repeated_receipt_gets_the_first_answer_and_adds_nothing",
    ),
    Mutant(
        "limit checked outside the lock",
        "G6",
        "services/quota/src/quota",
        (Edit("store/book.py", "ORDER BY a.account_id FOR UPDATE\n", "ORDER BY a.account_id\n"),),
        "services/quota/tests/test_store.py::test_no_overspend_race",
    ),
    Mutant(
        "one fen beyond the limit",
        "G6",
        "services/quota/src/quota",
        (
            Edit(
                "decide/ledger.py",
                "hold.amount_minor <= account.available_minor\n",
                "hold.amount_minor <= account.available_minor + 1\n",
            ),
        ),
        "services/quota/tests/test_decide.py"
        "::test_one_unit_over_the_limit_is_refused_and_holds_nothing",
    ),
    Mutant(
        "hold released twice",
        "G6",
        "services/quota/src/quota",
        (
            Edit(
                "decide/facts.py",
                "        units = min(quantity_units, line.open_units)\n",
                "        units = quantity_units\n",
            ),
        ),
        "services/quota/tests/test_decide.py"
        "::test_nothing_beyond_what_is_there_is_captured_released_or_reversed",
    ),
    Mutant(
        "wait ended although it was granted meanwhile",
        "G6",
        "services/quota/src/quota",
        (
            Edit(
                "decide/orders.py",
                "        if account_id is None or waiting.waits_until is None or "
                "waiting.waits_until > now:\n",
                "        if account_id is None:\n",
            ),
        ),
        "services/quota/tests/test_decide.py::test_a_wait_ends_once_and_the_next_go_on",
    ),
    Mutant(
        "top-up without its id: retry after an unknown commit",
        "G2",
        "services/quota/src/quota",
        (
            Edit(
                "api/changes.py",
                "    fresh = [each for key, each in wanted.items() if key not in known]\n",
                "    fresh = list(wanted.values())\n",
            ),
        ),
        "services/quota/tests/test_api.py::test_a_top_up_counts_once",
    ),
    Mutant(
        "cancellation before its order dropped",
        "G8",
        "services/routing/src/routing",
        (
            Edit(
                "consume.py",
                "    return await _cancel(tx, early, batch.now) if early else ()\n",
                "    return ()\n",
            ),
        ),
        "services/routing/tests/test_consume.py"
        "::test_a_cancellation_that_came_before_its_order_is_applied_to_it",
    ),
    Mutant(
        "versions ordered by arrival instead of their number",
        "G8",
        "services/routing/src/routing",
        (
            Edit(
                "store/reference.py",
                "safety_units = excluded.safety_units, tier = excluded.tier, "
                "is_enabled = excluded.is_enabled\n"
                "WHERE excluded.entry_version > k.entry_version\n",
                "safety_units = excluded.safety_units, tier = excluded.tier, "
                "is_enabled = excluded.is_enabled\n",
            ),
        ),
        "services/routing/tests/test_consume.py"
        "::test_older_versions_of_entries_and_stock_are_passed_over",
    ),
    Mutant(
        "rounding per amount instead of once for all",
        "G7",
        "services/settlement/src/settlement",
        (
            Edit(
                "decide/allocate.py",
                "    parts = [round_half_away(amount * target_minor, total_minor) "
                "for amount in amounts]\n",
                "    return [round_half_away(amount * units, of_units) for amount in amounts]\n"
                "    parts = []\n",
            ),
        ),
        "services/settlement/tests/test_decide_allocate.py"
        "::test_the_sum_of_what_units_take_is_rounded_once",
    ),
)

OUT_OF_REACH: Mapping[str, str] = {
    "scope set with SET, not SET LOCAL": "isolation by organisation (G13) is not built yet",
}
"""Mutants of the plan that have nothing to be built into."""


def is_caught(mutant: Mutant, root: Path, overlay: Path, variables: Mapping[str, str]) -> bool:
    """Run a mutant's proof on a copy with its edits; tell whether the proof failed.

    Raises:
        LookupError: the text to be replaced is not there exactly once.
        RuntimeError: the proof neither passed nor failed; the message is its output.
    """
    package = root / mutant.package
    copy = overlay / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in mutant.edits:
        _apply(edit, copy / edit.module)
    path = os.pathsep.join([str(overlay), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--show-capture=no", "--tb=line", mutant.proof],
        cwd=root,
        env=os.environ | variables | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    if done.returncode == 0:
        return False
    if done.returncode == 1 and FAILED.search(done.stdout):
        return True
    raise RuntimeError(f"{mutant.name}: {mutant.proof}\n{done.stdout[-3000:]}{done.stderr[-1000:]}")


def _apply(edit: Edit, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise LookupError(f"{file.name} has {text.count(edit.old)} times: {edit.old}")
    file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
