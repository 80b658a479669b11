"""What this machine can do at all in this minute, part by part: the measure of everything else."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import plyvel
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fazhi_ledger import dsse
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.record import Record
from fazhi_ledger.submission import Item
from fazhi_ledger.suites import ED25519_SHA256
from nacl.bindings import crypto_sign_open

from .figures import Report
from .measure import Spread, per_second
from .workload import OPENING, Workload

MESSAGE: Final = b"m" * 400
"""About what is signed of a submission."""


def repeat(action: Callable[[], object]) -> Callable[[int], None]:
    """``work(count)`` for :func:`per_second`."""

    def work(count: int) -> None:
        for _ in range(count):
            action()

    return work


def _signed() -> tuple[bytes, bytes]:
    signer = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"bench").digest())
    return signer.public_key, signer.sign(MESSAGE)


def verify_per_s(seconds: float = 0.4, runs: int = 3) -> Spread:
    """Ed25519 verifications on one core, through PyNaCl: the ceiling that ratios refer to."""
    key, signature = _signed()
    signed = signature + MESSAGE
    return per_second(repeat(lambda: crypto_sign_open(signed, key)), seconds=seconds, runs=runs)


def verify_cpu_us(count: int = 4000) -> float:
    """CPU of one verification through PyNaCl."""
    key, signature = _signed()
    signed = signature + MESSAGE
    began = time.thread_time()
    for _ in range(count):
        crypto_sign_open(signed, key)
    return (time.thread_time() - began) / count * 1e6


def _verify_until(end: float) -> float:
    """Verifications a second of one process until a moment of the wall clock (the processes start together)."""
    key, signature = _signed()
    signed = signature + MESSAGE
    while time.time() < end - 1.0:
        time.sleep(0.001)
    began, count = time.perf_counter(), 0
    while time.time() < end:
        for _ in range(50):
            crypto_sign_open(signed, key)
        count += 50
    return count / (time.perf_counter() - began)


def verify_per_s_machine() -> float:
    """Ed25519 verifications a second of all cores at once: two threads of one core are less than two cores."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(abs, range(cores)))  # all have started
        return sum(pool.map(_verify_until, [time.time() + 1.3] * cores))


def _signatures(report: Report, seconds: float, runs: int) -> None:
    key, signature = _signed()
    report.put("ceilings.ed25519_verify_per_s_core", verify_per_s(2 * seconds, runs))
    report.put("ceilings.ed25519_verify_cpu_us", Spread.of([verify_cpu_us() for _ in range(runs)]))
    report.put("ceilings.ed25519_verify_per_s_machine", verify_per_s_machine())
    suite = ED25519_SHA256

    def measure(name: str, action: Callable[[], object]) -> None:
        report.put(name, per_second(repeat(action), seconds=seconds, runs=runs))

    measure("ceilings.suite_verify_per_s_core", lambda: suite.verify(key, MESSAGE, signature))
    public = Ed25519PublicKey.from_public_bytes(key)
    measure("ceilings.cryptography_verify_per_s_core", lambda: public.verify(signature, MESSAGE))
    signer = SoftwareSigner(suite, hashlib.sha256(b"bench").digest())
    measure("ceilings.sign_per_s_core", lambda: dsse.sign(signer, dsse.SUBMISSION, MESSAGE))


def _hashes(report: Report, seconds: float, runs: int) -> None:
    small, large = b"h" * 300, b"h" * (1 << 20)
    for name in ("sha256", "sm3"):
        try:
            hashlib.new(name)
        except ValueError:  # an OpenSSL built without SM3
            continue
        make = hashlib.sha256 if name == "sha256" else partial(hashlib.new, name)
        report.put(
            f"ceilings.{name}_300_per_s",
            per_second(repeat(partial(_digest, make, small)), seconds=seconds, runs=runs),
        )
        megabytes = per_second(repeat(partial(_digest, make, large)), seconds=seconds, runs=runs)
        report.put(f"ceilings.{name}_mb_per_s", megabytes.median * len(large) / 1e6)


def _digest(make: Callable[[bytes], Any], data: bytes) -> bytes:
    digest: bytes = make(data).digest()
    return digest


def _encoding(report: Report, seconds: float, runs: int) -> None:
    signer = SoftwareSigner(ED25519_SHA256, hashlib.sha256(b"bench").digest())
    work = Workload(bytes(32), "zfj", [signer], "ceilings")
    record_bytes = work.record(work.new_case(), OPENING)
    record = Record.decode(record_bytes)
    item = work.item(work.new_lanes(1)[0], [record_bytes])
    item_bytes = item.encode()
    actions: dict[str, Callable[[], object]] = {
        "encode_record": record.encode,
        "decode_record": lambda: Record.decode(record_bytes),
        "encode_item": item.encode,
        "decode_item": lambda: Item.decode(item_bytes),
    }
    for name, action in actions.items():
        report.put(f"ceilings.{name}_per_s", per_second(repeat(action), seconds=seconds, runs=runs))


def _store(report: Report, seconds: float, runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="fazhi-bench-") as folder:
        database = plyvel.DB(str(Path(folder) / "db"), create_if_missing=True)
        for size in (1, 100, 1000):
            counter = iter(range(1 << 40))

            def write(count: int, size: int = size, counter: object = counter) -> None:
                for _ in range(count):
                    with database.write_batch(transaction=True, sync=True) as batch:
                        for _ in range(size):
                            number = next(counter)  # type: ignore[call-overload]
                            batch.put(hashlib.sha256(b"%d %d" % (size, number)).digest(), MESSAGE[:200])

            spread = per_second(write, seconds=seconds, runs=runs)
            report.put(f"ceilings.plyvel_entries_per_s_{size}", spread.median * size)
        database.close()
        descriptor = os.open(Path(folder) / "file", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

        def flush() -> None:
            os.write(descriptor, bytes(4096))
            os.fdatasync(descriptor)

        report.put("ceilings.fsync_ms", 1000 / per_second(repeat(flush), seconds=seconds, runs=runs).median)
        os.close(descriptor)


def measure_ceilings(report: Report, quick: bool) -> None:
    """All ceilings; they are single processes on an otherwise idle machine, or should be."""
    from . import transport_ceilings

    seconds, runs = (0.15, 3) if quick else (1.0, 5)
    _signatures(report, seconds, runs)
    _hashes(report, seconds, runs)
    _encoding(report, seconds, runs)
    _store(report, seconds, runs)
    transport_ceilings.measure(report, quick)
