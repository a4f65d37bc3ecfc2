"""Run a story from its first order to a balanced ledger, and prove it: demo."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from yipan import supervisor
from yipan.commands import running as running_commands
from yipan.commands.context import (
    Exit,
    HomeOption,
    JsonOption,
    errors,
    out,
    print_json,
    reported,
)
from yipan.demo import olist, performance, qinghe
from yipan.demo.olist_files import OlistError
from yipan.demo.story import Story
from yipan.home import Home


def demo(
    home: HomeOption,
    olist_folder: Annotated[
        Path | None,
        typer.Option("--olist", metavar="DIR", help="Run the public Olist files in this folder."),
    ] = None,
    orders: Annotated[
        int | None, typer.Option(min=1, help="How many orders; without, the whole story.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    kill_every: Annotated[
        float | None,
        typer.Option(min=0.5, metavar="SECONDS", help="Kill -9 a random process that often."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running at the end, to look at.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start everything, run some thousand orders to their end, and reconcile all books.

    The demo has a home of its own (`demo` below --home) and begins it anew each time.
    """
    place = Home(home / "demo")
    with reported():
        story = _story(olist_folder, orders, seed)
        _require_idle(place)
        running_commands.erase(place)
        process = supervisor.launch(place, death_signal=None if keep else signal.SIGTERM)
        try:
            supervisor.wait_ready(place, process)
            result = performance.perform(place, story, kill_every_s=kill_every, seed=seed)
        except performance.StoryStuckError as error:
            errors.print(f"{error}; the logs are in {place.logs}")
            raise typer.Exit(Exit.FAILED) from error
        finally:
            if not keep:
                process.stop(signal.SIGTERM, running_commands.STOP_TIMEOUT_S)
    if as_json:
        print_json(result)
    else:
        performance.show(result, out)
        if keep:
            out.print(f"still running; look at it with: yipan status --home {place.folder}")
    if not result.is_good:
        raise typer.Exit(Exit.FAILED)


def _story(olist_folder: Path | None, orders: int | None, seed: int) -> Story:
    if olist_folder is None:
        return qinghe.tell(orders or qinghe.ORDERS_DEFAULT, seed)
    try:
        return olist.tell(olist_folder, orders, seed)
    except OlistError as error:
        errors.print(str(error))
        raise typer.Exit(Exit.USAGE) from error


def _require_idle(place: Home) -> None:
    if place.is_running():
        errors.print(f"a demo runs in {place.folder}; stop it: yipan down --home {place.folder}")
        raise typer.Exit(Exit.FAILED)
