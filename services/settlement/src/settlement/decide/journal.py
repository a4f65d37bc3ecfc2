"""Double entry: amounts of shares become one balanced journal in every book they touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from contracts.ids import derive_id
from contracts.postings import JournalPosted, Layer, PostedEntry
from settlement.model import DEBIT_CODES, Account, Cause, Code, Journal, Kind, Plan, Share, Side

BUYERS = "-"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SIGNS: Mapping[Kind, Sequence[tuple[Layer, int]]] = {
    Kind.SPLIT_PLANNED: [(Layer.PENDING, 1)],
    Kind.SPLIT_EARNED: [(Layer.PENDING, -1), (Layer.SETTLED, 1)],
    Kind.PLANNED_REVERSED: [(Layer.PENDING, -1)],
    Kind.EARNED_REVERSED: [(Layer.SETTLED, -1)],
    Kind.FREIGHT_CHARGED: [(Layer.SETTLED, 1)],
}
"""What each kind of journal does to the layers."""


class Portion(NamedTuple):
    """An amount of a share that is planned, earned or taken back, in minor units."""

    share: Share
    amount_minor: int


class Leg(NamedTuple):
    """An entry before it has a layer; debits are positive."""

    account_id: str
    amount_minor: int
    component: str
    line_id: str | None = None
    counterparty_id: str | None = None


class Source(NamedTuple):
    """What a group of journals is booked for, once."""

    source_type: str
    source_id: str
    kind: Kind

    @property
    def group_id(self) -> str:
        """The id that the journals of all books share."""
        return derive_id("journal-group", self.source_type, self.source_id, self.kind)

    def journal_id(self, book_id: str) -> str:
        """Return the id of the one journal in a book."""
        return derive_id("journal", self.source_type, self.source_id, self.kind, book_id)


@dataclass(frozen=True, slots=True)
class Posting:
    """A group of journals to write: of one cause and kind, one in each book that is touched.

    `reverses` is what the group that is taken back was booked for.
    """

    order_id: str
    currency: str
    kind: Kind
    cause: Cause
    reverses: Source | None = None

    @property
    def source(self) -> Source:
        """What this group is booked for."""
        return Source(self.cause.source_type, self.cause.source_id, self.kind)


class Chart:
    """The accounts that one batch touches, each made once."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def of_party(self, book_id: str, party_id: str | None, code: str, currency: str) -> str:
        """Return the id of a party's account; with no party it is the buyers'."""
        account_id = f"{book_id}/{party_id or BUYERS}/{code}/{currency}"
        if account_id not in self.accounts:
            side = Side.DEBIT if code in DEBIT_CODES else Side.CREDIT
            self.accounts[account_id] = Account(
                account_id, book_id, party_id, None, code, currency, side
            )
        return account_id

    def of_pair(self, book_id: str, other_book_id: str, code: Code, currency: str) -> str:
        """Return the id of the account of what another book owes or is owed."""
        account_id = f"{book_id}/{other_book_id}/{code}/{currency}"
        if account_id not in self.accounts:
            side = Side.DEBIT if code in DEBIT_CODES else Side.CREDIT
            self.accounts[account_id] = Account(
                account_id, book_id, None, other_book_id, code, currency, side
            )
        return account_id


def legs_of_shares(plan: Plan, portions: Sequence[Portion], chart: Chart) -> dict[str, list[Leg]]:
    """Return by book what it means that parties get these portions of the buyer's payment.

    The home book collects the payment and credits the parties it keeps; for the others it owes
    their books, which credit them.
    """
    home, currency = plan.home_book_id, plan.currency
    credited: dict[str, list[Leg]] = {home: []}
    owed_minor: dict[str, int] = {}
    for share, amount_minor in portions:
        account_id = chart.of_party(share.book_id, share.party_id, share.component, currency)
        leg = Leg(account_id, -amount_minor, share.component, share.line_id)
        credited.setdefault(share.book_id, []).append(leg)
        owed_minor[share.book_id] = owed_minor.get(share.book_id, 0) + amount_minor
    collected = Leg(
        chart.of_party(home, plan.clearing_party_id, Code.CHANNEL_CLEARING, currency),
        sum(owed_minor.values()),
        Code.CHANNEL_CLEARING,
    )
    legs = {home: [collected]}
    for book_id in sorted(owed_minor.keys() - {home}):
        due_to, due_from = _pair(home, book_id, owed_minor[book_id], plan.currency, chart)
        legs[home].append(due_to)
        legs[book_id] = [due_from]
    return {book_id: legs[book_id] + credited[book_id] for book_id in legs}


def _pair(
    debtor_id: str, creditor_id: str, amount_minor: int, currency: str, chart: Chart
) -> tuple[Leg, Leg]:
    """Return the same debt as the debtor's book and as the creditor's book sees it."""
    due_to = chart.of_pair(debtor_id, creditor_id, Code.DUE_TO, currency)
    due_from = chart.of_pair(creditor_id, debtor_id, Code.DUE_FROM, currency)
    return (
        Leg(due_to, -amount_minor, Code.DUE_TO, counterparty_id=creditor_id),
        Leg(due_from, amount_minor, Code.DUE_FROM, counterparty_id=debtor_id),
    )


def legs_of_freight(
    plan: Plan, carrier_id: str, amount_minor: int, currency: str, chart: Chart
) -> dict[str, list[Leg]]:
    """Return by book what it means that a carrier charges the bearer of the freight."""
    book_id = plan.freight_book_id
    bearer = chart.of_party(book_id, plan.freight_bearer_id, Code.FREIGHT_EXPENSE, currency)
    carrier = chart.of_party(book_id, carrier_id, Code.CARRIER_PAYABLE, currency)
    return {
        book_id: [
            Leg(bearer, amount_minor, Code.FREIGHT_EXPENSE, counterparty_id=carrier_id),
            Leg(
                carrier,
                -amount_minor,
                Code.CARRIER_PAYABLE,
                counterparty_id=plan.freight_bearer_id,
            ),
        ]
    }


def post(posting: Posting, legs: Mapping[str, Sequence[Leg]], now: datetime) -> list[Journal]:
    """Return the journals of a posting, by book; a book without an amount gets none."""
    journals: list[Journal] = []
    group_id = posting.source.group_id
    for book_id, book_legs in legs.items():
        entries = tuple(
            PostedEntry(
                account_id=leg.account_id,
                amount_minor=sign * leg.amount_minor,
                layer=layer,
                component=leg.component,
                line_id=leg.line_id,
                counterparty_id=leg.counterparty_id,
            )
            for layer, sign in SIGNS[posting.kind]
            for leg in book_legs
            if leg.amount_minor
        )
        if entries:
            journals.append(_journal(posting, group_id, book_id, entries, now))
    return journals


def _journal(
    posting: Posting,
    group_id: str,
    book_id: str,
    entries: tuple[PostedEntry, ...],
    now: datetime,
) -> Journal:
    cause, source = posting.cause, posting.source
    reverses = None if posting.reverses is None else posting.reverses.journal_id(book_id)
    header = (
        source.journal_id(book_id),
        group_id,
        book_id,
        posting.kind.value,
        posting.currency,
        posting.order_id,
        cause.source_type,
        cause.source_id,
        cause.event_id,
        str((cause.effective_at - EPOCH) // MICROSECOND),
        str((now - EPOCH) // MICROSECOND),
        reverses or "",
    )
    posted = JournalPosted(
        occurred_at=now,
        order_id=posting.order_id,
        journal_id=header[0],
        group_id=group_id,
        book_id=book_id,
        kind=header[3],
        currency=posting.currency,
        effective_at=cause.effective_at,
        entries=entries,
        content_hash=content_hash(header, entries),
        reverses=reverses,
    )
    return Journal(posted, cause)


def content_hash(header: Sequence[str], entries: Sequence[PostedEntry]) -> str:
    """Return SHA-256 over every economic column: a line for the journal and one for each entry.

    Fields are joined by tabs, which no id contains, so that SQL can compute the same.
    """
    lines = ["\t".join(header)]
    lines += [
        f"{number}\t{entry.account_id}\t{entry.amount_minor}\t{entry.layer}\t{entry.component}"
        f"\t{entry.line_id or ''}\t{entry.counterparty_id or ''}"
        for number, entry in enumerate(entries, 1)
    ]
    return sha256("\n".join(lines).encode()).hexdigest()
