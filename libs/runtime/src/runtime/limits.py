"""Bounds on what a request may cost before anything is accepted (ASGI)."""

import asyncio
from collections.abc import Callable, Iterable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.edge import send_problem
from runtime.problems import Problem, Unavailable, UnsupportedMediaType
from runtime.settings import LINGER_BYTES_MAX, LINGER_S, HttpSettings

RETRY_AFTER_S = 1


class Limits:
    """Reads each body whole, bounded in bytes and time, before the application sees the request.

    The application then depends on the client no more: one that goes away cancels nothing. Beyond
    the bounds on requests or on bytes in memory the answer is 503 with Retry-After.
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._settings = settings
        self._in_flight_count = 0
        self._buffered_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        # The probes of whoever runs this process are answered under any load.
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self._app(scope, receive, send)
            return
        if self._in_flight_count >= self._settings.in_flight_max:
            await _refuse(receive, send, _busy())
            return
        incoming = _Incoming(receive)
        self._in_flight_count += 1
        try:
            await self._read(incoming, scope["headers"])
            await self._app(scope, incoming.receive, send)
        except _RefusedError as refused:
            problem = refused.problem
        except ClientDisconnect:
            return
        else:
            return
        finally:
            self._in_flight_count -= 1
            self._buffered_bytes -= len(incoming.body)
        await _refuse(receive, send, problem)

    async def _read(self, incoming: "_Incoming", headers: Iterable[tuple[bytes, bytes]]) -> None:
        size_bytes = _announced_bytes(headers)
        if size_bytes == 0:
            return
        if size_bytes > self._settings.body_bytes_max:
            raise _RefusedError(self._too_large())
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                while await incoming.read_more(self._take):
                    pass
        except TimeoutError:
            detail = f"the body did not come within {self._settings.body_timeout_s:g} s"
            raise _RefusedError(Problem(408, detail)) from None

    def _take(self, chunk_bytes: int, body_bytes: int) -> None:
        if body_bytes > self._settings.body_bytes_max:
            raise _RefusedError(self._too_large())
        if self._buffered_bytes + chunk_bytes > self._settings.buffered_bytes_max:
            raise _RefusedError(_busy())
        self._buffered_bytes += chunk_bytes

    def _too_large(self) -> Problem:
        return Problem(413, f"the body is larger than {self._settings.body_bytes_max} bytes")


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class _Incoming:
    """A request's body while it comes in, and afterwards its replay for the application."""

    def __init__(self, receive: Receive) -> None:
        self.body = bytearray()
        self._receive = receive
        self._is_replayed = False

    async def read_more(self, take: Callable[[int, int], None]) -> bool:
        """Take one chunk in, if it may be taken; tell whether there is more to come."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        take(len(chunk), len(self.body) + len(chunk))
        self.body += chunk
        return bool(message.get("more_body", False))

    async def receive(self) -> Message:
        if self._is_replayed:
            return await self._receive()
        self._is_replayed = True
        return {"type": "http.request", "body": bytes(self.body), "more_body": False}


def _announced_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the length that the headers announce: 0 for no body, 1 for one of unknown length."""
    size_bytes = 0
    for name, value in headers:
        if name == b"content-length":
            size_bytes = int(value)
        elif name == b"transfer-encoding":
            size_bytes = 1
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise _RefusedError(UnsupportedMediaType("send no Content-Encoding"))
    return size_bytes


def _busy() -> Unavailable:
    return Unavailable("too many requests are being served", retry_after_s=RETRY_AFTER_S)


async def _refuse(receive: Receive, send: Send, problem: Problem) -> None:
    """Answer, then let the client finish its sentence for a moment before the connection closes.

    Closing with unread bytes resets the connection, and the client may lose the answer with it.
    """
    await send_problem(send, problem, is_last=False)
    discarded_bytes = 0
    try:
        async with asyncio.timeout(LINGER_S):
            while discarded_bytes < LINGER_BYTES_MAX:
                message = await receive()
                discarded_bytes += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
