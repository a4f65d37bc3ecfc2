"""The one way in for definitions: lock, load what they refer to, judge, add versions."""

from collections.abc import Sequence
from datetime import datetime

from backbone import Transaction
from directory import decide, store
from directory.model import Decision, Draft


async def define(tx: Transaction, drafts: Sequence[Draft], now: datetime) -> Decision:
    """Add the versions that drafts ask for, all or none; the faults are in the decision."""
    await store.lock_entries(tx)
    keys = {draft.key for draft in drafts}
    for draft in drafts:
        keys.update(decide.references(draft.definition))
    current = await store.load_current(tx, keys)
    decision = decide.define(drafts, current, now)
    await store.save_entries(tx, decision.entries)
    return decision
