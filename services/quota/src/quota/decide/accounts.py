"""What people change on an account: top-ups, limits, blocks, policy."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from quota.decide.ledger import Cause, Ledger
from quota.model import Account, Book, Decision, EntryKind, Limit, TopUp


def top_up(book: Book, top_ups: Sequence[TopUp], now: datetime) -> Decision:
    """Book money paid in advance; waiting orders go on in fair order."""
    ledger = Ledger(book, now)
    for paid in top_ups:
        cause = Cause(EntryKind.TOP_UP, paid.top_up_id)
        ledger.post(paid.account_id, cause, settled_minor=paid.amount_minor)
        ledger.drain(paid.account_id)
    return ledger.decision()


def limit(book: Book, limits: Sequence[Limit], now: datetime) -> tuple[Decision, Sequence[Limit]]:
    """Set limits, each numbered by its entry.

    A limit below use blocks new holds and changes no hold that was made. One that is in force now
    counts at once, because it is the last recorded; a later one when its time comes.
    """
    ledger = Ledger(book, now)
    numbered: list[Limit] = []
    for each in limits:
        account = ledger.account(each.account_id)
        if _in_force(each, now):
            ledger.replace_account(replace(account, limit_minor=each.amount_minor))
        ledger.post(each.account_id, Cause(EntryKind.LIMIT, each.limit_id))
        sequence = ledger.account(each.account_id).entry_sequence
        numbered.append(replace(each, entry_sequence=sequence))
        ledger.drain(each.account_id)
    return ledger.decision(), numbered


def block(book: Book, account_id: str, now: datetime, *, is_blocked: bool, reason: str) -> Decision:
    """Block an account for new holds or open it again; doing so twice changes nothing."""
    ledger = Ledger(book, now)
    account = ledger.account(account_id)
    if account.is_blocked != is_blocked:
        ledger.replace_account(replace(account, is_blocked=is_blocked))
        kind = EntryKind.BLOCK if is_blocked else EntryKind.UNBLOCK
        ledger.post(account_id, Cause(kind, reason))
        ledger.drain(account_id)
    return ledger.decision()


def policies(book: Book, wanted: Mapping[str, Account], now: datetime) -> Decision:
    """Give accounts the skips and waits that are wanted; money stays as it is."""
    ledger = Ledger(book, now)
    for account_id in sorted(wanted):
        account = ledger.account(account_id)
        target = wanted[account_id]
        ledger.replace_account(
            replace(account, skips_max=target.skips_max, wait_hours=target.wait_hours)
        )
        ledger.drain(account_id)
    return ledger.decision()


def _in_force(limit: Limit, now: datetime) -> bool:
    return limit.valid_from <= now and (limit.valid_to is None or now < limit.valid_to)
