"""The example reader of the settlement topics: every journal once, also when it is killed."""

import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from yipan.demo import performance, qinghe
from yipan.home import Home

ORDERS = 60
KILL_AFTER_S = (0.9, 1.1, 1.4)


@pytest.fixture(scope="module")
def command(home: Home, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The example's command line, on journals that are there."""
    story = qinghe.tell(ORDERS, seed=13, prefix="D")
    performance.perform(home, story, kill_every_s=None, seed=13)
    return [
        sys.executable,
        str(folder / "docs" / "how-to" / "consume_settlement.py"),
        "--bootstrap",
        home.running().bootstrap,
        "--database",
        str(tmp_path_factory.mktemp("downstream") / "journals.db"),
    ]


def test_a_reader_that_is_killed_has_every_entry_once(home: Home, command: list[str]) -> None:
    for seconds in KILL_AFTER_S:
        reader = subprocess.Popen(command)
        time.sleep(seconds)
        reader.kill()
        reader.wait()
    shown = subprocess.run(
        [*command, "--until-idle", "3"], capture_output=True, text=True, check=True, timeout=60
    )
    assert re.fullmatch(r"\d+ entries, sum 0\n", shown.stdout)
    copied = sqlite3.connect(command[-1]).execute("SELECT count(*) FROM entry").fetchone()[0]
    with psycopg.connect(home.running().services["settlement"].database_url) as connection:
        booked = connection.execute("SELECT count(*) FROM entry").fetchone()
    assert booked == (copied,)
