"""Check that every member declares what it imports and imports what it declares."""

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEPTRY = ROOT / ".venv" / "bin" / "deptry"


def main() -> None:
    """Print what deptry finds, member by member; exit 1 when it finds anything."""
    members = [*sorted(ROOT.glob("*/*/pyproject.toml")), ROOT / "cli" / "pyproject.toml"]
    projects = [tomllib.loads(path.read_text(encoding="utf-8")) for path in members]
    # Editable members have no list of their modules, so deptry is told.
    modules = ",".join(
        f"{project['project']['name']}={project['tool']['uv']['build-backend']['module-name']}"
        for project in projects
    )
    with ThreadPoolExecutor(max_workers=2) as pool:
        findings = pool.map(partial(examine, modules=modules), (path.parent for path in members))
        sys.exit("\n".join(filter(None, findings)) or None)


def examine(member: Path, *, modules: str) -> str:
    """Return deptry's findings on one member, empty when there are none."""
    done = subprocess.run(
        [DEPTRY, "src", "--no-ansi", "--package-module-name-map", modules],
        cwd=member,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{member.relative_to(ROOT)}:\n{done.stderr}" if done.returncode else ""


if __name__ == "__main__":
    main()
