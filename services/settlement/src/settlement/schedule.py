"""Time in: entries are folded into balances, and journals sealed, off the path of orders."""

from collections.abc import Sequence
from datetime import datetime

from backbone import Schedule, Transaction
from contracts.event import Event
from settlement.store import ledger

FOLD_PERIOD_S = 1.0

schedule = Schedule()


@schedule.every(FOLD_PERIOD_S)
async def fold_journals(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Add what was posted to the balances and bind it into the chain of each book."""
    await ledger.fold(tx, now)
    return []
