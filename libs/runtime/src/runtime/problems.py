"""Problem details (RFC 9457): the one shape in which this service says no."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.responses import Response

from runtime.trace import current_trace_id

MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 20
NAME_CHARACTERS_MAX = 64

# Our own titles: those of the standard library change between versions of Python.
TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request took too long",
    409: "Conflict",
    413: "Body too large",
    414: "Address too long",
    415: "Unsupported media type",
    422: "Invalid input",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    503: "Unavailable for now",
}


class FieldProblem(BaseModel):
    """One field that was refused: where it is and what is wrong, never what it held."""

    model_config = ConfigDict(frozen=True)

    location: str = Field(description="body, query, path or header")
    field: str = Field(description="a JSON pointer (RFC 6901) in a body, else the parameter's name")
    message: str


class ProblemDetails(BaseModel):
    """What a refusal looks like on the wire (application/problem+json)."""

    model_config = ConfigDict(frozen=True, title="Problem")

    type: str = Field(description="urn:yipan:problem:<kind>; stable, for programs")
    title: str
    status: int
    detail: str = Field(description="for people; names the thing and the value")
    trace_id: str | None = Field(default=None, description="to find the request in logs and traces")
    errors: list[FieldProblem] = []


class Problem(HTTPException):
    """A refusal of a request; raise it anywhere below a route.

    `detail` names the thing and the value, and holds no personal data. `kind` is the last word of
    the type URN when a program must tell it from others of the same status. `retry_after_s`
    becomes the Retry-After header.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        errors: Sequence[FieldProblem] = (),
        retry_after_s: int | None = None,
    ) -> None:
        headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        super().__init__(status, detail, headers)
        self.kind = kind
        self.errors = errors


class BadRequest(Problem):
    """400: the request cannot be read at all."""

    def __init__(self, detail: str, *, kind: str | None = None) -> None:
        super().__init__(400, detail, kind=kind)


class Unauthorized(Problem):
    """401: it is not known who asks, or the signature does not hold."""

    def __init__(self, detail: str, *, kind: str | None = None) -> None:
        super().__init__(401, detail, kind=kind)


class Forbidden(Problem):
    """403: who asks is known and may not."""

    def __init__(self, detail: str, *, kind: str | None = None) -> None:
        super().__init__(403, detail, kind=kind)


class NotFound(Problem):
    """404: no such thing, or none that the asker may see (the same words for both)."""

    def __init__(self, detail: str, *, kind: str | None = None) -> None:
        super().__init__(404, detail, kind=kind)


class Conflict(Problem):
    """409: the request is fine and the state of the thing forbids it."""

    def __init__(
        self, detail: str, *, kind: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(409, detail, kind=kind, retry_after_s=retry_after_s)


class UnsupportedMediaType(Problem):
    """415: a content type, charset or encoding that is not taken."""

    def __init__(self, detail: str, *, kind: str | None = None) -> None:
        super().__init__(415, detail, kind=kind)


class Invalid(Problem):
    """422: well-formed and not acceptable, field by field."""

    def __init__(
        self, detail: str, *, kind: str | None = None, errors: Sequence[FieldProblem] = ()
    ) -> None:
        super().__init__(422, detail, kind=kind, errors=errors)


class TooManyRequests(Problem):
    """429: this asker sends too fast; others are served."""

    def __init__(self, detail: str, *, retry_after_s: int, kind: str | None = None) -> None:
        super().__init__(429, detail, kind=kind, retry_after_s=retry_after_s)


class Unavailable(Problem):
    """503: whether anything was done is unknown; send it again, same key, after the pause."""

    def __init__(self, detail: str, *, retry_after_s: int = 1, kind: str | None = None) -> None:
        super().__init__(503, detail, kind=kind, retry_after_s=retry_after_s)


def title_of(status: int) -> str:
    """Return the human title of a status, ours where we have one."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def encode(problem: Problem) -> bytes:
    """Return a problem as the bytes of its JSON document."""
    title = title_of(problem.status_code)
    document: dict[str, Any] = {
        "type": "urn:yipan:problem:" + (problem.kind or title.lower().replace(" ", "-")),
        "title": title,
        "status": problem.status_code,
        "detail": problem.detail,
    }
    if (trace_id := current_trace_id()) is not None:
        document["trace_id"] = trace_id
    if problem.errors:
        document["errors"] = [error.model_dump() for error in problem.errors]
    return msgspec.json.encode(document)


def respond(problem: Problem) -> Response:
    """Return a problem as an HTTP response."""
    return Response(
        encode(problem),
        status_code=problem.status_code,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def invalid(errors: Sequence[ErrorDetails], location: str | None = None) -> Invalid:
    """Return pydantic's findings as a problem, without the values that were found.

    `location` is where all of them are; without it the first step of each path says so, as
    FastAPI writes them.
    """
    fields: list[FieldProblem] = []
    for error in errors[:ERRORS_MAX]:
        path = list(error["loc"])
        where = location or str(path.pop(0) if path else "body")
        message = error["msg"].removeprefix("Value error, ")
        fields.append(FieldProblem(location=where, field=_field(where, path), message=message))
    first = fields[0]
    more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Invalid(f"{at(first)}: {first.message}{more}", errors=fields)


def at(field: FieldProblem) -> str:
    """Return where a field is, in words: `body /lines/0/goods`."""
    return f"{field.location} {field.field}".rstrip()


def _field(location: str, path: Sequence[int | str]) -> str:
    names = [str(step)[:NAME_CHARACTERS_MAX] for step in path]
    if location != "body":
        return ".".join(names)
    return pointer(names)


def pointer(path: Sequence[int | str]) -> str:
    """Return a JSON pointer (RFC 6901); the whole document is the empty string."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer these problems, for its OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": title_of(status), "content": content} for status in statuses}
