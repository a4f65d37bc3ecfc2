"""HTTP/1.1 as uvicorn and llhttp speak it, with bounds on headers, their time, and connections."""

import asyncio
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from runtime.problems import MEDIA_TYPE, BadRequest, Problem, Unavailable, encode
from runtime.settings import LINGER_BYTES_MAX, LINGER_S, HttpSettings

HEADER_BYTES_MAX = 32 * 1024
HEADERS_MAX = 100
ADDRESS_BYTES_MAX = 8 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """One connection. What cannot become a request is answered here and the connection closed.

    llhttp refuses by itself what lets two readers see two requests in one: Content-Length beside
    Transfer-Encoding, two lengths, folded headers, white space before a colon.
    """

    settings: HttpSettings

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refusal: Problem | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_headers = False
        self._is_before_body = True
        self._begun_count = 0
        self._headers_count = 0
        self._header_bytes = 0
        self._fed_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Accept the connection, or say that there are too many."""
        super().connection_made(transport)
        self._await_headers()
        if len(self.connections) > self.settings.connections_max:
            self._refuse(Unavailable("too many connections are open", retry_after_s=1))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; a request that it brought runs on."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and bound what it holds of headers that have not ended."""
        if self._refusal is not None:
            self._discard(len(data))
            return
        is_before_body, begun_count = self._is_before_body, self._begun_count
        super().data_received(data)
        if is_before_body and self._is_in_headers and self._begun_count - begun_count <= 1:
            self._fed_bytes += len(data)
            if self._fed_bytes > HEADER_BYTES_MAX:
                self._refuse(_too_long())

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._is_in_headers = True
        self._begun_count += 1
        self._headers_count = self._header_bytes = self._fed_bytes = 0
        if self._deadline is None:
            self._await_headers()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address in."""
        super().on_url(url)
        if len(self.url) > ADDRESS_BYTES_MAX:
            self._stop(Problem(414, f"the address is longer than {ADDRESS_BYTES_MAX} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in."""
        super().on_header(name, value)
        self._headers_count += 1
        self._header_bytes += len(name) + len(value)
        if self._headers_count > HEADERS_MAX or self._header_bytes > HEADER_BYTES_MAX:
            self._stop(_too_long())

    def on_headers_complete(self) -> None:
        """Start the application."""
        self._is_in_headers = self._is_before_body = False
        self._end_wait()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Tell the application that the body has ended."""
        self._is_before_body = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's words are few
        """Answer what the parser refused."""
        problem = self._refusal or BadRequest("this is not HTTP that we can read")
        self._refusal = None
        self._refuse(problem)

    def _stop(self, refusal: Problem) -> None:
        """End the parse; the parser reports it through `send_400_response`."""
        self._refusal = refusal
        raise httptools.HttpParserError(refusal.detail)

    def _refuse(self, problem: Problem) -> None:
        if self._refusal is not None or self.transport.is_closing():
            return
        self._refusal = problem
        self._end_wait()
        body = encode(problem)
        lines = [
            STATUS_LINE[problem.status_code],
            b"content-type: " + MEDIA_TYPE.encode() + b"\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\n",
            *(f"{name}: {text}\r\n".encode() for name, text in (problem.headers or {}).items()),
            b"connection: close\r\n\r\n",
            body,
        ]
        self.transport.write(b"".join(lines))
        # Closing with unread bytes resets the connection, and the answer may be lost with it.
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_S, self.transport.close)

    def _discard(self, count_bytes: int) -> None:
        self._fed_bytes += count_bytes
        if self._fed_bytes > LINGER_BYTES_MAX:
            self.transport.close()

    def _await_headers(self) -> None:
        wait_s = self.settings.header_timeout_s
        self._deadline = self.loop.call_later(wait_s, self._on_deadline)

    def _end_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self._is_in_headers:
            wait_s = self.settings.header_timeout_s
            self._refuse(Problem(408, f"the headers did not come within {wait_s:g} s"))
        elif not self.transport.is_closing():
            self.transport.close()


def _too_long() -> Problem:
    return Problem(431, f"at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in all")


def bounded_protocol(settings: HttpSettings) -> type[BoundedProtocol]:
    """Return the protocol class for uvicorn, which makes an instance for each connection itself."""
    return type("ConfiguredProtocol", (BoundedProtocol,), {"settings": settings})
