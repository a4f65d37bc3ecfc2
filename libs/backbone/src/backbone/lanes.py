"""What operators do with lanes when a log or a database is no longer what it was."""

from backbone.positions import ADOPT, EPOCH_BITS
from backbone.records import Lane
from backbone.transaction import Transaction

LOCK = "SELECT next_offset FROM inbound WHERE topic = $1 AND partition = $2 FOR UPDATE"
SKIP = """
UPDATE inbound SET next_offset = $3, last_seq = $4, dead = dead + $5
WHERE topic = $1 AND partition = $2
"""
WRITE_DOWN = """
INSERT INTO dead_letter (topic, partition, record_offset, headers, reason, blocks, state,
                         recorded_at, settled_at)
VALUES ($1, $2, $3, '[]', $4, false, 'discarded', clock_timestamp(), clock_timestamp())
"""
RAISE_EPOCHS = """
UPDATE outbound SET last_seq = ((last_seq >> $1) + 1) << $1
"""


async def skip_to(tx: Transaction, lane: Lane, offset: int, reason: str) -> int:
    """Let a lane go on at a later offset, whatever sequence comes there; return how many it skips.

    For records that cannot be had: deleted before they were read, or unreadable for the client (a
    wrong checksum, a header's name that is not UTF-8). They count as dead, and a discarded dead
    letter at the old offset says up to where, and why. Processes that paused the lane must be
    started again. ValueError when the offset is not ahead, LookupError for an unread lane.
    """
    next_offset = await tx.fetchval(LOCK, *lane)
    if next_offset is None:
        raise LookupError(f"{lane[0]}/{lane[1]} was never read")
    if offset <= next_offset:
        raise ValueError(f"{lane[0]}/{lane[1]} stands at {next_offset}, not before {offset}")
    skipped: int = offset - next_offset
    await tx.execute(SKIP, *lane, offset, ADOPT, skipped)
    await tx.execute(WRITE_DOWN, *lane, next_offset, f"skipped to {offset}: {reason}")
    return skipped


async def raise_epochs(tx: Transaction) -> None:
    """Start a new epoch on every lane this service writes.

    To be done once after its database was restored from a backup, before it runs again: the
    restored counters would give out sequences that consumers have seen with other events.
    Consumers take the first sequence of a later epoch as the next one.
    """
    await tx.execute(RAISE_EPOCHS, EPOCH_BITS)
