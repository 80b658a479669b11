"""From samples to stages: which part of a submission's way the CPU went to.

A sample belongs to the innermost frame that names a stage; helpers that everybody uses (canonical bytes, hashes, the
Merkle log, decoding of items) name none and count for whoever called them. The functions are listed beside, so that
nothing hides in a stage's name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Frame = Sequence[str]
"""Module and qualified name."""

OTHER: Final = "loop and library code"
STAGES: Final[tuple[tuple[str, str, str], ...]] = (
    # module prefix, function prefix ("" all), stage; the first that fits
    ("fazhi_node.gateway.submit", "", "gateway"),
    ("fazhi_node.gateway", "", "gateway"),
    ("fazhi_node.admission", "", "admission"),
    ("fazhi_node.verification", "", "verification"),
    ("fazhi_node.adapters", "ThreadVerifier", "verification"),
    ("fazhi_node.adapters", "check_jobs", "verification"),
    ("fazhi_node.adapters", "_holds", "verification"),
    ("fazhi_node.mempool", "", "mempool"),
    ("fazhi_node.settlement", "", "mempool"),
    ("fazhi_node.payload", "", "block decoding"),
    ("fazhi_node.application", "Application.check_item", "admission"),
    ("fazhi_node.application", "Application.lane_position", "admission"),
    ("fazhi_node.machine", "Machine.committed", "admission"),
    ("fazhi_node.application", "Application._choose", "mempool"),
    ("fazhi_node.application", "Application._proposal", "block encoding"),
    ("fazhi_node.storage.vote", "", "vote log"),
    ("fazhi_node.storage.chain_store", "ChainStore.get", "execution"),
    ("fazhi_node.storage.chain_store", "ChainStore.get_page", "state tree"),
    ("fazhi_node.storage.chain_store", "ChainStore._cached", ""),
    ("fazhi_node.storage.cache", "", ""),
    ("fazhi_node.storage", "", "store"),
    ("fazhi_node.transport", "", "transport"),
    ("fazhi_node.frames", "", "transport"),
    ("fazhi_node.outbox", "", "transport"),
    ("grpc", "", "transport"),
    ("fazhi_consensus", "", "consensus"),
    ("fazhi_node.driver", "", "consensus"),
    ("fazhi_ledger.statetree", "", "state tree"),
    ("fazhi_contracts.chain", "tree_update", "state tree"),
    ("fazhi_contracts.chain", "build_block", "block roots"),
    ("fazhi_contracts.chain", "check_block", "block roots"),
    ("fazhi_contracts.execution", "execute_block", "execution"),
    ("fazhi_contracts.execution", "_execute", "execution"),
    ("fazhi_contracts.cases", "", "execution"),
    ("fazhi_contracts.procedures", "", "execution"),
    ("fazhi_contracts.head", "", "execution"),
    ("asyncio.runners", "", OTHER),
    ("uvicorn", "", "gateway"),
    ("starlette", "", "gateway"),
    ("fastapi", "", "gateway"),
    ("httptools", "", "gateway"),
    ("fazhi_node", "", "rest of the node"),
)
THREADS: Final = {
    "verify": "verification threads",
    "native": "native threads (gRPC, LevelDB)",
    "python": "other Python threads",
}
SHOWN_FUNCTIONS: Final = 40


@dataclass(frozen=True, slots=True)
class Profile:
    """CPU by stage and by function, in µs a unit of work and node."""

    stages: dict[str, float]
    functions: list[tuple[str, float]]
    """Self time of the costliest functions, with the stage that they were in."""
    inclusive: list[tuple[str, float]]
    """Time in a function and all that it called."""
    samples: int

    def document(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "us_by_stage": {stage: round(value, 2) for stage, value in self.stages.items()},
            "us_self": {name: round(value, 2) for name, value in self.functions},
            "us_inclusive": {name: round(value, 2) for name, value in self.inclusive},
            "samples": self.samples,
        }


def stage_of(stack: Iterable[Frame]) -> str:
    """The stage of a stack, innermost frame first."""
    for module, function in stack:
        for prefix, name, stage in STAGES:
            if module.startswith(prefix) and function.startswith(name):
                if stage:
                    return stage
                break
    return OTHER


def profile_of(paths: Sequence[Path], units: int) -> Profile:
    """The samples of all nodes as one profile: averages over the nodes, a unit (``units`` submissions or records)."""
    stages: Counter[str] = Counter()
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    samples = 0
    for path in paths:
        data = json.loads(path.read_text("ascii"))
        samples += data["samples"]
        for weight, stack in data["stacks"]:
            stage = stage_of(stack)
            stages[stage] += weight
            if stack:
                own[f"{stage}: {'.'.join(stack[0])}"] += weight
            for name in {".".join(frame) for frame in stack}:
                inclusive[name] += weight
        for kind, seconds in data["threads"].items():
            if kind in THREADS:
                stages[THREADS[kind]] += seconds
    scale = 1e6 / units / len(paths)
    return Profile(
        {stage: seconds * scale for stage, seconds in stages.most_common()},
        [(name, seconds * scale) for name, seconds in own.most_common(SHOWN_FUNCTIONS)],
        [(name, seconds * scale) for name, seconds in inclusive.most_common(2 * SHOWN_FUNCTIONS)],
        samples,
    )
