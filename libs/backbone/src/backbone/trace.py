"""The W3C trace context that a command's events inherit."""

from contextvars import ContextVar

current_traceparent: ContextVar[str | None] = ContextVar("current_traceparent", default=None)
"""Set by whoever takes a request in (the HTTP middleware); None where nothing is traced."""
