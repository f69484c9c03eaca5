"""Problem documents (RFC 9457): the one form of every error that this surface answers with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from distributor.errors import DistributorError
from distributor.errors.service import (
    BadRequest,
    BodyTooLarge,
    Crashed,
    HintRefused,
    HostRefused,
    MethodNotOffered,
    NotFound,
    UnknownCode,
)

MEDIA_TYPE = "application/problem+json"
EXPLAIN = "/api/v1/explain/"
_ALONE = re.compile(r"\(([^()]*)\)")
"""A detail that is nothing but an aside to the title; here it stands alone."""

_STATUS: Mapping[type[DistributorError], HTTPStatus] = {
    BadRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HintRefused: HTTPStatus.UNAUTHORIZED,
    HostRefused: HTTPStatus.MISDIRECTED_REQUEST,
    MethodNotOffered: HTTPStatus.METHOD_NOT_ALLOWED,
    NotFound: HTTPStatus.NOT_FOUND,
    UnknownCode: HTTPStatus.NOT_FOUND,
}
_BY_STATUS: Mapping[int, type[DistributorError]] = {
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotOffered,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BodyTooLarge,
}


class FieldProblem(BaseModel):
    """One part of a request that is not what it must be."""

    field: str = Field(description="Where it stands, such as `query.limit`.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """A problem document as RFC 9457 has it, with the program's own code and remedy."""

    type: str = Field(description="Address of the explanation of the code, on this server.")
    title: str = Field(description="What happened, the same for every problem of this code.")
    status: int = Field(description="The HTTP status, repeated.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="Stable code, such as `DST707`; `distributor explain` knows it.")
    remedy: str = Field(description="What to do about it.")
    retryable: bool = Field(description="Whether the same request may do better later.")
    fields: list[FieldProblem] = Field(
        default=[], description="All the parts of the request that are wrong."
    )


def status_of(error: DistributorError) -> HTTPStatus:
    """The HTTP status of an error: what is wrong with a request, or that the service cannot tell now.

    Errors of Git and of the ledger (DST6xx) are states of the service, whoever asks.
    """
    known = _STATUS.get(type(error))
    if known is not None:
        return known
    if error.retryable or error.code.startswith("DST6"):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(
    error: DistributorError, path: str, *, fields: list[FieldProblem] | None = None
) -> Problem:
    """The document that says what an error says."""
    place = str(error.where)
    alone = _ALONE.fullmatch(error.detail)
    text = alone[1] if alone else error.detail
    detail = f"{place}: {text}" if place else text
    return Problem(
        type=EXPLAIN + error.code,
        title=error.title(),
        status=status_of(error),
        detail=detail or error.title(),
        instance=path,
        code=error.code,
        remedy=error.hint,
        retryable=error.retryable,
        fields=fields or [],
    )


def answer(document: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The response that carries a problem document."""
    extra = dict(headers or {})
    if document.status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("retry-after", "5")
    return Response(
        document.model_dump_json(),
        status_code=document.status,
        media_type=MEDIA_TYPE,
        headers=extra,
    )


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document. Crashes are the gate's (``doors``)."""
    app.add_exception_handler(DistributorError, _coded)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _coded(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, DistributorError) else Crashed()
    return answer(problem(known, request.url.path))


async def _invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    fields = [
        FieldProblem(field=".".join(str(part) for part in e["loc"]), message=e["msg"])
        for e in found
    ]
    text = "; ".join(f"{f.field}: {f.message}" for f in fields)
    return answer(problem(BadRequest(text), request.url.path, fields=fields))


async def _http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths, methods, bodies."""
    path = request.url.path
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    kind = _BY_STATUS.get(
        status, BadRequest if status < HTTPStatus.INTERNAL_SERVER_ERROR else Crashed
    )
    document = problem(kind(f"({request.method} {path})"), path)
    return answer(document.model_copy(update={"status": int(status)}), headers)
