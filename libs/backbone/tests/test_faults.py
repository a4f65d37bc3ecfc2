"""Exactly once in effect, on a real broker and database, whatever is killed."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from backbone_plant import Plant
from embedded.stack import Stack


@pytest.fixture(scope="module")
async def plant(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    databases = stack.create_database("fault_front"), stack.create_database("fault_back")
    plant = Plant(stack, tmp_path_factory.mktemp("plant"), *databases)
    await plant.prepare()
    plant.start_all()
    yield plant
    plant.stop_all()


async def test_everything_is_applied_once(plant: Plant) -> None:
    await plant.want(200)
    await plant.done()
    await plant.check()


async def test_backs_are_killed(plant: Plant) -> None:
    await plant.want(400)
    for turn in range(4):
        await asyncio.sleep(0.5)
        plant.kill("back", turn % 2)
        plant.start("back", turn % 2)
    await plant.done()
    await plant.check()


async def test_fronts_are_killed(plant: Plant) -> None:
    await plant.want(400)
    for turn in range(4):
        await asyncio.sleep(0.4)
        plant.kill("front", turn % 2)
        plant.start("front", turn % 2)
    await plant.done()
    await plant.check()


async def test_replicas_come_and_go(plant: Plant) -> None:
    await plant.want(400)
    plant.start("back", 2)
    await asyncio.sleep(1)
    assert plant.kill("back", 0, signal.SIGTERM) == 0
    await asyncio.sleep(0.5)
    plant.start("back", 0)
    assert plant.kill("back", 2, signal.SIGTERM) == 0
    await plant.done()
    await plant.check()
