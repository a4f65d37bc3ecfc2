"""W3C Trace Context of a request: taken from the caller or begun here, and handed on."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from backbone import current_traceparent
from runtime.fields import ID_PATTERN

# https://www.w3.org/TR/trace-context/ version 00; an id of zeros is invalid.
_TRACEPARENT = re.compile(
    rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})", re.ASCII
)
_REQUEST_ID = re.compile(ID_PATTERN.replace("$", r"\Z").encode())


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace a request belongs to; `traceparent` names the span that is this request."""

    trace_id: str
    traceparent: str
    request_id: str


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """Continue the caller's trace in a new span, or begin one when none is given or it is bad."""
    trace_id, flags, request_id = "", "00", ""
    for name, value in headers:
        if name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value)) is not None:
            trace_id, flags = found[1].decode(), found[2].decode()
        elif name == b"x-request-id" and _REQUEST_ID.match(value) is not None:
            request_id = value.decode()
    trace_id = trace_id or secrets.token_hex(16)
    traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"
    return Trace(trace_id, traceparent, request_id or trace_id)


def current_trace_id() -> str | None:
    """Return the trace of the request that is being served, None outside of one."""
    traceparent = current_traceparent.get()
    return None if traceparent is None else traceparent.split("-")[1]
