"""What nodes say about parcels, and what they are answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from contracts.fulfilments import RejectionReason, ReturnedLine
from contracts.values import GoodsUnits, LineUnits
from routing.model.fulfilment import Decision, Execution, Negotiation, Order


class Action(StrEnum):
    """What a node does."""

    ACCEPT = "accept"
    REJECT = "reject"
    START_PICK = "start_pick"
    PICK = "pick"
    PACK = "pack"
    SHIP = "ship"
    DELIVER = "deliver"
    RETURN = "return"
    ANSWER_CANCEL = "answer_cancel"


@dataclass(frozen=True, slots=True)
class Plain:
    """A command that needs no more than its action: accept, start to pick, pack, deliver."""


@dataclass(frozen=True, slots=True)
class Reject:
    """The node does not do it. `missing` is None where it was not said."""

    reason: RejectionReason
    missing: tuple[GoodsUnits, ...] | None


@dataclass(frozen=True, slots=True)
class Pick:
    """What was found; None for everything."""

    found: tuple[LineUnits, ...] | None


@dataclass(frozen=True, slots=True)
class Ship:
    """The carrier took it. `freight_minor` is its charge, None for the planned freight."""

    carrier_id: str
    waybill: str
    freight_minor: int | None


@dataclass(frozen=True, slots=True)
class Return:
    """Units of it came back at a node."""

    return_id: str
    node_id: str
    lines: tuple[ReturnedLine, ...]


@dataclass(frozen=True, slots=True)
class AnswerCancel:
    """Whether the node takes the asked units out; `request_id` None answers every ask."""

    request_id: str | None
    is_accepted: bool


Details: TypeAlias = Plain | Reject | Pick | Ship | Return | AnswerCancel


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody says about a parcel. `occurred_at` None: now."""

    parcel_id: str
    action: Action
    attempt: int
    actor: str
    occurred_at: datetime | None
    details: Details


class Verdict(StrEnum):
    """What became of a command."""

    APPLIED = "applied"
    CONFLICTED = "conflicted"
    FENCED = "fenced"
    ILLEGAL = "illegal"
    INVALID = "invalid"
    REUSED = "reused"
    UNKNOWN = "unknown"


FINAL = frozenset({Verdict.APPLIED, Verdict.CONFLICTED, Verdict.FENCED})
"""Verdicts that a repeat of the command gets again; the others are judged anew."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict and the parcel's state after it (None where there is no such parcel)."""

    verdict: Verdict
    execution: Execution | None
    negotiation: Negotiation | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A command as it is kept: its identity, its content's digest, its answer."""

    message_id: str
    content_hash: str
    command: Command
    answer: Answer


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was answered to an earlier command of the same identity."""

    content_hash: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Hearing:
    """Everything that commands on parcels are judged by."""

    orders: dict[str, Order]
    order_ids: dict[str, str]
    remembered: dict[str, Remembered]


@dataclass(frozen=True, slots=True)
class Heard:
    """Orders after commands, one answer per command in their order, and the messages to keep."""

    decision: Decision
    answers: tuple[Answer, ...]
    messages: tuple[Message, ...]
