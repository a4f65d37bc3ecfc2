"""Logs: one JSON object a line, whoever writes it, and no values of rows or requests in it."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

# A process of its own, because logging belongs to the process.
PROGRAM = """
import logging, warnings
import asyncpg
from runtime import logs

logs.configure("quota", "info")
logs.logger().info("held", order_id="O-1", note="a\\nb")
logging.getLogger("backbone").warning("%d lanes", 3, extra={"reason": "gone"})
logging.getLogger("aiokafka").info("of no interest")
logging.getLogger("uvicorn.error").info("of no interest")
logs.logger().debug("below the level")
warnings.warn("old", stacklevel=1)
logs.logger().info("odd", what=set)

def fail():
    phone = "13800001111"
    error = asyncpg.UniqueViolationError("duplicate key value violates phone_unique")
    error.detail = f"Key (phone)=({phone}) already exists."
    raise error

try:
    try:
        fail()
    except Exception as error:
        raise RuntimeError("cannot save O-1") from error
except RuntimeError as error:
    logs.logger().error("request failed", exc_info=error)
    logging.getLogger("x").exception("again")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert not ended.stderr, ended.stderr.decode()
    return [json.loads(line) for line in ended.stdout.splitlines()]


def line_of(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    [line] = [line for line in lines if line["event"] == event]
    return line


def test_a_line_has_time_level_event_service_and_fields(lines: list[dict[str, Any]]) -> None:
    line = line_of(lines, "held")
    assert list(line)[:3] == ["time", "level", "event"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "held",
        "service": "quota",
        "order_id": "O-1",
        "note": "a\nb",
    }


def test_the_standard_library_and_warnings_write_the_same_lines(
    lines: list[dict[str, Any]],
) -> None:
    line = line_of(lines, "3 lanes")
    assert (line["level"], line["logger"], line["service"]) == ("warning", "backbone", "quota")
    assert [each["level"] for each in lines if each.get("logger") == "py.warnings"] == ["warning"]


def test_extra_fields_of_the_standard_library_are_kept(lines: list[dict[str, Any]]) -> None:
    assert line_of(lines, "3 lanes")["reason"] == "gone"


def test_what_is_below_the_level_or_of_no_interest_is_left_out(
    lines: list[dict[str, Any]],
) -> None:
    assert not [each for each in lines if each["event"] in {"of no interest", "below the level"}]


@pytest.mark.parametrize("event", ["request failed", "again"])
def test_an_error_is_told_without_rows_or_local_variables(
    lines: list[dict[str, Any]], event: str
) -> None:
    line = line_of(lines, event)
    assert [each["what"] for each in line["error"]] == [
        "RuntimeError: cannot save O-1",
        "UniqueViolationError: duplicate key value violates phone_unique",
    ]
    assert line["error"][1]["where"][-1].endswith(" fail")
    assert "13800001111" not in json.dumps(line)


def test_an_object_that_json_does_not_know_is_written_as_text(
    lines: list[dict[str, Any]],
) -> None:
    assert line_of(lines, "odd")["what"] == "<class 'set'>"


def test_importing_configures_nothing() -> None:
    assert not [each for each in logging.getLogger().handlers if "runtime" in type(each).__module__]
