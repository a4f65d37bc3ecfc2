"""Make .venv hold exactly what requirements.lock says; a second run with nothing changed is free.

Runs on the Python that is there, of any version, so that it can say what is missing.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON_MIN = (3, 11)


def main() -> None:
    """Create the environment, install the locked packages, then the members as editable."""
    if sys.version_info < PYTHON_MIN:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            "Yipan needs Python 3.11 or newer; {} is {}.\n"
            "Name a newer one: make setup PYTHON=python3.12".format(sys.executable, found)
        )
    with_lock(install)


def with_lock(step):
    """Let one set-up run at a time: a second one waits and then finds nothing to do."""
    import fcntl

    with (ROOT / "requirements.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        step()


def install() -> None:
    """Install everything unless the stamp says that it was done for these very files."""
    members = sorted(path.parent for path in member_files())
    stamp = VENV / "ready"
    wanted = fingerprint(members)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    create_environment()
    python = str(VENV / "bin" / "python")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", python]
    say("installing the locked packages")
    run([*uv, "--require-hashes", "-r", str(ROOT / "requirements.lock")])
    say("installing {} members".format(len(members)))
    editable = [word for member in members for word in ("-e", str(member))]
    run([*uv, "--no-deps", "--no-build-isolation", *editable])
    stamp.write_text(wanted)
    say("ready in .venv")


def create_environment() -> None:
    """Create .venv with pip and uv, whose wheel is the only thing pip installs."""
    if not is_usable():
        say("creating .venv with {}".format(sys.executable))
        try:
            import ensurepip  # noqa: F401 - Debian ships it apart
            import venv
        except ImportError:
            sys.exit(
                "This Python has no venv module: {}\n"
                "On Debian and Ubuntu: apt install python3-venv".format(sys.executable)
            )
        venv.create(VENV, with_pip=True, symlinks=True, clear=VENV.exists())
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    lock = str(ROOT / "tools" / "bootstrap.lock")
    run([*pip, "install", "--quiet", "--require-hashes", "-r", lock])


def is_usable():
    """Tell whether .venv was made by this Python's version and its interpreter is still there."""
    packages = VENV / "lib" / "python{}.{}".format(*sys.version_info[:2])
    return packages.exists() and (VENV / "bin" / "python").exists()


def member_files():
    """Yield the pyproject.toml of every member of the workspace."""
    for pattern in ("libs/*", "services/*", "deploy/embedded", "cli"):
        yield from ROOT.glob(pattern + "/pyproject.toml")


def fingerprint(members) -> str:
    """Return what the environment depends on: the interpreter, the locks, the members' metadata."""
    import hashlib

    digest = hashlib.sha256(sys.version.encode())
    locks = [ROOT / "requirements.lock", ROOT / "tools" / "bootstrap.lock"]
    for path in [*locks, *(member / "pyproject.toml" for member in members)]:
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def run(command) -> None:
    """Run an installer; what it prints says what went wrong."""
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        sys.exit("setup: this failed, see the lines above: {}".format(" ".join(command)))


def say(what) -> None:
    """Tell the person at the terminal what takes the time."""
    print("setup: " + what, file=sys.stderr, flush=True)


main()
