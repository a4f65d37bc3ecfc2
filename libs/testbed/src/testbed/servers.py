"""Where the tests' Kafka and PostgreSQL come from: embedded, containers, or addresses given."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from embedded import KafkaOptions, Stack, StackError, start

VARIABLE = "YIPAN_STACK"
KAFKA_HEAP_MB = 256
# Tests kill processes, never the machine, so what the kernel holds is safe.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


@dataclass(frozen=True, slots=True)
class Servers:
    """A broker and a database server; `processes` are theirs, where embedded."""

    bootstrap: str
    admin_url: str = field(repr=False)
    processes: Stack | None = None


@contextmanager
def open_servers() -> Generator[Servers]:
    """Open what YIPAN_STACK names: `embedded` (the default), `containers` or `urls`."""
    match os.environ.get(VARIABLE, "embedded"):
        case "embedded":
            folder = tempfile.TemporaryDirectory(prefix="yipan-test-")
            with folder as name, _embedded(Path(name)) as servers:
                yield servers
        case "containers":
            # Imported when asked for: it takes a second, and most runs use no container.
            from testbed.containers import open_containers  # noqa: PLC0415

            with open_containers() as servers:
                yield servers
        case "urls":
            yield _named()
        case other:
            pytest.exit(f"{VARIABLE} is embedded, containers or urls, not {other!r}", returncode=4)


@contextmanager
def _embedded(folder: Path) -> Generator[Servers]:
    options = KafkaOptions(heap_mb=KAFKA_HEAP_MB, quick_start=True)
    try:
        stack = start(folder, kafka=options, postgres=POSTGRES)
    except StackError as error:
        # Once, instead of the same error for every test that needs it.
        pytest.exit(f"no Kafka and PostgreSQL for the tests:\n{error}", returncode=1)
    with stack:
        yield Servers(stack.bootstrap, stack.postgres.admin_url, stack)


def _named() -> Servers:
    try:
        return Servers(os.environ["YIPAN_KAFKA_BOOTSTRAP"], os.environ["YIPAN_POSTGRES_URL"])
    except KeyError as missing:
        pytest.exit(
            f"{VARIABLE}=urls needs {missing.args[0]} (YIPAN_POSTGRES_URL is an administrator's, "
            "who may create databases and roles)",
            returncode=4,
        )
