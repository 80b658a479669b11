"""The node's log: JSON for machines or lines for people, on stderr. Nothing a peer or client sends can forge a line
or colour a terminal.

Silence is golden: at ``info`` a healthy node writes a line when it starts, when a peer comes or goes, and when it
stops.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Literal

from .texts import Language, printable, sentence

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _structlog() -> Any:
    """structlog, without the rich that its console renderer would import where it is installed: 0.2 s of each start
    for nothing.
    """
    absent = object()
    found = sys.modules.get("rich", absent)
    if "structlog" not in sys.modules and found is absent:
        sys.modules["rich"] = None  # type: ignore[assignment] # makes `import rich` an ImportError, see importlib's reference
        try:
            import structlog
        finally:
            del sys.modules["rich"]
        return structlog
    import structlog

    return structlog


def make_log(
    log_format: Literal["console", "json"], level: str, language: Language, **bound: str
) -> FilteringBoundLogger:
    """A logger to stderr with ``bound`` in every line."""
    structlog = _structlog()
    render = _console if log_format == "console" else _json
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Sentence(language),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        **bound,
    )
    return logger.bind()  # as it is from now on: the lazy one is made anew for every line, also for those not written


class _Sentence:
    """Adds the sentence of the event's code, where there is one."""

    def __init__(self, language: Language) -> None:
        self._language: Language = language

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        code = str(event["event"])
        parameters = tuple(
            (k, v) for k, v in event.items() if isinstance(v, (str, int)) and k not in ("event", "level")
        )
        try:
            text = sentence(code, parameters, self._language)
        except Exception:  # noqa: BLE001 - a sentence that cannot be made must not take the log, or the node, with it
            return event
        if not text.startswith(f"{code} (") and text != code:
            event["text"] = text
        return event


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return printable(json.dumps(event, ensure_ascii=False, default=str))


def _console(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    facts = dict(event)
    head = f"{facts.pop('timestamp')} {facts.pop('level'):<7} {facts.pop('event')}"
    text = facts.pop("text", None)
    facts.pop("org", None)
    parts = [head, *(f"{name}={_value(value)}" for name, value in facts.items()), *([f"· {text}"] if text else [])]
    return printable(" ".join(parts))


def _value(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(mark in text for mark in " \"'=") else text
