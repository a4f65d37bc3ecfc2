"""Turns what was decided into HTTP: a status, a body, or a problem."""

from typing import Any

import msgspec
from fastapi import Response

from ingest.api.bodies import CommandAnswer
from ingest.model.pool import Answered, CommandKind, Taken
from runtime.api import Conflict, FieldProblem, Invalid, NotFound, Problem
from runtime.problems import MEDIA_TYPE, encode

STATUSES = {
    "created": 201,
    "amended": 200,
    "stale": 200,
    "parked": 202,
    "conflict": 409,
    "quarantined": 422,
}
ASKED = frozenset({CommandKind.CANCELLATION, CommandKind.RETURN})


def status_of(taken: Taken) -> int:
    """Return the HTTP status of an outcome."""
    return STATUSES[taken.outcome]


def detail_of(taken: Taken) -> str:
    """Return in one line what is wrong, or nothing."""
    return "; ".join(complaint.detail for complaint in taken.complaints)


def respond_taken(taken: Taken) -> Response:
    """Return the answer to one order. Raises Conflict where other content came first."""
    if taken.outcome == "conflict":
        raise Conflict(detail_of(taken), kind=taken.state.replace("_", "-"))
    if taken.outcome == "quarantined":
        return _quarantined(taken)
    body = {"order_id": taken.order_id, "state": taken.state, "version": taken.order_version}
    return Response(msgspec.json.encode(body), status_of(taken), media_type="application/json")


def _quarantined(taken: Taken) -> Response:
    """Say 422 and name the record: the bytes are kept, and a person or the directory can help."""
    errors = [
        FieldProblem(location="order", field=str(each.reason), message=each.detail)
        for each in taken.complaints
    ]
    problem = Problem(422, detail_of(taken), kind="quarantined", errors=errors)
    document: dict[str, Any] = msgspec.json.decode(encode(problem))
    document["order_id"] = taken.order_id
    document["quarantine_id"] = taken.quarantine_id
    return Response(msgspec.json.encode(document), 422, media_type=MEDIA_TYPE)


def respond_command(
    order_id: str, kind: CommandKind, answered: Answered, response: Response
) -> CommandAnswer:
    """Return the answer to a command; raises the problem that a refusal is."""
    problem_kind = answered.state.replace("_", "-")
    match answered.outcome:
        case "conflict":
            raise Conflict(answered.detail, kind=problem_kind)
        case "invalid":
            raise Invalid(answered.detail, kind=problem_kind)
        case "unknown":
            raise NotFound(answered.detail)
        case _:
            response.status_code = 202 if kind in ASKED or answered.outcome == "parked" else 200
    return CommandAnswer(
        order_id=order_id,
        state=answered.state,
        detail=answered.detail,
        subject_id=answered.subject_id,
    )
