"""Bring data in: reference data from files, orders from files."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.progress import track

from yipan.commands.context import (
    EXIT_CODES,
    Exit,
    HomeOption,
    JsonOption,
    errors,
    out,
    print_json,
    reported,
    running,
)
from yipan.http import Services

BULK_ORDERS = 200
"""How many orders go into one request."""

app = typer.Typer(
    no_args_is_help=True,
    help="Bring reference data and orders in from files.",
    epilog=EXIT_CODES,
)
FileArgument = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file.")
]


@app.command()
def reference(
    file: FileArgument,
    home: HomeOption,
    section: Annotated[
        str | None, typer.Option(help="What a CSV file holds: goods, nodes, listings, …")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load parties, goods, nodes, shops, listings and agreements (YAML or CSV): all or nothing."""
    is_csv = file.suffix.lower() == ".csv"
    if is_csv and section is None:
        errors.print("a CSV file needs --section, the name of what it holds")
        raise typer.Exit(Exit.USAGE)
    path = f"/load?section={quote(section)}" if is_csv and section else "/load"
    content_type = "text/csv" if is_csv else "application/yaml"
    with reported(), Services(_urls(home)) as services:
        answer = services.send("directory", path, file.read_bytes(), content_type)
    if as_json:
        print_json(answer)
    else:
        out.print_json(data=answer)


@app.command()
def orders(file: FileArgument, home: HomeOption, as_json: JsonOption = False) -> None:
    """Send canonical orders, one JSON object a line, in the order of the file.

    Safe to repeat: an order that is there already gets the same answer again.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    results: list[Any] = []
    with reported(), Services(_urls(home)) as services:
        chunks = list(_chunks(_documents(file, lines)))
        for chunk in track(chunks, description="orders", disable=as_json):
            results += services.post("ingest", "/orders/bulk", {"orders": chunk})["results"]
    failed = [each for each in results if each["status"] >= 300]
    if as_json:
        print_json({"sent": len(results), "failed": failed})
    else:
        out.print(f"{len(results)} sent, {len(failed)} not accepted")
        out.print_json(data=failed)
    if failed:
        raise typer.Exit(Exit.REFUSED)


def _urls(home: Path) -> dict[str, str]:
    return {name: service.url for name, service in running(home).services.items()}


def _documents(file: Path, lines: Sequence[str]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            errors.print(f"{file}:{number}: not a JSON object: {error.msg}")
            raise typer.Exit(Exit.USAGE) from error


def _chunks(documents: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(documents, BULK_ORDERS)):
        yield chunk
