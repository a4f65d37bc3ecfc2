"""What nodes, consumers and channels said: commands, cancellations, returns to come."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from backbone import Transaction
from contracts.orders import CancellationRequested, ReturnRequested
from contracts.values import LineUnits
from routing.model.commands import Answer, Message, Remembered, Verdict
from routing.model.fulfilment import Execution, Negotiation

FIND_MESSAGES = """
SELECT message_id, content_hash, verdict, execution, negotiation, detail
FROM node_message WHERE message_id = ANY($1::text[])
"""
SAVE_MESSAGES = """
INSERT INTO node_message (message_id, parcel_id, action, attempt, actor, content_hash, content,
    verdict, execution, negotiation, detail, recorded_at)
SELECT message_id, parcel_id, action, attempt, actor, content_hash, content::jsonb, verdict,
    execution, negotiation, detail, $12
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[])
    AS n (message_id, parcel_id, action, attempt, actor, content_hash, content, verdict,
        execution, negotiation, detail)
ON CONFLICT (message_id) DO UPDATE SET content_hash = excluded.content_hash,
    content = excluded.content, attempt = excluded.attempt, actor = excluded.actor,
    verdict = excluded.verdict, execution = excluded.execution,
    negotiation = excluded.negotiation, detail = excluded.detail,
    recorded_at = excluded.recorded_at
"""
SAVE_CANCELLATIONS = """
INSERT INTO cancellation (order_id, request_id, lines, reason, requested_by, is_applied,
    recorded_at)
SELECT order_id, request_id, lines::jsonb, reason, requested_by,
    EXISTS (SELECT FROM sales_order o WHERE o.order_id = n.order_id), $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    AS n (order_id, request_id, lines, reason, requested_by)
ON CONFLICT (order_id, request_id) DO NOTHING
RETURNING request_id, order_id, is_applied
"""
TAKE_EARLY_CANCELLATIONS = """
UPDATE cancellation SET is_applied = true
WHERE order_id = ANY($1::text[]) AND NOT is_applied
RETURNING order_id, request_id, lines, reason, requested_by, recorded_at
"""
SAVE_EXPECTED_RETURNS = """
INSERT INTO expected_return (order_id, return_id, line_id, quantity_units, reason, recorded_at)
SELECT order_id, return_id, line_id, sum(quantity_units), min(reason), $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
    AS n (order_id, return_id, line_id, quantity_units, reason)
GROUP BY order_id, return_id, line_id
ON CONFLICT (order_id, return_id, line_id) DO NOTHING
"""

_encode = msgspec.json.Encoder().encode
_LINES = msgspec.json.Decoder(tuple[LineUnits, ...])


async def find_messages(tx: Transaction, message_ids: Collection[str]) -> dict[str, Remembered]:
    """Return what was answered to commands of these identities."""
    rows = await tx.fetch(FIND_MESSAGES, list(message_ids))
    return {
        row["message_id"]: Remembered(
            row["content_hash"],
            Answer(
                Verdict(row["verdict"]),
                Execution(row["execution"]),
                Negotiation(row["negotiation"]),
                row["detail"],
            ),
        )
        for row in rows
    }


async def save_messages(tx: Transaction, messages: Sequence[Message], now: datetime) -> None:
    """Keep commands with their answers; one that is judged anew replaces what was said before."""
    if not messages:
        return
    commands = [message.command for message in messages]
    answers = [message.answer for message in messages]
    await tx.execute(
        SAVE_MESSAGES,
        [message.message_id for message in messages],
        [command.parcel_id for command in commands],
        [command.action for command in commands],
        [command.attempt for command in commands],
        [command.actor for command in commands],
        [message.content_hash for message in messages],
        [_encode(command).decode() for command in commands],
        [answer.verdict for answer in answers],
        [answer.execution for answer in answers],
        [answer.negotiation for answer in answers],
        [answer.detail for answer in answers],
        now,
    )


async def save_cancellations(
    tx: Transaction, requests: Sequence[CancellationRequested], now: datetime
) -> list[CancellationRequested]:
    """Keep requests and return those to decide now: new ones whose order is known, in order."""
    named: dict[tuple[str, str], CancellationRequested] = {}
    for request in requests:
        named.setdefault((request.order_id, request.request_id), request)
    requests = list(named.values())
    rows = await tx.fetch(
        SAVE_CANCELLATIONS,
        [request.order_id for request in requests],
        [request.request_id for request in requests],
        [None if each.lines is None else _encode(each.lines).decode() for each in requests],
        [request.reason for request in requests],
        [request.requested_by for request in requests],
        now,
    )
    due = {(row["order_id"], row["request_id"]) for row in rows if row["is_applied"]}
    return [each for each in requests if (each.order_id, each.request_id) in due]


async def take_early_cancellations(
    tx: Transaction, order_ids: Collection[str]
) -> list[CancellationRequested]:
    """Return requests that came before their orders, oldest first, and mark them as applied."""
    rows = await tx.fetch(TAKE_EARLY_CANCELLATIONS, list(order_ids))
    return [
        CancellationRequested(
            occurred_at=row["recorded_at"],
            order_id=row["order_id"],
            request_id=row["request_id"],
            lines=None if row["lines"] is None else _LINES.decode(row["lines"]),
            reason=row["reason"],
            requested_by=row["requested_by"],
        )
        for row in sorted(rows, key=lambda row: (row["recorded_at"], row["request_id"]))
    ]


async def save_expected_returns(
    tx: Transaction, requests: Sequence[ReturnRequested], now: datetime
) -> None:
    """Keep what is said to come back."""
    named = {(request.order_id, request.return_id): request for request in requests}
    rows = [(request, line) for request in named.values() for line in request.lines]
    await tx.execute(
        SAVE_EXPECTED_RETURNS,
        [request.order_id for request, _ in rows],
        [request.return_id for request, _ in rows],
        [line.line_id for _, line in rows],
        [line.quantity_units for _, line in rows],
        [request.reason for request, _ in rows],
        now,
    )
