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
    await plant.started("back", 2)
    await asyncio.sleep(0.5)
    assert plant.kill("back", 0, signal.SIGTERM) == 0
    plant.start("back", 0)
    await plant.started("back", 0)
    assert plant.kill("back", 2, signal.SIGTERM) == 0
    await plant.done()
    await plant.check()


async def test_relays_die_between_send_and_delete(plant: Plant) -> None:
    for role in ("front", "back"):
        for number in (0, 1):
            plant.kill(role, number)
            plant.start(role, number, "die-before-delete")
    await plant.want(100)
    died: list[int] = []
    try:
        async with asyncio.timeout(40):
            while len(died) < 5:
                died += plant.start_dead_again("die-before-delete")
                await asyncio.sleep(0.1)
    finally:
        for role in ("front", "back"):
            for number in (0, 1):
                plant.kill(role, number)
                plant.start(role, number)
    assert set(died) == {-signal.SIGKILL}
    await plant.done()
    await plant.check()


async def test_a_frozen_replica_wakes_up_as_a_zombie(plant: Plant) -> None:
    await plant.want(200)
    await asyncio.sleep(0.5)
    for role in ("front", "back"):
        plant.replicas[f"{role}0"].send_signal(signal.SIGSTOP)
    await plant.want(100)
    await asyncio.sleep(7.5)
    for role in ("front", "back"):
        plant.replicas[f"{role}0"].send_signal(signal.SIGCONT)
    await plant.want(100)
    await plant.done()
    await plant.check()


async def test_the_broker_is_killed(plant: Plant) -> None:
    await plant.want(300)
    await asyncio.sleep(0.7)
    plant.stack.kafka.kill()
    await asyncio.sleep(0.5)
    await asyncio.to_thread(plant.stack.kafka.start)
    await plant.done()
    await plant.check()


async def test_the_database_is_killed(plant: Plant) -> None:
    await plant.want(300)
    await asyncio.sleep(0.7)
    plant.stack.postgres.kill()
    await asyncio.sleep(0.3)
    await asyncio.to_thread(plant.stack.postgres.start)
    await plant.done()
    await plant.check()


async def test_a_signal_stops_everything_with_status_0(plant: Plant) -> None:
    for role in ("front", "back"):
        for number in (0, 1):
            await plant.started(role, number)
    assert set(plant.stop_all()) == {0}


async def test_processes_without_progress_end_themselves(plant: Plant) -> None:
    hanging, blocked = plant.start("back", 0, "hang"), plant.start("back", 1, "block")
    for number in (0, 1):
        await plant.started("back", number)
        plant.start("front", number)
    await plant.want(30)
    statuses = await asyncio.gather(
        asyncio.to_thread(hanging.wait, 40), asyncio.to_thread(blocked.wait, 40)
    )
    assert statuses == [1, 70]
    plant.start("back", 0)
    await plant.done()
    await plant.check()
    plant.stop_all()
