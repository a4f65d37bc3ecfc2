"""Properties of the code itself that no off-the-shelf linter checks."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from contracts import topics
from contracts.event import Event

ROOT = Path(__file__).resolve().parents[1]
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
ROOMS = {"__init__", "__main__", "api", "consume", "decide", "model", "store", "migrations"}
ABSENT_ROOMS = {"directory": {"consume"}}  # it is where facts begin: it reads no topic
OPTIONAL_ROOMS = {"schedule", "gateway", "py.typed", "__pycache__"}
JUNK_DRAWERS = {"utils", "util", "helpers", "common", "misc", "shared", "base", "manager", "core"}
# A number of these is meaningless without its unit, and a fraction of anything is.
DIMENSIONS = {
    *("timeout", "delay", "interval", "duration", "period", "age", "elapsed", "patience"),
    *("size", "length", "memory", "heap", "weight", "distance", "capacity", "quantity"),
    *("amount", "price", "cost", "fee", "balance", "total", "sum", "share", "rate"),
}
UNITS = {
    *("us", "ms", "s", "bytes", "mb", "mib", "g", "m", "km", "deg", "latitude", "longitude"),
    *("minor", "units", "count", "ratio", "ppm", "bps", "percent", "index", "per"),
}
SERVICES = [path for path in (ROOT / "services").glob("*/src/*") if (path / "__init__.py").exists()]


def sources() -> Iterator[Path]:
    for pattern in ("libs/*/src", "services/*/src", "deploy/*/src", "cli/src"):
        for root in ROOT.glob(pattern):
            yield from root.rglob("*.py")


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in sources():
        yield path, ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", SERVICES, ids=lambda path: path.name)
def test_every_service_has_the_same_rooms(package: Path) -> None:
    rooms = {path.stem if path.suffix == ".py" else path.name for path in package.iterdir()}
    rooms -= OPTIONAL_ROOMS
    expected = ROOMS - ABSENT_ROOMS.get(package.name, set())
    assert rooms == expected, f"{package}: {sorted(rooms ^ expected)}"


@pytest.mark.parametrize("package", SERVICES, ids=lambda path: path.name)
def test_every_service_has_a_page_and_tests(package: Path) -> None:
    service = package.parents[1]
    assert (service / "README.md").exists()
    assert list((service / "tests").glob("test_*.py"))


@pytest.mark.parametrize("package", SERVICES, ids=lambda path: path.name)
def test_every_service_page_names_the_topics_it_reads_and_writes(package: Path) -> None:
    page = (package.parents[1] / "README.md").read_text(encoding="utf-8")
    bound = {getattr(topics, name) for name in bound_topics(package)}
    written = {topic for topic in topics.TOPICS.values() if topic.producer == package.name}
    missing = sorted(topic.name for topic in bound | written if topic.name not in page)
    assert not missing, f"{package.parents[1]}/README.md does not name {missing}"


def bound_topics(package: Path) -> set[str]:
    """Return the names of the topic constants that a service's handlers are bound to."""
    found: set[str] = set()
    for path in [package / "consume.py", *(package / "consume").glob("*.py")]:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found |= set(re.findall(r"consumer\.on\(\s*([A-Z_]+)", text))
    return found


def test_every_event_is_in_exactly_one_topic() -> None:
    carried = [event for topic in topics.TOPICS.values() for event in topic.events]
    assert len(carried) == len(set(carried)), "an event is in two topics"
    for path in (ROOT / "libs" / "contracts" / "src" / "contracts").glob("*.py"):
        import_module(f"contracts.{path.stem}" if path.stem != "__init__" else "contracts")
    assert set(Event.__subclasses__()) == set(carried)


def test_no_junk_drawers() -> None:
    assert not [path for path in sources() if path.stem in JUNK_DRAWERS]


def test_modules_and_functions_fit_in_the_head() -> None:
    for path, module in parsed():
        lines_count = path.read_text(encoding="utf-8").count("\n")
        assert lines_count <= MODULE_LINES_MAX, f"{path}: {lines_count} lines"
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines_count = (node.end_lineno or 0) - node.lineno + 1
                where = f"{path}:{node.lineno} {node.name}: {lines_count} lines"
                assert lines_count <= FUNCTION_LINES_MAX, where


def test_numbers_name_their_unit() -> None:
    nameless: list[str] = []
    for path, module in parsed():
        for node in ast.walk(module):
            match node:
                case ast.AnnAssign(
                    ast.Name(name), ast.Name("int" | "float" | "Decimal" as kind)
                ) | ast.arg(name, ast.Name("int" | "float" | "Decimal" as kind)) if lacks_unit(
                    name, kind
                ):
                    nameless.append(f"{path}:{node.lineno} {name}")
                case _:
                    pass
    assert not nameless, "\n".join(nameless)


def lacks_unit(name: str, kind: str) -> bool:
    """Tell whether a number needs a unit and has none; a plural says what it counts."""
    words = set(name.lower().split("_"))
    is_named = bool(words & UNITS) or any(word.endswith("s") for word in words)
    return not is_named and (kind != "int" or bool(words & DIMENSIONS))


def test_only_backbone_and_runtime_catch_every_exception() -> None:
    allowed = (ROOT / "libs" / "backbone", ROOT / "libs" / "runtime")
    for path, module in parsed():
        if any(path.is_relative_to(root) for root in allowed):
            continue
        for node in ast.walk(module):
            match node:
                case ast.ExceptHandler(type=None | ast.Name("Exception")):
                    pytest.fail(f"{path}:{node.lineno} catches every exception")
                case _:
                    pass


def test_every_dependency_is_in_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert "://" not in lock, "requirements.lock names an index; write it by `make lock`"
    for path in [*ROOT.glob("*/*/pyproject.toml"), ROOT / "cli" / "pyproject.toml"]:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        for dependency in project["dependencies"]:
            name = re.split(r"[^A-Za-z0-9-]", dependency, maxsplit=1)[0].lower()
            assert name in locked or name.startswith("yipan-"), f"{path}: {name}; run `make lock`"
