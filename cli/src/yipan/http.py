"""Calls to the services' HTTP APIs that outlast a service being started again."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

PATIENCE_S = 120.0
"""How long a call is repeated while its service is away."""

TIMEOUT_S = 30.0
PAUSE_S = 0.2
PAGE_ITEMS = 200
_AWAY = frozenset({429, 502, 503, 504})


class CallError(RuntimeError):
    """A service refused a call, or was away for longer than PATIENCE_S."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a request."""

    data: bytes
    media_type: str


class Services:
    """The running services by name.

    Every call is safe to repeat because it carries its own id (promise G2), so after a lost answer
    it is simply sent again.
    """

    def __init__(self, urls: Mapping[str, str], patience_s: float = PATIENCE_S) -> None:
        self._urls = dict(urls)
        self._patience_s = patience_s
        self._client = httpx.Client(timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, service: str, path: str, **query: str | int) -> Any:
        """Return the JSON answer to a GET; CallError when it is not 2xx."""
        parameters = httpx.QueryParams(query)
        return self.call("GET", service, f"{path}?{parameters}" if query else path)

    def pages(self, service: str, path: str, **query: str | int) -> Iterator[Any]:
        """Yield the items of a list, page by page."""
        query = {"limit": PAGE_ITEMS, **query}
        while True:
            page = self.get(service, path, **query)
            yield from page["items"]
            if not page["next"]:
                return
            query["after"] = page["next"]

    def post(self, service: str, path: str, body: Any) -> Any:
        """Return the JSON answer to a POST; CallError when it is not 2xx."""
        return self.call("POST", service, path, _json(body))

    def put(self, service: str, path: str, body: Any) -> Any:
        """Return the JSON answer to a PUT; CallError when it is not 2xx."""
        return self.call("PUT", service, path, _json(body))

    def send(self, service: str, path: str, content: bytes, content_type: str) -> Any:
        """Return the JSON answer to a POST of a file's bytes; CallError when it is not 2xx."""
        return self.call("POST", service, path, Content(content, content_type))

    def call(self, method: str, service: str, path: str, content: Content | None = None) -> Any:
        """Send a request until it is answered by something other than `away`."""
        request = self._client.build_request(
            method,
            self._urls[service] + path,
            content=content.data if content else None,
            headers={"Content-Type": content.media_type} if content else None,
        )
        end_s = time.monotonic() + self._patience_s
        while True:
            answer = self._try(request)
            if isinstance(answer, httpx.Response) and answer.status_code not in _AWAY:
                return _decoded(request, answer)
            if time.monotonic() > end_s:
                away = f"away for {self._patience_s:g} s ({answer})"
                raise CallError(f"{method} {request.url}: {away}")
            time.sleep(PAUSE_S)

    def _try(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        try:
            return self._client.send(request)
        except httpx.TransportError as error:
            return error


def _json(body: Any) -> Content:
    return Content(msgspec.json.encode(body), "application/json")


def _decoded(request: httpx.Request, answer: httpx.Response) -> Any:
    if answer.is_success:
        return msgspec.json.decode(answer.content) if answer.content else None
    raise CallError(
        f"{request.method} {request.url}: {answer.status_code} {answer.text[:500]}",
        status=answer.status_code,
    )
