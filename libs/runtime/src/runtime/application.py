"""The HTTP application of a service: its routes, health, problems, and an honest OpenAPI."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from backbone import Unprocessable
from runtime import health, problems
from runtime.problems import Invalid, Problem, ProblemDetails

METHODS = ("get", "put", "post", "delete", "patch")
OF_EVERY_OPERATION = (400, 500, 503)
OF_BODIES = (408, 413, 415, 422)
REPLACED_SCHEMAS = ("HTTPValidationError", "ValidationError")


def make_application(title: str, version: str, routers: Sequence[APIRouter]) -> FastAPI:
    """Return an application without documentation pages (they would load scripts from afar)."""
    app = FastAPI(
        title=title,
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    for router in (*routers, health.router):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Unprocessable, _on_unprocessable)
    app.add_exception_handler(Exception, _on_fault)
    _document_problems(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return problems.respond(error)
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is bound to this type
    detail = {
        404: f"there is nothing at {request.url.path[:200]}",
        405: f"{request.method} is not allowed at {request.url.path[:200]}",
    }.get(error.status_code, str(error.detail))
    problem = Problem(error.status_code, detail)
    problem.headers = error.headers
    return problems.respond(problem)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    return problems.respond(problems.invalid(error.errors()))


async def _on_unprocessable(_: Request, error: Exception) -> Response:
    return problems.respond(Invalid(str(error)))


async def _on_fault(_: Request, __: Exception) -> Response:
    return problems.respond(Problem(500, "this is a fault of ours; it is logged"))


def _document_problems(app: FastAPI) -> None:
    """Put problems where FastAPI would document a shape of its own that is never sent."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _rewrite(generate())
        return generate()

    app.openapi = openapi


def _rewrite(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in REPLACED_SCHEMAS:
        schemas.pop(name, None)
    template = "#/components/schemas/{model}"
    schemas.update(ProblemDetails.model_json_schema(ref_template=template).pop("$defs", {}))
    schema = ProblemDetails.model_json_schema(ref_template=template)
    schema.pop("$defs", None)
    schemas["Problem"] = schema
    for path, operations in document["paths"].items():
        if not path.startswith("/health/"):
            for method in METHODS:
                if method in operations:
                    _rewrite_operation(operations[method])


def _rewrite_operation(operation: dict[str, Any]) -> None:
    statuses: list[int] = [*OF_EVERY_OPERATION]
    if "requestBody" in operation:
        statuses += OF_BODIES
    if operation.get("parameters"):
        statuses.append(422)
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for status, answer in problems.responses(*statuses).items():
        answers.setdefault(str(status), answer)
