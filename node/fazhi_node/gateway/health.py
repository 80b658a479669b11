"""Whether the node is alive, ready, and how it is; ``/metrics`` for Prometheus."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from ..progress import NodeStatus
from .context import Context, answer
from .problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..service import Service
    from .shell import Shell


@functools.cache
def _version() -> str:
    try:
        return importlib.metadata.version("fazhi-node")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def status_json(status: NodeStatus) -> dict[str, Any]:
    """The node's state for ``/v1/status``."""
    return {
        "org": status.org,
        "version": _version(),
        "genesis_hash": status.genesis_hash.hex(),
        "first_block": status.first_block,
        "height": status.height,
        "tip_hash": status.tip_hash.hex(),
        "time_ms": status.time_ms,
        "round": status.round,
        "epoch": status.epoch,
        "peers": [{"org": peer.org, "connected": peer.connected, "height": peer.height} for peer in status.peers],
        "mempool": status.mempool_items,
        "validator": status.validator,
        "seat": status.seat,
        "voting": status.voting,
        "ready": status.ready,
        "reason": status.reason,
        "missing": list(status.missing),
        "best_height": status.best_height,
    }


def healthz(_: Context) -> Response:
    """The process is alive and its loop turns."""
    return answer({"status": "ok"})


def readyz(context: Context) -> Response:
    """The node votes or follows within its bound; else 503, with the reason as code."""
    status = context.status()
    if status.ready:
        return answer({"ready": True})
    parameters: dict[str, str | int] = {
        "missing": ", ".join(status.missing),
        "height": status.height,
        "best_height": status.best_height,
    }
    raise Problem(503, status.reason, parameters, extra={"ready": False, "reason": status.reason})


def status(context: Context) -> Response:
    """How the node is."""
    return answer(status_json(context.status()))


def genesis(context: Context) -> Response:
    """The genesis file; compare its hash with the one that was published."""
    return Response(context.reader.genesis_file(), media_type="application/octet-stream")


def metrics_route(context: Context, service: Service, shell: Shell) -> Callable[[Request], Awaitable[Response]]:
    """``/metrics`` in Prometheus' text format, computed when asked."""

    async def metrics(_: Request) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(context.status(), service, shell))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return metrics


class _Collector:
    def __init__(self, status: NodeStatus, service: Service, shell: Shell) -> None:
        self._status = status
        self._service = service
        self._shell = shell

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        status = self._status
        gauges = {
            "fazhi_height": ("Height of the chain at this node", status.height),
            "fazhi_tip_age_seconds": ("Age of the newest block by this node's clock", status.tip_age_ms / 1000),
            "fazhi_round": ("Round of the height in flight", status.round),
            "fazhi_ready": ("Whether the node is fit for use", int(status.ready)),
            "fazhi_voting": ("Whether the node signs", int(status.voting)),
            "fazhi_peers_connected": ("Members that this node can speak to", self._service.network.connected_count()),
            "fazhi_mempool_items": ("Submissions that wait", status.mempool_items),
            "fazhi_mempool_bytes": ("Bytes of the submissions that wait", status.mempool_bytes),
            "fazhi_verify_backlog": ("Signatures that wait to be checked", self._service.backlog),
            "fazhi_http_under_way": ("Requests under way", self._shell.under_way),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value=value)
        dropped = CounterMetricFamily("fazhi_peer_frames_dropped", "Frames a slow peer did not take", labels=["peer"])
        for peer in self._service.network.peers():
            dropped.add_metric([str(peer["org"])], float(peer["dropped"]))
        yield dropped
        answers = CounterMetricFamily("fazhi_http_answers", "Answers of the gateway", labels=["status"])
        for code, count in sorted(self._shell.answers.items()):
            answers.add_metric([str(code)], count)
        yield answers
