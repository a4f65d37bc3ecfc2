"""A service: its name, its entrances, and the commands of its process."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from backbone import Consumer, Database, Progress, Schedule
from contracts.topics import TOPICS
from runtime import migrations
from runtime.application import make_application
from runtime.database import DatabaseAccess
from runtime.edge import Edge
from runtime.limits import Limits
from runtime.settings import HttpSettings, ProcessSettings, load


class Service:
    """What a service is made of; a service's `__main__` makes one and calls `main`.

    `name` is also the name of the package, of the Kafka group and of the producer of its topics.
    """

    def __init__(
        self,
        name: str,
        *,
        title: str,
        router: APIRouter | None = None,
        consumer: Consumer | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self.name = name
        self.title = title
        self.routers = [] if router is None else [router]
        self.consumer = consumer
        self.schedule = schedule

    @property
    def version(self) -> str:
        """The version of the product; its parts are released together."""
        return version("yipan-runtime")

    def application(
        self,
        database: Database,
        progress: Progress | None = None,
        settings: HttpSettings | None = None,
    ) -> ASGIApp:
        """Return the HTTP application as it is served, limits and problems included."""
        app = self._application()
        app.state.access = DatabaseAccess(database)
        app.state.progress = progress or Progress()
        return Edge(Limits(app, settings or HttpSettings()))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of the HTTP interface."""
        return self._application().openapi()

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run a command of the process: run (the default), migrate, openapi or asyncapi.

        Ends with 0 when stopped by a signal or done, 1 when it failed, 2 on wrong usage, 78 when a
        setting is missing or wrong.
        """
        commands = {
            "run": self._run,
            "migrate": self._migrate,
            "openapi": self._print_openapi,
            "asyncapi": self._print_asyncapi,
        }
        parser = argparse.ArgumentParser(prog=f"python -m {self.name}", description=self.title)
        parser.add_argument("command", nargs="?", default="run", choices=commands)
        commands[parser.parse_args(arguments).command]()

    def _application(self) -> FastAPI:
        return make_application(self.title, self.version, self.routers)

    def _run(self) -> None:
        # The server and the event loop: no other command needs them.
        from runtime import process  # noqa: PLC0415

        sys.exit(process.run(self, load(ProcessSettings), load(HttpSettings)))

    def _migrate(self) -> None:
        url = load(ProcessSettings).database_url.get_secret_value()
        applied = migrations.migrate(url, self.name)
        print(f"{self.name}: {', '.join(applied) or 'nothing to apply'}")  # noqa: T201 - its answer

    def _print_openapi(self) -> None:
        _print_json(self.openapi())

    def _print_asyncapi(self) -> None:
        # FastStream's writers of documents: no other command needs them.
        from backbone.asyncapi import asyncapi  # noqa: PLC0415

        written = [topic for topic in TOPICS.values() if topic.producer == self.name]
        consumer = self.consumer or Consumer(self.name)
        _print_json(asyncapi(self.name, consumer, written, self.version))


def _print_json(document: object) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
