"""The outermost layer of HTTP: a trace for each request, a line in the log, never a bare 500."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backbone import current_traceparent
from runtime.logs import logger
from runtime.problems import MEDIA_TYPE, Problem, encode
from runtime.trace import Trace, trace_of

STATUS_CLIENT_GONE_COUNT = 499


async def send_problem(send: Send, problem: Problem, *, is_last: bool = True) -> None:
    """Answer with a problem from below any framework, and close the connection afterwards.

    With `is_last` false the answer is complete for the client, and the connection stays open until
    an empty last chunk is sent.
    """
    body = encode(problem)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *((name.lower().encode(), text.encode()) for name, text in (problem.headers or {}).items()),
    ]
    start = {"type": "http.response.start", "status": problem.status_code, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


class Edge:
    """Wraps the application; answers 500 for what nothing else answered, and logs why."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = trace_of(scope["headers"])
        current_traceparent.set(trace.traceparent)
        structlog.contextvars.bind_contextvars(traceparent=trace.traceparent)
        await _Exchange(trace, scope, send).run(self._app, receive)


class _Exchange:
    """One request and its answer."""

    def __init__(self, trace: Trace, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send_on = send
        self._status_count = 0
        self._headers = [
            (b"traceparent", trace.traceparent.encode()),
            (b"x-request-id", trace.request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            await app(self._scope, receive, self._send)
        except Exception as error:  # noqa: BLE001 - the last place that can answer
            logger().error("request failed", exc_info=error)
            if not self._status_count:
                await send_problem(
                    self._send, Problem(500, "this is a fault of ours; it is logged")
                )
        finally:
            self._log(loop.time() - began_s)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status_count = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await self._send_on(message)

    def _log(self, took_s: float) -> None:
        # The query may hold personal data and is left out; a path holds ids alone.
        status = self._status_count or STATUS_CLIENT_GONE_COUNT
        is_quiet = status < 400 and self._scope["path"].startswith("/health/")
        write = logger().debug if is_quiet else logger().info
        write(
            "request",
            method=self._scope["method"],
            path=self._scope["path"][:200],
            status=status,
            took_ms=round(took_s * 1000, 2),
        )
