"""A directory that knows one shop, and the way to hand orders in."""

import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ingest_builders import Api, entries

from ingest.consume import consumer
from testbed.bench import Bench


@pytest.fixture
async def api(client: httpx.AsyncClient, apply: Bench) -> Api:
    """The API of a service whose directory knows shop, listings, goods and agreement."""
    await apply(consumer, entries())
    return Api(client, apply)
