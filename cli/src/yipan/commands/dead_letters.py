"""Work through dead letters: list, show, redrive, discard."""

from typing import Annotated

import typer
from rich.table import Table

from yipan import dead_letters
from yipan.commands.context import (
    EXIT_CODES,
    Exit,
    HomeOption,
    JsonOption,
    errors,
    out,
    print_json,
    running,
)
from yipan.dead_letters import DeadLetter, Verdict
from yipan.home import SERVICES

app = typer.Typer(
    no_args_is_help=True,
    help="Records that a service could not apply, kept with their bytes.",
    epilog=EXIT_CODES,
)

ServiceArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
IdArgument = Annotated[int, typer.Argument(help="The dead letter's number in that service.")]
IdsArgument = Annotated[list[int], typer.Argument(help="Numbers in that service.")]


@app.command("list")
def list_open(home: HomeOption, as_json: JsonOption = False) -> None:
    """List what is not settled yet, in all services."""
    services = running(home).services
    found = dead_letters.find_open({name: each.database_url for name, each in services.items()})
    if as_json:
        print_json(found)
    else:
        out.print(_table(found))


@app.command()
def show(
    service: ServiceArgument, number: IdArgument, home: HomeOption, as_json: JsonOption = False
) -> None:
    """Show one record as it was read. Payloads may be large and are printed whole."""
    found = dead_letters.find(_database_url(home, service), number)
    if found is None:
        errors.print(f"{service} has no dead letter {number}")
        raise typer.Exit(Exit.REFUSED)
    if as_json:
        print_json(found)
        return
    out.print(_table([found]))
    out.print(found.headers, markup=False)
    out.print(found.payload, markup=False)


@app.command()
def redrive(service: ServiceArgument, numbers: IdsArgument, home: HomeOption) -> None:
    """Have a service apply records again, each followed by those that wait behind it."""
    _decide(home, service, numbers, Verdict.REDRIVE)


@app.command()
def discard(service: ServiceArgument, numbers: IdsArgument, home: HomeOption) -> None:
    """Give records up for good; those that wait behind them go on. They stay on record."""
    _decide(home, service, numbers, Verdict.DISCARD)


def _decide(home: HomeOption, service: str, numbers: list[int], verdict: Verdict) -> None:
    decided = dead_letters.decide(_database_url(home, service), numbers, verdict)
    out.print(f"{service}: {verdict} asked for {decided or 'none'}")
    if refused := sorted(set(numbers) - set(decided)):
        errors.print(f"{service} has no open dead letter {refused}")
        raise typer.Exit(Exit.REFUSED)


def _database_url(home: HomeOption, service: str) -> str:
    services = running(home).services
    if service not in services:
        errors.print(f"{service!r} is no service; there are {', '.join(services)}")
        raise typer.Exit(Exit.USAGE)
    return services[service].database_url


def _table(found: list[DeadLetter]) -> Table:
    table = Table("service", "number", "topic", "place", "key", "reason", "state", "since")
    for each in found:
        table.add_row(
            each.service,
            str(each.dead_letter_id),
            each.topic,
            f"{each.partition}:{each.record_offset}",
            each.key,
            each.reason,
            each.state,
            each.recorded_at.isoformat(timespec="seconds"),
        )
    return table
