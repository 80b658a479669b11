"""Errors as ``application/problem+json`` (RFC 9457), with a code for programs and a sentence for people in the
language they ask for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fazhi_ledger.errors import FazhiError, Parameter
from starlette.responses import Response

from ..texts import Language, sentence

MEDIA_TYPE: Final = "application/problem+json"


class Problem(FazhiError):
    """An answer that is an error: HTTP status, code, parameters; ``extra`` members stand beside them (proofs of
    absence).
    """

    def __init__(
        self,
        status: int,
        code: str,
        parameters: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.parameters = tuple((parameters or {}).items())
        self.status = status
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def busy(code: str, seconds: int, **parameters: str | int) -> Problem:
    """429 with Retry-After."""
    return Problem(429, code, {"seconds": seconds, **parameters}, headers={"Retry-After": str(seconds)})


def language_of(header: str | None, default: Language) -> Language:
    """The language of an ``Accept-Language`` header: the first of ours in it by weight (RFC 9110 §12.5.4)."""
    best: tuple[float, int, Language] | None = None
    for position, part in enumerate((header or "")[:256].split(",")):
        tag, _, rest = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        weight = _weight(rest)
        if primary in ("zh", "en") and weight > 0 and (best is None or (weight, -position) > best[:2]):
            best = (weight, -position, "zh" if primary == "zh" else "en")
    return default if best is None else best[2]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0


def body(
    status: int, code: str, parameters: tuple[Parameter, ...], language: Language, extra: Mapping[str, Any]
) -> bytes:
    """The JSON of a problem."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence(code, parameters, language),
        "code": code,
        "parameters": dict(parameters),
        **extra,
    }
    return json.dumps(content, ensure_ascii=False).encode("utf-8")


def response(problem: Problem, accept_language: str | None, default: Language) -> Response:
    """The answer for a problem."""
    language = language_of(accept_language, default)
    return Response(
        body(problem.status, problem.code, problem.parameters, language, problem.extra),
        problem.status,
        {**problem.headers, "Content-Language": language, "Vary": "Accept-Language"},
        MEDIA_TYPE,
    )
