"""The gateway's application: routes, errors, OpenAPI, and the shell around them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..queries import NotFound, NotHere
from . import schemas
from .context import Context
from .events import event_routes
from .problems import MEDIA_TYPE as PROBLEM_TYPE
from .problems import Problem, response
from .reads import (
    block_routes,
    checkpoint_routes,
    health_routes,
    list_routes,
    membership_routes,
    state_routes,
    submission_routes,
)
from .shell import OPEN_PATHS, REPORTED
from .submit import MEDIA_TYPE, SUBMIT_PATH, SubmitRoute

_DESCRIPTION: Final = (
    "The gateway of a member's node of 法治联盟链. Hashes, keys and ids are lower-case hexadecimal, encoded objects "
    "are base64. Errors are application/problem+json with a stable code. Nothing that this gateway says needs to be "
    "believed: proofs lead to a quorum's certificate and to the genesis, whose hash is published."
)


def make_app(context: Context, submit: SubmitRoute, failed: Callable[[BaseException, str], None]) -> FastAPI:
    """The application without the front and the shell (:mod:`.front`, :mod:`.shell`)."""
    # No redirects: they would lead to whatever host the request named, and OpenAPI knows of none.
    app = FastAPI(
        title="fazhi", version="1", description=_DESCRIPTION, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.add_route(SUBMIT_PATH, submit.answer, methods=["POST"], include_in_schema=False)
    chain_routes = (block_routes, checkpoint_routes, membership_routes)
    for routes in (health_routes, submission_routes, state_routes, list_routes, *chain_routes, event_routes):
        app.include_router(routes(context))
    _add_handlers(app, context, failed)
    _describe(app, submit)
    return app


def _add_handlers(app: FastAPI, context: Context, failed: Callable[[BaseException, str], None]) -> None:
    def answered(request: Request, problem: Problem) -> Response:
        return response(problem, request.headers.get("accept-language"), context.language)

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return answered(request, error)

    @app.exception_handler(NotFound)
    async def on_not_found(request: Request, error: NotFound) -> Response:
        return answered(request, Problem(404, error.code, dict(error.parameters)))

    @app.exception_handler(NotHere)
    async def on_not_here(request: Request, error: NotHere) -> Response:
        return answered(request, Problem(410, error.code, dict(error.parameters)))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = str(first["loc"][-1])[:64]
        return answered(request, Problem(400, "bad-parameter", {"name": name, "reason": str(first["msg"])[:200]}))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            problem = Problem(405, "method-not-allowed", {"method": request.method[:16]}, headers=error.headers)
        else:
            problem = Problem(error.status_code, "no-such-route", headers=error.headers)
        return answered(request, problem)

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> Response:
        incident = secrets.token_hex(6)
        request.scope[REPORTED] = True
        failed(error, incident)
        return answered(request, Problem(500, "own-fault-request", {"incident": incident}))


def _describe(app: FastAPI, submit: SubmitRoute) -> None:
    """OpenAPI as it is: every error a problem, the lean route beside the others, who may read what."""
    made: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = made()
        components = document.setdefault("components", {})
        known = components.setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            known.pop(unused, None)
        for model in (schemas.ProblemBody, schemas.SubmitAnswer, schemas.EventBody):
            found = schemas.schema_of(model)
            known.update(found.pop("$defs", {}))
            known[model.__name__] = found
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        problem = {
            "description": "An error, with a code for programs and a sentence for people.",
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        document["paths"].setdefault(SUBMIT_PATH, {})["post"] = _submit_operation(submit.wait_ms)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = problem
                if method == "get" and path.startswith("/v1/") and path not in OPEN_PATHS:
                    operation["security"] = [{"token": []}, {}]
        app.openapi_schema = document
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _submit_operation(wait_ms: int) -> dict[str, Any]:
    answers = {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SubmitAnswer"}}},
    }
    return {
        "tags": ["records"],
        "summary": "Submit",
        "description": "Submissions, each signed. One bad item never harms the others; the same bytes change nothing.",
        "operationId": "submit",
        "parameters": [
            {
                "name": "wait_ms",
                "in": "query",
                "required": False,
                "description": "How long to wait until everything is decided.",
                "schema": {"type": "integer", "minimum": 0, "default": 0, "description": f"At most {wait_ms} count."},
            },
            {
                "name": "proof",
                "in": "query",
                "required": False,
                "description": "1: the proofs of what is committed stand in the answer, for those who may read.",
                "schema": {"type": "integer", "enum": [0, 1], "default": 0},
            },
        ],
        "requestBody": {
            "required": True,
            "description": "Canonical msgpack: an array of encoded submissions (byte strings).",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        "responses": {
            "200": {"description": "Every item is answered for good.", **answers},
            "202": {"description": "Some items are still on their way.", **answers},
        },
    }
