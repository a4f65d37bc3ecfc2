"""A small order API, served over real HTTP."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from runtime_sample import Serve, Served, serve_sample

from runtime.settings import HttpSettings

# A slow machine is no fault of the code under test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def serving() -> Serve:
    """Serve the API with other settings, by `async with`."""
    return serve_sample


@pytest.fixture(scope="session")
async def shared() -> AsyncGenerator[Served]:
    """The API, served once for all tests with the settings that services have by default."""
    async with serve_sample(HttpSettings(port=0)) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Served:
    """The shared API, emptied."""
    shared.sample.reset()
    return shared
