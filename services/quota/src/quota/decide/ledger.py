"""A book while it is decided upon: every change goes through here and leaves an entry."""

from bisect import insort
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from contracts.event import Event
from contracts.holds import QuotaGranted
from quota.decide.queue import Place, draw, place_of
from quota.model import Account, Book, Decision, Entry, EntryKind, Hold, HoldLine


class Cause(NamedTuple):
    """What makes an account change: the kind of entry, the id behind it, the order if any."""

    kind: EntryKind
    cause_id: str
    order_id: str | None = None


class Ledger:
    """Accounts, holds and queues of one decision. It is made, changed and read in one function."""

    def __init__(self, book: Book, now: datetime) -> None:
        self.now = now
        self._accounts = dict(book.accounts)
        self._holds = {hold.order_id: hold for queue in book.queues.values() for hold in queue}
        self._holds.update(book.holds)
        self._lines = {
            order_id: {line.line_id: line for line in lines}
            for order_id, lines in book.lines.items()
        }
        self._queues = {key: list(map(place_of, queue)) for key, queue in book.queues.items()}
        self._horizons = {key: self._queues[key][-1] for key in book.deep}
        self._opened: set[str] = set()
        self._opened_lines: list[HoldLine] = []
        self._changed_accounts: set[str] = set()
        self._changed_holds: set[str] = set()
        self._changed_lines: set[tuple[str, str]] = set()
        self._entries: list[Entry] = []
        self._events: list[Event] = []

    def account(self, account_id: str) -> Account:
        """Return an account as it is by now."""
        return self._accounts[account_id]

    def hold(self, order_id: str) -> Hold:
        """Return an order's hold as it is by now."""
        return self._holds[order_id]

    def knows(self, order_id: str) -> bool:
        """Tell whether an order has a hold."""
        return order_id in self._holds

    def line(self, order_id: str, line_id: str) -> HoldLine:
        """Return an order line as it is by now; LookupError for a line that the order has not."""
        line = self._lines.get(order_id, {}).get(line_id)
        if line is None:
            raise LookupError(f"order {order_id} has no line {line_id}")
        return line

    def has_open_units(self, order_id: str) -> bool:
        """Tell whether any unit of an order is neither shipped nor given back."""
        return any(line.open_units for line in self._lines.get(order_id, {}).values())

    def goes_at_once(self, hold: Hold) -> bool:
        """Tell whether a new order fits and nobody waits; what costs nothing always goes."""
        account_id = hold.account_id
        if account_id is None or not hold.amount_minor:
            return True
        account = self._accounts[account_id]
        is_free = not self._queues.get(account_id) and account_id not in self._horizons
        return is_free and not account.is_blocked and hold.amount_minor <= account.available_minor

    def open(self, hold: Hold, lines: Sequence[HoldLine]) -> None:
        """Take up an order that was not there before."""
        self._opened.add(hold.order_id)
        self._holds[hold.order_id] = hold
        self._opened_lines.extend(lines)

    def change(self, hold: Hold) -> None:
        """Replace a hold."""
        self._holds[hold.order_id] = hold
        self._changed_holds.add(hold.order_id)

    def change_line(self, line: HoldLine) -> None:
        """Replace a line of an order that was there before."""
        self._lines[line.order_id][line.line_id] = line
        self._changed_lines.add((line.order_id, line.line_id))

    def say(self, event: Event) -> None:
        """Publish a fact with the decision."""
        self._events.append(event)

    def replace_account(self, account: Account) -> None:
        """Change what is no money: limit, policy, block."""
        self._accounts[account.account_id] = account
        self._changed_accounts.add(account.account_id)

    def post(
        self, account_id: str, cause: Cause, *, settled_minor: int = 0, held_minor: int = 0
    ) -> None:
        """Change an account by signed amounts and write the entry."""
        before = self._accounts[account_id]
        after = replace(
            before,
            settled_minor=before.settled_minor + settled_minor,
            held_minor=before.held_minor + held_minor,
            entry_sequence=before.entry_sequence + 1,
        )
        self.replace_account(after)
        self._entries.append(
            Entry(
                account_id=account_id,
                entry_sequence=after.entry_sequence,
                kind=cause.kind,
                settled_change_minor=settled_minor,
                held_change_minor=held_minor,
                settled_minor=after.settled_minor,
                held_minor=after.held_minor,
                limit_minor=after.limit_minor,
                cause_id=cause.cause_id,
                order_id=cause.order_id,
                recorded_at=self.now,
            )
        )

    def enqueue(self, hold: Hold) -> None:
        """Let an order wait at its place; behind the loaded front it is not looked at."""
        account_id = hold.account_id or ""
        place = place_of(hold)
        horizon = self._horizons.get(account_id)
        if horizon is None or place < horizon:
            insort(self._queues.setdefault(account_id, []), place)

    def leave(self, hold: Hold) -> None:
        """Take an order out of its queue."""
        queue = self._queues.get(hold.account_id or "", [])
        place = place_of(hold)
        if place in queue:
            queue.remove(place)

    def drain(self, account_id: str) -> None:
        """Grant what the account has room for, in fair order."""
        queue = self._queues.get(account_id)
        if not queue:
            return
        drawn = draw(self._accounts[account_id], map(self._at, queue))
        for hold, skips in drawn.skips:
            self.change(replace(hold, skips=hold.skips + skips))
        for hold in drawn.granted:
            queue.remove(place_of(hold))
            self.grant(hold)

    def grant(self, hold: Hold) -> None:
        """Hold what the order still wants and let it go on; the caller made sure that it fits."""
        account_id = hold.account_id
        account = None if account_id is None else self._accounts[account_id]
        taken_minor = 0 if account is None else hold.open_minor
        self.change(
            replace(
                hold,
                granted_at=self.now,
                granted_minor=taken_minor,
                limit_minor=None if account is None else account.limit_minor,
                available_minor=None if account is None else account.available_minor,
                waits_until=None,
            )
        )
        if account is not None and taken_minor:
            cause = Cause(EntryKind.HOLD, hold.order_id, hold.order_id)
            self.post(account.account_id, cause, held_minor=taken_minor)
        self.say(
            QuotaGranted(
                occurred_at=self.now,
                order_id=hold.order_id,
                hold_id=hold.hold_id,
                account_id=account_id,
                amount_minor=taken_minor,
                currency=hold.currency,
            )
        )

    def decision(self) -> Decision:
        """Return what changed; an order that was opened here is not among the changed ones."""
        return Decision(
            accounts=[self._accounts[key] for key in sorted(self._changed_accounts)],
            opened=[self._holds[order_id] for order_id in sorted(self._opened)],
            opened_lines=self._opened_lines,
            changed=[
                self._holds[order_id] for order_id in sorted(self._changed_holds - self._opened)
            ],
            changed_lines=[self._lines[key][line] for key, line in sorted(self._changed_lines)],
            entries=self._entries,
            events=self._events,
        )

    def _at(self, place: Place) -> Hold:
        return self._holds[place[-1]]
