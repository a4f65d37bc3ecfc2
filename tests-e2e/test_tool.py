"""The command-line tool on an installation that runs: what it prints and how it ends."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from yipan.home import SERVICES, Home

Tool = Callable[..., subprocess.CompletedProcess[str]]
Waiter = Callable[[Callable[[], Any], Callable[[Any], bool]], Any]
READERS = {"ingest", "quota", "routing", "settlement"}
STRAY = "no event of ours"


def test_status_shows_every_service_ready(yipan: Tool, wait_for: Waiter) -> None:
    shown = wait_for(lambda: yipan("status", "--json"), lambda shown: shown.returncode == 0)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["ready"] == dict.fromkeys(SERVICES, "ready")


def test_topics_are_as_the_contracts_say(yipan: Tool) -> None:
    shown = yipan("topics", "--json")
    assert shown.returncode == 0
    assert {topic["state"] for topic in json.loads(shown.stdout)} == {"ok"}


def test_an_unknown_order_is_refused_by_name(yipan: Tool) -> None:
    shown = yipan("order", "ghost")
    assert shown.returncode == 4
    assert "ghost" in shown.stderr


def test_nothing_running_has_its_own_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yipan", "status", "--home", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 3
    assert "yipan up" in shown.stderr


def test_reference_data_with_a_fault_names_its_line(yipan: Tool, tmp_path: Path) -> None:
    file = tmp_path / "goods.yaml"
    file.write_text(
        "goods:\n  - {goods_id: G1, brand_id: ghost, name: G, product_line: p, weight_g: -1,\n"
        "     list_price_minor: 1, currency: CNY}\n"
    )
    shown = yipan("load", "reference", str(file))
    assert shown.returncode == 4
    assert "line 2" in shown.stderr


def test_reference_data_is_loaded_once(yipan: Tool, tmp_path: Path) -> None:
    file = tmp_path / "entities.yaml"
    file.write_text(
        "legal_entities:\n"
        "  - {legal_entity_id: le-tool, name: Tool, currency: CNY, timezone: Asia/Shanghai}\n"
    )
    first, second = (yipan("load", "reference", str(file), "--json") for _ in range(2))
    assert json.loads(first.stdout)["defined"] == 1
    assert json.loads(second.stdout)["unchanged"] == 1


def test_orders_that_are_no_orders_are_counted_and_refused(yipan: Tool, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text('{"channel": "tool"}\n')
    shown = yipan("load", "orders", str(file), "--json")
    assert shown.returncode == 4
    assert json.loads(shown.stdout)["failed"][0]["status"] == 422


@pytest.mark.parametrize("command", ["up", "down", "demo", "order", "verify", "dead-letters"])
def test_every_command_has_help(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "yipan", command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0
    assert "Exit codes" in shown.stdout


def test_a_stray_record_is_set_aside_and_given_up(
    yipan: Tool, home: Home, wait_for: Waiter
) -> None:
    """A stranger writes to a topic of ours; every reader keeps the record for an operator."""
    asyncio.run(_write_stray_record(home))
    letters = wait_for(lambda: _dead_letters(yipan), lambda found: len(found) == len(READERS))
    assert {each["service"] for each in letters} == READERS
    for letter in letters:
        service, number = letter["service"], str(letter["dead_letter_id"])
        shown = json.loads(yipan("dead-letters", "show", service, number, "--json").stdout)
        assert shown["payload"] == STRAY
        assert yipan("dead-letters", "discard", service, number).returncode == 0
    assert wait_for(lambda: _dead_letters(yipan), lambda found: not found) == []
    assert yipan("dead-letters", "redrive", "quota", "999999").returncode == 4


def _dead_letters(yipan: Tool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(yipan("dead-letters", "list", "--json").stdout)
    return found


async def _write_stray_record(home: Home) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=home.running().bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait("ingest.orders", STRAY.encode(), key=b"ghost", partition=0)
    finally:
        await producer.stop()
