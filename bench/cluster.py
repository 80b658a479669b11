"""The four nodes that are measured, what they cost, and the load generator beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fazhi_sdk.devnet import Devnet, NodeState, node_command

from .load import Outcome, Plan
from .measure import BenchError, Neighbours, cpu_s, memory_mib
from .workload import Lane, Workload, requests

SIGNERS: Final = ("officer", "officer2")
"""Keys that may open a case and record its investigations."""
ORG: Final = "zfj"
ROOT: Final = Path(__file__).resolve().parent.parent
LOAD_S: Final = 120
"""No single load runs longer."""
MANY: Final = 10_000
"""Submissions of one load out of many."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load and what it cost: CPU seconds of all nodes and of the generator, blocks made, bytes grown."""

    outcome: Outcome
    nodes_cpu_s: float
    blocks: int
    other_cores: float


class BenchNet(Devnet):
    """A devnet whose nodes can run under the sampler of :mod:`bench.sampler`, or with more in their environment."""

    def __init__(self, folder: Path, genesis_hash: str, nodes: Sequence[NodeState]) -> None:
        super().__init__(folder, genesis_hash, nodes)
        self.sampled: Path | None = None
        """Where sampled nodes leave their samples; None: nodes run as they are."""
        self.environment: dict[str, dict[str, str]] = {}
        """Of each node, beside ours."""

    def start(self, org: str) -> None:
        node = self.nodes[org]
        arguments = [node_command()]
        if self.sampled is not None:
            arguments = [sys.executable, "-m", "bench.sampler", str(self.sampled / f"{org}.json")]
        arguments += ["run", "--home", node.home, "--genesis", str(self.folder / "genesis.fazhi")]
        outside = {name: value for name, value in os.environ.items() if not name.startswith("FAZHI_NODE_")}
        with self.log(org).open("ab") as log:
            child = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
                start_new_session=True, env={**outside, **self.environment.get(org, {})},
            )  # fmt: skip
        self._children[org] = child
        self.nodes[org] = replace(node, pid=child.pid, started=None)

    def is_running(self, org: str) -> bool:
        child = self._children.get(org)
        return child is not None and child.poll() is None

    def pids(self) -> list[int]:
        """Processes of the nodes that run."""
        return [node.pid for org, node in self.nodes.items() if node.pid is not None and self.is_running(org)]

    def cpu_s(self) -> float:
        """CPU seconds of all nodes so far."""
        return sum(cpu_s(pid) for pid in self.pids())

    def memory_mib(self) -> list[float]:
        """Most memory that each node ever held."""
        return [memory_mib(pid) for pid in self.pids()]

    def height(self, org: str) -> int:
        """The height that a node says it has; −1 where it does not answer."""
        code, body = self._get(self.nodes[org], "/v1/status")
        return int(json.loads(body)["height"]) if code == 200 else -1

    def settle(self, seconds: float = 30.0) -> int:
        """Wait until all running nodes stand at one height; that height."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            heights = {self.height(org) for org in self.nodes if self.is_running(org)}
            if len(heights) == 1 and -1 not in heights:
                return heights.pop()
            time.sleep(0.05)
        raise BenchError("the nodes do not come to one height")

    def workload(self, seed: str) -> Workload:
        """Submissions for this chain by its officers."""
        return Workload(bytes.fromhex(self.genesis_hash), ORG, [self.officer(name) for name in SIGNERS], seed)


@contextmanager
def network(
    sampled: bool = False, around: Callable[[BenchNet], AbstractContextManager[None]] | None = None
) -> Iterator[BenchNet]:
    """Four nodes in a temporary folder; processes and files are gone afterwards, whatever happens. ``around`` is
    entered before they start.
    """
    place = Path(tempfile.mkdtemp(prefix="fazhi-bench-"))
    net = BenchNet.create(place / "net")
    if sampled:
        net.sampled = place
    try:
        with around(net) if around is not None else nullcontext():
            net.up(ready_s=60.0)
            yield net
    finally:
        net.destroy()
        shutil.rmtree(place, ignore_errors=True)


def spread_over(net: BenchNet, workers: Sequence[Sequence[bytes]], orgs: Sequence[str] | None = None) -> Plan:
    """A closed loop: the workers' requests, the gateways in turn."""
    urls = [net.nodes[org].url for org in (orgs or list(net.nodes))]
    plan = [(urls[number % len(urls)], tuple(bodies)) for number, bodies in enumerate(workers)]
    return Plan(tuple(plan), 0, LOAD_S)


def single_plan(
    net: BenchNet, lanes: Sequence[Lane], work: Workload, count: int, per_request: int,
    orgs: Sequence[str] | None = None,
) -> Plan:  # fmt: skip
    """``count`` submissions of one record each, in equal parts by the lanes."""
    each = max(per_request, count // len(lanes) // per_request * per_request)
    return spread_over(net, [requests(work.singles(lane, each), per_request) for lane in lanes], orgs)


@contextmanager
def generator(folder: Path, plan: Plan) -> Iterator[subprocess.Popen[bytes]]:
    """The load generator, connected and waiting for ``go``."""
    path = folder / f"plan-{os.getpid()}-{time.monotonic_ns()}"
    plan.write(path)
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.load", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        if child.stdout is None or child.stdout.readline() != b"ready\n":
            raise BenchError("the load generator did not start")
        yield child
    finally:
        child.kill()
        child.wait()
        path.unlink(missing_ok=True)


def finish(child: subprocess.Popen[bytes], line: bytes, timeout_s: float) -> Outcome:
    """Write a line to the generator and wait for its outcome; every submission must have been accepted."""
    try:
        out, _ = child.communicate(line, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise BenchError("the load did not end in time") from None
    outcome = Outcome(**json.loads(out))
    if outcome.failed or outcome.refused:
        raise BenchError(f"{outcome.failed} failed, {outcome.refused} refused: {outcome.why}")
    return outcome


def load(net: BenchNet, plan: Plan) -> Loaded:
    """Carry out a plan to its end and say what it cost."""
    with generator(net.folder, plan) as child:
        height = net.settle()
        before = net.cpu_s()
        watch = Neighbours.watch()
        generator_before = cpu_s(child.pid)
        outcome = finish(child, b"go\n", LOAD_S + 30)
        spent = net.cpu_s() - before
        # the generator has ended and been waited for: its seconds are among those of our children
        others = watch.cores(spent - generator_before)
        blocks = net.settle() - height
    return Loaded(outcome, spent, blocks, others)


def load_many(
    net: BenchNet, lanes: Sequence[Lane], work: Workload, count: int, per_request: int,
    orgs: Sequence[str] | None = None,
) -> int:  # fmt: skip
    """About ``count`` single submissions, in loads of a size that fits its time; how many were committed."""
    done = 0
    while done < count:
        plan = single_plan(net, lanes, work, min(MANY, count - done), per_request, orgs)
        done += load(net, plan).outcome.committed
    return done
