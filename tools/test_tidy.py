"""Properties of the code itself that no off-the-shelf linter checks."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
ROOMS = {"__init__", "__main__", "api", "consume", "decide", "model", "store", "migrations"}
OPTIONAL_ROOMS = {"schedule", "gateway", "py.typed", "__pycache__"}
JUNK_DRAWERS = {"utils", "util", "helpers", "common", "misc", "shared", "base", "manager", "core"}
UNITS = {"minor", "count", "ratio", "rate", "max", "min", "ppm", "bps", "ms", "s", "g"}
ORDINALS = {
    *("attempt", "index", "offset", "partition", "pid", "port", "priority", "rank"),
    *("sequence", "tier", "version"),
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
    if "api" not in rooms:
        pytest.skip("not built yet: it has no entrance")
    assert rooms - OPTIONAL_ROOMS == ROOMS, f"{package}: {sorted((rooms - OPTIONAL_ROOMS) ^ ROOMS)}"


@pytest.mark.parametrize("package", SERVICES, ids=lambda path: path.name)
def test_every_service_has_a_page_and_tests(package: Path) -> None:
    if not (package / "api.py").exists() and not (package / "api").exists():
        pytest.skip("not built yet: it has no entrance")
    service = package.parents[1]
    assert (service / "README.md").exists()
    assert list((service / "tests").glob("test_*.py"))


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


def is_measure(word: str) -> bool:
    """Tell whether a word says what a number counts: a unit, an ordinal, things in the plural."""
    return word in UNITS | ORDINALS or word.endswith("s")


def test_numbers_name_their_unit() -> None:
    nameless: list[str] = []
    for path, module in parsed():
        for node in ast.walk(module):
            match node:
                case ast.AnnAssign(ast.Name(name), ast.Name("int" | "float" | "Decimal")):
                    if not any(map(is_measure, name.lower().split("_"))):
                        nameless.append(f"{path}:{node.lineno} {name}")
                case _:
                    pass
    assert not nameless, "\n".join(nameless)


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
