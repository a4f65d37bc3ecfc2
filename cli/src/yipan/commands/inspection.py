"""Look into the flow: order, verify, topics."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from yipan import topics as kafka_topics
from yipan.commands.context import (
    Exit,
    HomeOption,
    JsonOption,
    out,
    print_json,
    reported,
    running,
)
from yipan.demo.summary import checks_table
from yipan.http import Services
from yipan.topics import TopicReport, TopicState
from yipan.verify import reconcile
from yipan.verify.databases import Databases


def order(
    order_id: Annotated[str, typer.Argument(help="The order's id.")],
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Show where an order stands and everything that happened to it, by whom and when."""
    urls = {name: service.url for name, service in running(home).services.items()}
    with reported(), Services(urls, patience_s=0) as services:
        found = services.get("ingest", f"/orders/{order_id}")
        timeline = list(services.pages("ingest", f"/orders/{order_id}/timeline"))
    if as_json:
        print_json({"order": found, "timeline": timeline})
        return
    out.print(_order_table(found))
    out.print(_timeline_table(timeline))


def verify(home: HomeOption, as_json: JsonOption = False) -> None:
    """Compare the books of all services with each other; status 1 when anything differs.

    Exact when nothing is under way; otherwise run it again.
    """
    urls = {name: service.database_url for name, service in running(home).services.items()}
    with reported(), Databases(urls) as databases:
        report = reconcile(databases)
    if as_json:
        print_json(report)
    else:
        out.print(checks_table(report))
    if report.differences:
        raise typer.Exit(Exit.FAILED)


def topics(
    home: HomeOption,
    apply: Annotated[bool, typer.Option("--apply", help="Make the missing ones.")] = False,
    bootstrap: Annotated[
        str | None, typer.Option(help="Brokers of an installation that this tool did not start.")
    ] = None,
    replication: Annotated[int, typer.Option(min=1, help="Copies of a topic made anew.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare the topics on the broker with their contracts; --apply makes the missing ones."""
    brokers = bootstrap or running(home).bootstrap
    with reported():
        reports = asyncio.run(
            kafka_topics.apply(brokers, replication) if apply else kafka_topics.compare(brokers)
        )
    if as_json:
        print_json([_topic_json(report) for report in reports])
    else:
        out.print(_topic_table(reports))
    if any(each.state in {TopicState.MISSING, TopicState.WRONG_PARTITIONS} for each in reports):
        raise typer.Exit(Exit.FAILED)


def _topic_json(report: TopicReport) -> dict[str, Any]:
    return {
        "topic": report.topic.name,
        "producer": report.topic.producer,
        "key": report.topic.key,
        "partitions": report.topic.partitions,
        "partitions_found": report.partitions_found,
        "state": report.state,
    }


def _topic_table(reports: list[TopicReport]) -> Table:
    table = Table("topic", "written by", "key", "partitions", "events", "state")
    for each in reports:
        events = ", ".join(event.__name__ for event in each.topic.events)
        table.add_row(
            each.topic.name,
            each.topic.producer,
            each.topic.key,
            str(each.topic.partitions),
            events or "any",
            each.state,
        )
    return table


def _order_table(found: dict[str, Any]) -> Table:
    title = f"order {found['order_number']} of {found['shop_id']}: {found['status']}"
    names = [name for name in found["counters"] if any(_counted(found, name))]
    table = Table("line", "article", *(name.removesuffix("_units") for name in names), title=title)
    for line in found["lines"]:
        units = (str(line["counters"][name]) for name in names)
        table.add_row(line["line_id"], line["sku"], *units)
    return table


def _counted(found: dict[str, Any], name: str) -> list[int]:
    return [line["counters"][name] for line in found["lines"]]


def _timeline_table(timeline: list[dict[str, Any]]) -> Table:
    table = Table("when", "who", "what", "detail", "event")
    for entry in timeline:
        detail = " ".join(f"{name}={value}" for name, value in entry["detail"].items())
        table.add_row(
            entry["occurred_at"], entry["actor"], entry["what"], detail, entry["event_id"] or ""
        )
    return table
