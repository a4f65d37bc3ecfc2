"""Ports on the loopback address."""

import secrets
import socket

from embedded.errors import PortTaken

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections: a client that keeps
# knocking at a stopped server on a port of that range may end up connected to itself and hold it.
FIRST_PORT = 20_000
LAST_PORT = 31_999
TRIES_MAX = 200


def free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on.

    Raises:
        PortTaken: none was found in a reasonable number of tries.
    """
    found: list[int] = []
    for _ in range(TRIES_MAX):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT + 1)
        if port not in found and is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise PortTaken(f"no free ports between {FIRST_PORT} and {LAST_PORT} on {LOOPBACK}")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port."""
    with socket.socket() as probe:
        # As servers do; otherwise connections that are just closing would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True
