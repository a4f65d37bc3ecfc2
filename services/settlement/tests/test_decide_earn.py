"""From an accepted order to its last return: every journal balances, every party ends exact."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settlement_builders import (
    NOW,
    cancelled,
    delivered,
    line,
    order,
    returned,
    shipped,
    terms,
    units,
    unroutable,
)

from contracts.entries import EarnedOn
from contracts.orders import OrderAccepted, OrderLine, Scenario
from contracts.postings import JournalPosted, Layer, SplitPlanned, SplitReversed
from contracts.values import LineUnits
from settlement.decide.earn import Fact, FactEvent, OverdrawnError, book_facts
from settlement.decide.plan import agree, plan_orders
from settlement.decide.split import PlanRefusedError
from settlement.model import Booked, Journal, Kind, NewPlan, OrderState, Planned, Terms


@dataclass
class Books:
    """An order's state as the tables would keep it, and every account's balance by layer."""

    state: OrderState
    planned: Planned
    journals: list[Journal] = field(default_factory=list[Journal])
    booked: list[Booked] = field(default_factory=list[Booked])

    def balances(self, layer: Layer) -> dict[str, int]:
        """Return every account's sum that is not 0, debits positive."""
        sums: dict[str, int] = defaultdict(int)
        for journal in self.journals:
            for entry in journal.posted.entries:
                if entry.layer is layer:
                    sums[entry.account_id] += entry.amount_minor
        return {account_id: amount for account_id, amount in sums.items() if amount}

    def apply(self, *facts: FactEvent) -> Booked:
        """Book facts in one batch and keep what they changed."""
        numbered = [Fact(f"e{len(self.booked)}.{index}", each) for index, each in enumerate(facts)]
        booked = book_facts(numbered, {self.state.plan.order_id: self.state}, NOW)
        self.state = OrderState(
            plan=self.state.plan,
            lines={**self.state.lines, **{each.line_id: each for each in booked.lines}},
            shares=self.state.shares,
            parcel_lines={
                **self.state.parcel_lines,
                **{(each.parcel_id, each.line_id): each for each in booked.parcel_lines},
            },
        )
        self.journals += booked.journals
        self.booked.append(booked)
        return booked


def state_of(new: NewPlan) -> OrderState:
    return OrderState(
        plan=new.plan,
        lines={each.line_id: each for each in new.lines},
        shares={
            line_id: list(shares)
            for line_id, shares in groupby(new.shares, key=lambda share: share.line_id)
        },
        parcel_lines={},
    )


def accept(accepted: OrderAccepted, agreed: Terms) -> Books:
    planned = plan_orders([("e-accepted", accepted)], {("A1", 1): agreed}, NOW)
    return Books(state_of(planned.plans[0]), planned, list(planned.journals))


def all_units(state: OrderState) -> tuple[LineUnits, ...]:
    return units(**{f"l{each.line_id}": each.ordered_units for each in state.lines.values()})


# The worked example of the money design: 2 x retail 100.00, supply 70.00, platform 5 %.

PENDING_SPLIT = {
    "dealer-7-ltd/tmall/channel_clearing/CNY": 20_000,
    "dealer-7-ltd/tmall/platform_fee/CNY": -1_000,
    "dealer-7-ltd/tea-cn/due_to/CNY": -14_000,
    "dealer-7-ltd/dealer-7/dealer_margin/CNY": -5_000,
    "tea-cn/dealer-7-ltd/due_from/CNY": 14_000,
    "tea-cn/tea-brand/supply_revenue/CNY": -14_000,
}
FREIGHT = {
    "tea-cn/tea-brand/freight_expense/CNY": 800,
    "tea-cn/sf/carrier_payable/CNY": -800,
}


def test_an_accepted_order_is_divided_among_its_parties_as_pending() -> None:
    books = accept(order(), terms())
    assert books.balances(Layer.PENDING) == PENDING_SPLIT
    assert books.balances(Layer.SETTLED) == {}
    split, *posted = books.planned.events
    assert isinstance(split, SplitPlanned)
    assert [(each.party_id, each.amount_minor) for each in split.shares] == [
        ("tmall", 1_000),
        ("tea-brand", 14_000),
        ("dealer-7", 5_000),
    ]
    assert split.total_minor == 20_000
    assert {each.book_id for each in posted if isinstance(each, JournalPosted)} == {
        "tea-cn",
        "dealer-7-ltd",
    }


def test_money_is_earned_when_the_parcel_is_delivered_and_freight_when_it_ships() -> None:
    books = accept(order(), terms())
    books.apply(shipped(*units(l1=2)))
    assert books.balances(Layer.PENDING) == PENDING_SPLIT
    assert books.balances(Layer.SETTLED) == FREIGHT
    books.apply(delivered(*units(l1=2)))
    assert books.balances(Layer.PENDING) == {}
    assert books.balances(Layer.SETTLED) == {**PENDING_SPLIT, **FREIGHT}


def test_money_is_earned_at_once_where_the_agreement_says_shipped() -> None:
    books = accept(order(), terms(earned_on=EarnedOn.SHIPPED))
    books.apply(shipped(*units(l1=1)), delivered(*units(l1=1)))
    settled = books.balances(Layer.SETTLED)
    assert settled["dealer-7-ltd/dealer-7/dealer_margin/CNY"] == -2_500
    assert books.balances(Layer.PENDING)["tea-cn/tea-brand/supply_revenue/CNY"] == -7_000


def test_freight_that_the_buyer_paid_goes_to_its_payee() -> None:
    sold = order(line(freight_minor=1_200))
    to_dealer = accept(sold, terms()).balances(Layer.PENDING)
    assert to_dealer["dealer-7-ltd/dealer-7/freight_revenue/CNY"] == -1_200
    assert to_dealer["dealer-7-ltd/tmall/channel_clearing/CNY"] == 21_200
    to_brand = accept(sold, terms(freight_payee_id="tea-brand")).balances(Layer.PENDING)
    assert to_brand["tea-cn/tea-brand/freight_revenue/CNY"] == -1_200
    assert to_brand["tea-cn/dealer-7-ltd/due_from/CNY"] == 15_200
    assert to_brand["dealer-7-ltd/dealer-7/dealer_margin/CNY"] == -5_000


def test_a_loss_is_a_debit_on_the_dealers_margin_account() -> None:
    books = accept(order(line(units=1, price_minor=6_000)), terms())
    assert books.balances(Layer.PENDING) == {
        "dealer-7-ltd/tmall/channel_clearing/CNY": 6_000,
        "dealer-7-ltd/tmall/platform_fee/CNY": -300,
        "dealer-7-ltd/tea-cn/due_to/CNY": -7_000,
        "dealer-7-ltd/dealer-7/dealer_margin/CNY": 1_300,
        "tea-cn/dealer-7-ltd/due_from/CNY": 7_000,
        "tea-cn/tea-brand/supply_revenue/CNY": -7_000,
    }


def test_parties_of_one_legal_entity_share_a_book_and_owe_each_other_nothing() -> None:
    agreed = terms(books={"tea-brand": "tea-cn", "dealer-7": "tea-cn"})
    pending = accept(order(), agreed).balances(Layer.PENDING)
    assert not [account_id for account_id in pending if "due_" in account_id]
    assert pending["tea-cn/dealer-7/dealer_margin/CNY"] == -5_000


def test_a_brand_that_sells_itself_keeps_what_the_platform_leaves() -> None:
    agreed = terms(
        scenario=Scenario.BRAND_DIRECT, seller_id="tea-brand", freight_payee_id="tea-brand"
    )
    sold = order(seller_id="tea-brand", scenario=Scenario.BRAND_DIRECT)
    assert accept(sold, agreed).balances(Layer.PENDING) == {
        "tea-cn/tmall/channel_clearing/CNY": 20_000,
        "tea-cn/tmall/platform_fee/CNY": -1_000,
        "tea-cn/tea-brand/sales_revenue/CNY": -19_000,
    }


def test_without_a_platform_the_buyers_owe_the_payment() -> None:
    pending = accept(order(), terms(platform_id=None)).balances(Layer.PENDING)
    assert pending["dealer-7-ltd/-/channel_clearing/CNY"] == 20_000
    assert pending["dealer-7-ltd/dealer-7/dealer_margin/CNY"] == -6_000


def test_an_agreement_without_books_and_an_order_of_another_seller_are_refused() -> None:
    with pytest.raises(PlanRefusedError, match="keeps books"):
        agree(terms(books={}))
    with pytest.raises(PlanRefusedError, match="dealer-8"):
        accept(order(seller_id="dealer-8"), terms())
    with pytest.raises(PlanRefusedError, match="negative"):
        accept(order(line(discount_minor=30_000)), terms())


# Taking back.


@pytest.mark.parametrize("facts", [[cancelled(*units(l1=2))], [unroutable(*units(l1=2))]])
def test_a_full_cancellation_nets_every_party_to_zero(facts: Sequence[FactEvent]) -> None:
    books = accept(order(), terms())
    booked = books.apply(*facts)
    assert books.balances(Layer.PENDING) == {}
    assert [journal.posted.kind for journal in booked.journals] == [Kind.PLANNED_REVERSED] * 2


def test_a_reversal_names_the_journal_of_its_own_book_and_shares_a_group() -> None:
    books = accept(order(), terms())
    booked = books.apply(cancelled(*units(l1=1)))
    planned = {each.posted.book_id: each.posted.journal_id for each in books.planned.journals}
    for journal in booked.journals:
        assert journal.posted.reverses == planned[journal.posted.book_id]
    assert len({journal.posted.group_id for journal in booked.journals}) == 1


def test_a_return_takes_back_what_its_parcel_earned() -> None:
    books = accept(order(line(units=3, price_minor=3_333)), terms())
    books.apply(shipped(*units(l1=1)), shipped(*units(l1=2), parcel_id="p2"))
    books.apply(delivered(*units(l1=1)), delivered(*units(l1=2), parcel_id="p2"))
    earned = [each for each in books.journals if each.posted.kind == Kind.SPLIT_EARNED]
    second = {each.posted.book_id: each.posted for each in earned if each.cause.source_id == "p2"}
    booked = books.apply(returned(*units(l1=2), parcel_id="p2"))
    for journal in booked.journals:
        original = second[journal.posted.book_id]
        assert journal.posted.reverses == original.journal_id
        assert [entry.amount_minor for entry in journal.posted.entries] == [
            -entry.amount_minor for entry in original.entries if entry.layer is Layer.SETTLED
        ]


def test_a_parcel_refused_at_the_door_gives_back_planned_money() -> None:
    books = accept(order(), terms())
    booked = books.apply(
        shipped(*units(l1=1)), shipped(*units(l1=1), parcel_id="p2"), returned(*units(l1=1))
    )
    books.apply(delivered(*units(l1=1), parcel_id="p2"))
    reversal = next(each for each in booked.events if isinstance(each, SplitReversed))
    assert (reversal.layer, reversal.cause_id) == (Layer.PENDING, "r1")
    assert books.balances(Layer.PENDING) == {}
    assert books.balances(Layer.SETTLED)["dealer-7-ltd/dealer-7/dealer_margin/CNY"] == -2_500


def test_a_return_says_what_was_given_back_to_whom() -> None:
    books = accept(order(), terms(earned_on=EarnedOn.SHIPPED))
    booked = books.apply(shipped(*units(l1=2)), returned(*units(l1=1), return_id="r9"))
    reversal = next(each for each in booked.events if isinstance(each, SplitReversed))
    assert (reversal.layer, reversal.cause_id) == (Layer.SETTLED, "r9")
    assert [(each.component, each.amount_minor) for each in reversal.shares] == [
        ("platform_fee", 500),
        ("supply_revenue", 7_000),
        ("dealer_margin", 2_500),
    ]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([cancelled(*units(l1=3))], "line 1 of order o1"),
        ([shipped(*units(l1=3))], "line 1 of order o1"),
        ([cancelled(*units(l9=1))], "no line 9"),
        ([returned(*units(l1=1))], "shipped nothing"),
        ([shipped(*units(l1=1)), returned(*units(l1=2))], "p1"),
        ([shipped(*units(l1=2)), cancelled(*units(l1=1))], "line 1 of order o1"),
    ],
)
def test_more_units_than_there_are_is_an_error(facts: Sequence[FactEvent], reason: str) -> None:
    with pytest.raises(OverdrawnError, match=reason):
        accept(order(), terms()).apply(*facts)


# Whatever happens to an order.

LINES = st.lists(
    st.builds(
        line,
        units=st.integers(1, 5),
        price_minor=st.integers(0, 9_999),
        supply_minor=st.integers(0, 9_999),
        freight_minor=st.integers(0, 701),
    ),
    min_size=1,
    max_size=3,
).map(lambda lines: [_renamed(each, index) for index, each in enumerate(lines, 1)])


def _renamed(sold: OrderLine, index: int) -> OrderLine:
    return line(
        str(index),
        units=sold.quantity_units,
        price_minor=sold.unit_price_minor,
        supply_minor=sold.supply_price_minor,
        freight_minor=sold.freight_minor,
    )


@st.composite
def lives(draw: st.DrawFn) -> tuple[OrderAccepted, Terms, list[list[FactEvent]]]:
    """Draw an order and a life of every unit, as chains whose inner order alone is given."""
    sold = order(*draw(LINES))
    agreed = terms(
        earned_on=draw(st.sampled_from(EarnedOn)),
        platform_rate_ppm=draw(st.integers(0, 300_000)),
        freight_payee_id=draw(st.sampled_from(["dealer-7", "tea-brand"])),
    )
    chains: list[list[FactEvent]] = []
    for each in sold.lines:
        for index in range(each.quantity_units):
            parcel_id, one = f"p{each.line_id}.{index}", units(**{f"l{each.line_id}": 1})
            ship = shipped(*one, parcel_id=parcel_id, freight_minor=0)
            arrive = delivered(*one, parcel_id=parcel_id)
            back = returned(*one, parcel_id=parcel_id, return_id=f"r-{parcel_id}")
            chains.append(
                draw(
                    st.sampled_from(
                        [
                            [cancelled(*one)],
                            [unroutable(*one)],
                            [ship, back],
                            [ship, arrive, back],
                            [ship, arrive],
                        ]
                    )
                )
            )
    return sold, agreed, chains


@given(lives(), st.data())
def test_whatever_the_order_of_facts_the_books_are_exact(
    life: tuple[OrderAccepted, Terms, list[list[FactEvent]]], data: st.DataObject
) -> None:
    sold, agreed, chains = life
    books = accept(sold, agreed)
    waiting = [list(chain) for chain in chains]
    while any(waiting):
        chain = data.draw(st.sampled_from([each for each in waiting if each]))
        books.apply(chain.pop(0))
        _check_books(books)
    assert books.balances(Layer.PENDING) == {}
    if all(len(chain) != 2 or isinstance(chain[-1], type(returned())) for chain in chains):
        assert books.balances(Layer.SETTLED) == {}


@given(lives(), st.data())
def test_facts_of_different_topics_may_overtake_each_other(
    life: tuple[OrderAccepted, Terms, list[list[FactEvent]]], data: st.DataObject
) -> None:
    sold, agreed, chains = life
    facts = [fact for chain in chains for fact in chain]
    routing = [fact for fact in facts if type(fact) is not type(unroutable())]
    missing = [fact for fact in facts if type(fact) is type(unroutable())]
    in_order, overtaken = accept(sold, agreed), accept(sold, agreed)
    in_order.apply(*routing, *missing)
    at = data.draw(st.integers(0, len(routing)))
    overtaken.apply(*routing[:at], *missing, *routing[at:])
    for layer in Layer:
        assert in_order.balances(layer) == overtaken.balances(layer)


def _check_books(books: Books) -> None:
    for journal in books.journals:
        for layer in Layer:
            entries = [each for each in journal.posted.entries if each.layer is layer]
            assert sum(each.amount_minor for each in entries) == 0
    for layer in Layer:
        balances = books.balances(layer)
        owed = balances.get("dealer-7-ltd/tea-cn/due_to/CNY", 0)
        assert owed == -balances.get("tea-cn/dealer-7-ltd/due_from/CNY", 0)


def test_the_content_hash_covers_every_amount() -> None:
    first, second = (
        accept(order(line(price_minor=price)), terms()).planned.journals[0].posted
        for price in (10_000, 10_001)
    )
    assert first.journal_id == second.journal_id
    assert first.content_hash != second.content_hash


def test_an_order_of_a_free_gift_makes_a_plan_and_no_journal() -> None:
    books = accept(order(line(units=1, price_minor=0, supply_minor=0)), terms())
    assert books.journals == []
    assert [type(event) for event in books.planned.events] == [SplitPlanned]
    books.apply(shipped(*units(l1=1), freight_minor=0), delivered(*units(l1=1)))
    assert books.journals == []
