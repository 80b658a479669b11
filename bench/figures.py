"""What is measured: each figure's key in the JSON, its unit and its meaning; and the report that gathers them.

Keys are stable. A figure that was not measured in a run is absent, never zero.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from .measure import Spread

FIGURES: Final[dict[str, tuple[str, str]]] = {
    "ceilings.ed25519_verify_per_s_core": ("1/s", "Ed25519 verifications on one core through PyNaCl, 400-byte message"),
    "ceilings.ed25519_verify_cpu_us": ("µs", "CPU of one such verification: hardly changes with the load beside it"),
    "ceilings.ed25519_verify_per_s_machine": ("1/s", "the same on all cores at once, one process each"),
    "ceilings.suite_verify_per_s_core": ("1/s", "the same through fazhi's suite with its strict checks, one core"),
    "ceilings.cryptography_verify_per_s_core": ("1/s", "the same through the package cryptography (OpenSSL)"),
    "ceilings.sign_per_s_core": ("1/s", "signatures through fazhi's software signer"),
    "ceilings.sha256_300_per_s": ("1/s", "SHA-256 of 300 bytes"),
    "ceilings.sm3_300_per_s": ("1/s", "SM3 of 300 bytes"),
    "ceilings.sha256_mb_per_s": ("MB/s", "SHA-256 of 1 MiB buffers"),
    "ceilings.sm3_mb_per_s": ("MB/s", "SM3 of 1 MiB buffers"),
    "ceilings.encode_record_per_s": ("1/s", "Record.encode"),
    "ceilings.decode_record_per_s": ("1/s", "Record.decode"),
    "ceilings.encode_item_per_s": ("1/s", "Item.encode, one record"),
    "ceilings.decode_item_per_s": ("1/s", "Item.decode, body included"),
    "ceilings.plyvel_entries_per_s_1": ("1/s", "entries in synced plyvel batches of 1"),
    "ceilings.plyvel_entries_per_s_100": ("1/s", "entries in synced plyvel batches of 100"),
    "ceilings.plyvel_entries_per_s_1000": ("1/s", "entries in synced plyvel batches of 1,000"),
    "ceilings.fsync_ms": ("ms", "append of 4 KiB and fdatasync"),
    "ceilings.grpc_frame_us": ("µs", "CPU of both ends for one 1 KiB message on a gRPC aio stream over mutual TLS"),
    "ceilings.grpc_frame_60k_us": ("µs", "the same with 60 KB"),
    "ceilings.tls_frame_us": ("µs", "CPU of both ends for one 1 KiB frame on a bare asyncio TLS stream"),
    "ceilings.starlette_us": ("µs", "CPU of a bare Starlette route a request, uvicorn without TLS, keep-alive"),
    "single.submissions_per_s": ("1/s", "committed submissions, one record and one signature each, four nodes"),
    "single.records_per_s": ("1/s", "the same figure, by records"),
    "single.low": ("1/s", "slowest run"),
    "single.high": ("1/s", "fastest run"),
    "single.ceiling_per_s": ("1/s", "cores × verifications/s ÷ nodes, verifications measured between the runs"),
    "single.ratio_to_ceiling": ("", "submissions_per_s ÷ ceiling_per_s"),
    "single.submissions_per_block": ("", "mean size of the blocks"),
    "single.cpu_us_per_submission_node": ("µs", "CPU of one node a submission, all threads"),
    "single.cpu_us_per_submission_client": ("µs", "CPU of the load generator a submission"),
    "single.request_p50_ms": ("ms", "a request of 100 submissions under full load, until all are committed"),
    "single.other_cores": ("cores", "busy with other people's work meanwhile; above 0.1 the figure is one under load"),
    "batched.records_per_s": ("1/s", "committed records, 1,000 events of one case under one signature"),
    "batched.low": ("1/s", "slowest run"),
    "batched.high": ("1/s", "fastest run"),
    "batched.cpu_us_per_record_node": ("µs", "CPU of one node a record, all threads"),
    "batched.spread_records_per_s": ("1/s", "committed records, 1,000 new cases under one signature"),
    "batched.spread_cpu_us_per_record_node": ("µs", "CPU of one node a record of the latter kind"),
    "batched.ratio_to_single": ("", "records_per_s ÷ single.submissions_per_s"),
    "batched.request_p50_ms": ("ms", "a batch under full load, until it is committed"),
    "batched.spread_request_p50_ms": ("ms", "a batch of new cases, likewise"),
    "batched.other_cores": ("cores", "busy with other people's work meanwhile"),
    "latency_ms.idle_p50": ("ms", "SDK call to verified receipt, one at a time, idle network"),
    "latency_ms.idle_p99": ("ms", "the same"),
    "latency_ms.half_p50": ("ms", "the same while others submit half of single.submissions_per_s"),
    "latency_ms.half_p99": ("ms", "the same"),
    "latency_ms.half_load_per_s": ("1/s", "the load meanwhile"),
    "latency_ms.samples": ("", "receipts measured idle"),
    "latency_ms.other_cores": ("cores", "busy with other people's work meanwhile"),
    "sdk.submissions_per_s": ("1/s", "one SDK client, 100 calls of submit under way, to verified receipts"),
    "sdk.cpu_us_per_submission": ("µs", "CPU of that client a submission, receipt's verification included"),
    "sdk.apart_submissions_per_s": (
        "1/s",
        "one SDK client, one call of submit_many under signatures of their own, to verified receipts",
    ),
    "sdk.apart_cpu_us_per_submission": ("µs", "CPU of that client a submission, receipt's verification included"),
    "sdk.many_records_per_s": ("1/s", "one SDK client, one call of submit_many, to a verified receipt for each record"),
    "sdk.many_cpu_us_per_record": ("µs", "CPU of that client a record, receipt's verification included"),
    "offline.receipt_us": ("µs", "verification of one receipt in a started interpreter"),
    "offline.command_ms": ("ms", "fazhi verify as a whole process"),
    "offline.receipt_bytes": ("B", "size of that receipt"),
    "start.help_ms": ("ms", "fazhi --help as a whole process"),
    "start.python_ms": ("ms", "a Python process that does nothing"),
    "start.network_s": ("s", "four nodes from keys to ready, genesis included"),
    "start.node_s": ("s", "one node from its start to ready, beside three running ones"),
    "seal.mb_per_s": ("MB/s", "sealing a file under SHA-256"),
    "seal.sha256sum_mb_per_s": ("MB/s", "sha256sum of the same file"),
    "seal.ratio_to_sha256sum": ("", "sealing's speed ÷ sha256sum's; both as whole processes"),
    "seal.with_sm3_mb_per_s": ("MB/s", "sealing the same file under SHA-256 and SM3 in one pass"),
    "seal.with_sm3_ratio_to_sha256sum": ("", "the latter ÷ sha256sum's"),
    "seal.memory_mib": ("MiB", "what sealing adds to the process's memory"),
    "seal.file_mb": ("MB", "size of the file"),
    "audit.submissions_per_s": ("1/s", "audit of the chain that `single` made (full: of 100,000), all cores"),
    "audit.signatures_per_s": ("1/s", "signatures verified meanwhile"),
    "audit.ceiling_per_s": ("1/s", "cores × verifications/s"),
    "audit.ratio_to_ceiling": ("", "signatures_per_s ÷ ceiling_per_s"),
    "audit.submissions": ("", "submissions of that chain"),
    "audit.memory_mib": ("MiB", "most memory of its largest process"),
    "catchup.submissions_per_s": ("1/s", "a stopped node, from its first answer to the tip"),
    "catchup.ratio_to_ceiling": ("", "submissions_per_s ÷ (cores × verifications/s)"),
    "catchup.submissions": ("", "submissions that it had missed"),
    "catchup.seconds": ("s", "from its first answer to the tip"),
    "growth": ("", "a list: one node's execution, tree and synced store as the chain grows, blocks of 500 new cases"),
    "growth_ratio": ("", "the last point's µs a submission ÷ the first's"),
    "growth_batched": ("", "the same for batches of 1,000: 100 new cases, 900 records of as many cases before"),
    "growth_batched_ratio": ("", "the last point's µs a record ÷ the first's"),
    "growth_case": (
        "",
        "a list: the same for blocks of 50 submissions that add an event each to one and the same case",
    ),
    "growth_case_ratio": ("", "the last point's µs an event ÷ the first's"),
    "growth_disk": ("B", "a record on disk, compacted, by what it is for; of_allowed: ÷ (1.5 × submitted + 600)"),
    "delays.none.submissions_per_s": ("1/s", "single submissions, 32 × 100 under way, nothing delayed"),
    "delays.fsync_5ms.submissions_per_s": ("1/s", "the same, each fsync and fdatasync of a node 5 ms longer"),
    "delays.fsync_5ms.ratio": ("", "the latter ÷ the former"),
    "delays.links_0ms.submissions_per_s": ("1/s", "the same, links through a proxy that delays nothing"),
    "delays.links_20ms.submissions_per_s": ("1/s", "the same, each link 20 ms ± 5 ms longer, each way"),
    "delays.links_20ms.ratio": ("", "the latter ÷ the former"),
    "validators": ("", "a list: messages, bytes and CPU a block with 4 to 31 validators, simulated in one process"),
    "memory_mib.node_max": ("MiB", "most memory that any node ever held in this run"),
    "memory_mib.node_idle": ("MiB", "a node right after its start"),
    "disk.bytes_per_single": ("B", "a node's store, compacted, a submission of one record that opens a case"),
    "disk.bytes_per_batched_record": ("B", "a node's store, compacted, a record of batches of 1,000 events of a case"),
    "peers": ("", "a list: other systems and ours under the same load, by `make bench-peers` only"),
    "profile": ("", "µs of CPU a submission and node by stage; see README"),
}


@dataclass(slots=True)
class Report:
    """The figures of one run, in the order in which they were measured."""

    meta: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """What cannot be measured on this machine, and why."""

    def put(self, key: str, value: float | Spread) -> None:
        """Keep a figure: of a spread the median."""
        self._keep(key, _rounded(value.median if isinstance(value, Spread) else value))

    def table(self, key: str, value: Any) -> None:
        """Keep a figure that is a list or a table."""
        self._keep(key, value)

    def _keep(self, key: str, value: Any) -> None:
        if key not in FIGURES:
            raise KeyError(key)
        self.values[key] = value

    def get(self, key: str) -> float | None:
        """A figure measured before, if it was."""
        found = self.values.get(key)
        return None if found is None else float(found)

    def document(self) -> dict[str, Any]:
        """The JSON: keys with dots become nested objects."""
        result: dict[str, Any] = {"format": "fazhi-bench/1", "meta": self.meta}
        for key, value in self.values.items():
            *parents, name = key.split(".")
            place = result
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = value
        if self.skipped:
            result["skipped"] = self.skipped
        if self.failures:
            result["failures"] = self.failures
        return result

    def json(self) -> str:
        """:meth:`document` as text."""
        return json.dumps(self.document(), ensure_ascii=False, indent=1) + "\n"

    def line(self, key: str) -> str:
        """One figure for people."""
        unit, meaning = FIGURES[key]
        return f"  {key:<42}{shown(self.values[key]):>12} {unit:<6} {meaning}"


def _rounded(value: float) -> float:
    """Four significant digits at least: more would claim more than was measured."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("no number")
    return round(value, 1) if abs(value) >= 1000 else float(f"{value:.4g}")


def shown(value: Any) -> str:
    """A number with thousands parted."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
    return str(value) if not isinstance(value, list | dict) else "…"
