"""The service as a process of its own, on the real broker."""

import httpx

from contracts.topics import DIRECTORY_ENTRIES
from testbed.broker import Broker
from testbed.running import RunningService


async def test_a_loaded_file_is_published_across_a_crash(
    broker: Broker, running_service: RunningService, group: bytes
) -> None:
    headers = {"Content-Type": "application/yaml"}
    async with httpx.AsyncClient(base_url=running_service.url, timeout=20) as http:
        (await http.post("/load", content=group, headers=headers)).raise_for_status()
        running_service.kill()
        await running_service.start()
        assert len(await broker.collect(DIRECTORY_ENTRIES, 13)) == 13
        (await http.post("/republish")).raise_for_status()
        assert len(await broker.collect(DIRECTORY_ENTRIES, 26)) == 26
