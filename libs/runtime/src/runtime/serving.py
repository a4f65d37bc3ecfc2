"""HTTP served inside an event loop that others share."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from runtime.protocol import bounded_protocol
from runtime.settings import HttpSettings

KEEP_ALIVE_S = 30
BACKLOG_CONNECTIONS = 512


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own and stops its parts in order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


def make_server(app: ASGIApp, settings: HttpSettings, stop_timeout_s: int) -> Server:
    """Return a server for `serve`; when stopped, requests have `stop_timeout_s` to end."""
    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=stop_timeout_s,
    )
    return Server(config)


async def serve(server: Server, listener: socket.socket) -> None:
    """Serve until cancelled; then requests in hand are finished before this ends."""
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        server.should_exit = True
        await task
        raise


def listen(settings: HttpSettings) -> socket.socket:
    """Return a socket that listens where the settings say; OSError when it cannot."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = (settings.host, settings.port)
    return socket.create_server(address, family=family, backlog=BACKLOG_CONNECTIONS)
