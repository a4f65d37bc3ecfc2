"""Calls to the services' HTTP APIs that outlast a service being started again."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE_S = 120.0
"""How long a call is repeated while its service is away."""

TIMEOUT_S = 30.0
PAUSE_S = 0.2
_AWAY = frozenset({429, 502, 503, 504})


class CallError(RuntimeError):
    """A service refused a call, or was away for longer than PATIENCE_S."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


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
        return self.call("GET", service, path, query=query)

    def post(self, service: str, path: str, body: Any) -> Any:
        """Return the JSON answer to a POST; CallError when it is not 2xx."""
        return self.call("POST", service, path, body=body)

    def put(self, service: str, path: str, body: Any) -> Any:
        """Return the JSON answer to a PUT; CallError when it is not 2xx."""
        return self.call("PUT", service, path, body=body)

    def upload(self, service: str, path: str, file: Path) -> Any:
        """Return the JSON answer to a POST of a file as one part of a form."""
        url = self._urls[service] + path
        parts = {"file": (file.name, file.read_bytes())}
        return _content("POST", url, self._client.post(url, files=parts))

    def call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Any:
        """Send a request until it is answered by something other than `away`."""
        url = self._urls[service] + path
        end_s = time.monotonic() + self._patience_s
        while True:
            answer = self._try(method, url, body, query)
            if isinstance(answer, httpx.Response) and answer.status_code not in _AWAY:
                return _content(method, url, answer)
            if time.monotonic() > end_s:
                raise CallError(f"{method} {url}: away for {self._patience_s:g} s ({answer})")
            time.sleep(PAUSE_S)

    def _try(
        self, method: str, url: str, body: Any, query: Mapping[str, str | int] | None
    ) -> httpx.Response | httpx.TransportError:
        try:
            return self._client.request(method, url, json=body, params=query)
        except httpx.TransportError as error:
            return error


def _content(method: str, url: str, answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    raise CallError(
        f"{method} {url}: {answer.status_code} {answer.text[:500]}", status=answer.status_code
    )
