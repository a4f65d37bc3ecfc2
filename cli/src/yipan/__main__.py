"""The `yipan` command: run an installation, look into it, feed it, prove it."""

import typer

from yipan.commands import dead_letters, demonstration, feeding, inspection, running
from yipan.commands.context import EXIT_CODES

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Yipan 一盘货: orders, stock, limits and settlement of a brand and its dealers.",
    epilog=EXIT_CODES,
)
for command in (
    running.up,
    running.down,
    running.status,
    running.reset,
    demonstration.demo,
    inspection.order,
    inspection.verify,
    inspection.topics,
):
    app.command(epilog=EXIT_CODES)(command)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(feeding.app, name="load")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
