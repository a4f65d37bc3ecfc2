"""What a webhook is to an adapter, and what an adapter is to the webhooks' entrance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from contracts.ids import order_id
from ingest.gateway.digest import order_digest, raw_input
from ingest.gateway.secrets import Credential
from ingest.model.order import (
    CancellationNotice,
    Consumer,
    Delivery,
    Entrance,
    Misunderstood,
    Order,
    Payment,
    PaymentNotice,
    RawInput,
    Submission,
)
from ingest.model.pool import Reason

M = TypeVar("M", bound=BaseModel)
ERRORS_MAX = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook as it came. Header names are lower case; no query parameter comes twice."""

    channel: str
    shop_id: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    @property
    def actor(self) -> str:
        """Who is said to have done what the notice tells."""
        return f"channel/{self.channel}"

    def raw(self, delivery_id: str | None = None) -> RawInput:
        """Return the bytes to keep."""
        shop = (self.channel, self.shop_id)
        return raw_input(Entrance.WEBHOOK, shop, self.body, delivery_id)

    def submitted(self, order: Order, consumer: Consumer, raw: RawInput) -> Submission:
        """Return an order that may be new or change a known one."""
        return Submission(
            order=order,
            consumer=consumer,
            content_hash=order_digest(order, consumer),
            raw=raw,
            actor=self.actor,
            replaces=True,
        )

    def cancelled(self, order_number: str, reason: str, raw: RawInput) -> CancellationNotice:
        """Return the cancellation of a whole order; a channel cancels an order once."""
        return CancellationNotice(
            order_id=order_id(self.channel, self.shop_id, order_number),
            request_id=f"channel:{self.channel}",
            lines=None,
            reason=reason,
            raw=raw,
            actor=self.actor,
        )

    def paid(self, order_number: str, payment: Payment, raw: RawInput) -> PaymentNotice:
        """Return a payment for an order."""
        order = order_id(self.channel, self.shop_id, order_number)
        return PaymentNotice(order, payment, raw, self.actor)

    def misunderstood(
        self, reason: Reason, detail: str, raw: RawInput, order_number: str | None = None
    ) -> Misunderstood:
        """Return bytes that a person must look at."""
        return Misunderstood(str(reason), detail, raw, order_number)


IsAuthentic: TypeAlias = Callable[[Notice, Credential, datetime], bool]
"""Whether the notice is signed with the credential, by the shop's one method and in time."""
ReadNotice: TypeAlias = Callable[[Notice, JsonValue], Sequence[Delivery]]
"""What an authentic notice says. Raises MisfitError for what cannot be understood."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One channel: how it signs, how it speaks, and how it wants to be answered."""

    channel: str
    is_authentic: IsAuthentic
    read: ReadNotice
    acknowledgement: Mapping[str, JsonValue]


class MisfitError(Exception):
    """Authentic bytes that do not fit what the channel documents; the message holds no values."""


def fit(value: JsonValue, into: type[M]) -> M:
    """Read a part of a notice, unknown fields left aside; MisfitError where it does not fit."""
    try:
        return into.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        steps = [
            "/".join(map(str, each["loc"])) + ": " + each["msg"] for each in found[:ERRORS_MAX]
        ]
        raise MisfitError("; ".join(steps)) from None
