"""Make .venv hold what requirements.lock says; a second run with nothing changed is free."""

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements.lock"
BOOTSTRAP = ROOT / "tools" / "bootstrap.lock"
STAMP = VENV / "ready"


def main() -> None:
    """Set up unless the stamp says that it was done for these very files."""
    members = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))
    members.append(ROOT / "cli")
    with REQUIREMENTS.open(encoding="utf-8") as lock:
        # One set-up at a time: a second one waits here and then finds nothing to do.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = fingerprint(members)
        if not (STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted):
            STAMP.unlink(missing_ok=True)
            install(members)
            STAMP.write_text(wanted, encoding="utf-8")
            say("ready in .venv")


def fingerprint(members: Sequence[Path]) -> str:
    """Return a digest of what decides the environment: interpreter, locks, members' metadata."""
    digest = hashlib.sha256(sys.version.encode())
    for path in [REQUIREMENTS, BOOTSTRAP, *(member / "pyproject.toml" for member in members)]:
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def install(members: Sequence[Path]) -> None:
    """Install uv by pip, the locked packages by uv, the members as editable."""
    if not is_environment_usable():
        create_environment()
    python = str(VENV / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", str(BOOTSTRAP)])
    say("installing the locked packages")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", python]
    run([*uv, "--require-hashes", "-r", str(REQUIREMENTS)])
    say(f"installing {len(members)} members")
    editable = [word for member in members for word in ("-e", str(member))]
    run([*uv, "--no-deps", "--no-build-isolation", *editable])


def is_environment_usable() -> bool:
    """Tell whether .venv was made by this Python's version and its interpreter is still there."""
    packages = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return packages.exists() and (VENV / "bin" / "python").exists()


def create_environment() -> None:
    """Create .venv anew, or say which package of the system it lacks."""
    if not find_spec("ensurepip"):
        sys.exit(
            f"This Python cannot make virtual environments: {sys.executable}\n"
            "On Debian and Ubuntu: apt install python3-venv"
        )
    say(f"creating .venv with {sys.executable}")
    venv.create(VENV, with_pip=True, symlinks=True, clear=VENV.exists())


def run(command: Sequence[str]) -> None:
    """Run an installer; what it prints says what went wrong."""
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    if subprocess.run(command, env=environment, check=False).returncode:
        sys.exit(f"setup: this failed, see the lines above: {' '.join(command[:5])} ...")


def say(what: str) -> None:
    """Tell the person at the terminal what takes the time."""
    print(f"setup: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
