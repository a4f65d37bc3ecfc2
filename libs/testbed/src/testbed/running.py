"""A service as a process of its own, as it runs in production."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx

from embedded.ports import free_ports
from embedded.processes import ServerProcess

READY_TIMEOUT_S = 40
STOP_TIMEOUT_S = 15
POLL_S = 0.05


class RunningService:
    """One replica of a service; `kill` and `start` again as often as a test likes."""

    def __init__(self, package: str, bootstrap: str, database_url: str, folder: Path) -> None:
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.database_url = database_url
        self._package = package
        variables = {
            "YIPAN_DATABASE_URL": database_url,
            "YIPAN_KAFKA_BOOTSTRAP": bootstrap,
            "YIPAN_HTTP_PORT": str(port),
        }
        self.process = ServerProcess(
            package, folder / f"{package}-{port}.log", signal.SIGKILL, variables=variables
        )

    async def start(self) -> None:
        """Start the process and return when it says that it is ready.

        Raises:
            StackError: it ended, or is not ready in time; the message carries its log's tail.
        """
        self.process.start([sys.executable, "-m", self._package, "run"])
        await asyncio.to_thread(self.process.wait_until, self.is_ready, READY_TIMEOUT_S)

    def is_ready(self) -> bool:
        """Tell whether the service says that it takes work."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End the process without warning, as a crash does."""
        self.process.kill()

    def stop(self) -> None:
        """Ask the process to end, and wait for it."""
        self.process.stop(signal.SIGTERM, STOP_TIMEOUT_S)
