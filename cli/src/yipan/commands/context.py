"""What the commands share: the home they work on, how they print, and their exit codes."""

from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from embedded import StackError
from yipan.home import Home, NotRunningError, Running, default_folder
from yipan.http import CallError

out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    REFUSED = 4


EXIT_CODES = (
    "Exit codes: 0 done; 1 failed, or differences found; 2 wrong usage; "
    "3 nothing runs in this home; 4 a service refused."
)

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="YIPAN_HOME",
        default_factory=default_folder,
        show_default="the user's state folder",
        help="Folder with the data, logs and addresses of this installation.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def running(folder: Path) -> Running:
    """Return what runs in a home; ends the command with NOT_RUNNING when nothing does."""
    with reported():
        return Home(folder).running()


@contextmanager
def reported() -> Generator[None]:
    """Turn the errors that a user can do something about into a message and an exit code."""
    try:
        yield
    except NotRunningError as error:
        errors.print(str(error))
        raise typer.Exit(Exit.NOT_RUNNING) from error
    except CallError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(Exit.REFUSED) from error
    except (StackError, OSError) as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(Exit.FAILED) from error


def print_json(content: Any) -> None:
    """Print a value as one indented JSON document on standard output."""
    typer.echo(msgspec.json.format(msgspec.json.encode(content)).decode())
