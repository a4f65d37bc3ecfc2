"""Routes that read their JSON body strictly, and refuse parameters nobody declared."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, params
from fastapi.dependencies.models import Dependant as Declared  # codespell:ignore dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from runtime.body import parse, without_mark
from runtime.problems import BadRequest, FieldProblem, Invalid, UnsupportedMediaType, invalid

PARAMETERS_MAX = 64


class StrictRoute(APIRoute):
    """A route of `APIRouter(route_class=StrictRoute)`.

    A pydantic body parameter is parsed by `runtime.body` and validated in strict JSON mode: no
    string becomes a number, no fraction an integer. A route has one body parameter at most. A query
    parameter that is not declared gets 422, one that comes twice 400.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the reading of query and body put before FastAPI's own."""
        handle = super().get_route_handler()
        declared = self.dependant  # codespell:ignore dependant
        if _bodies_count(declared) > 1:
            raise TypeError(f"{self.path}: a strict route takes one body")
        names = frozenset(
            field.alias
            for field in get_flat_params(declared)
            if isinstance(field.field_info, params.Query)
        )
        adapter = self._body_adapter()
        is_required = self.body_field is not None and self.body_field.field_info.is_required()

        async def read_strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request.scope["query_string"], names)
            if adapter is None:
                return await handle(request)
            raw = await request.body()
            if raw:
                _check_media_type(request.headers.getlist("content-type"))
            elif is_required:
                raise BadRequest("the body is empty")
            return await handle(_StrictRequest(request, raw, adapter))

        return read_strictly

    def _body_adapter(self) -> TypeAdapter[Any] | None:
        if self.body_field is None:
            return None
        info = self.body_field.field_info
        if isinstance(info, params.Form) or info.annotation is None:
            raise TypeError(f"{self.path}: a strict route takes a JSON body")
        return TypeAdapter(info.annotation)


class _StrictRequest(Request):
    """A request whose `json` is the body already validated; FastAPI passes instances through."""

    def __init__(self, request: Request, raw: bytes, adapter: TypeAdapter[Any]) -> None:
        super().__init__(request.scope, request.receive)
        self._body = raw
        self._adapter = adapter

    async def json(self) -> Any:
        parse(self._body)
        try:
            return self._adapter.validate_json(without_mark(self._body), strict=True)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise invalid(found, "body") from None


def _bodies_count(declared: Declared) -> int:
    return len(declared.body_params) + sum(map(_bodies_count, declared.dependencies))


def _check_query(query: bytes, names: frozenset[str]) -> None:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:
        raise BadRequest("the query string cannot be read") from None
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen:
            raise BadRequest(f"the query parameter {name[:64]!r} comes twice")
        seen.add(name)
        if name not in names:
            raise _refused(name, "there is no such query parameter")
        if "\x00" in value:
            raise _refused(name, "holds the character NUL")


def _refused(name: str, message: str) -> Invalid:
    field = FieldProblem(location="query", field=name[:64], message=message)
    return Invalid(f"query {field.field}: {message}", errors=[field])


def _check_media_type(values: list[str]) -> None:
    if values == ["application/json"]:
        return
    if len(values) != 1:
        raise UnsupportedMediaType("the body needs one Content-Type, application/json")
    media_type, *parameters = (part.strip().lower() for part in values[0].split(";"))
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType(f"send application/json, not {media_type[:64]!r}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType(f"send UTF-8, not charset {value[:64]!r}")
