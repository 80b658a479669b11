"""``python -m tests.fuzz``: the campaign, a part of it, or one input once more.

python -m tests.fuzz --minutes 20                  everything; the last line is JSON; exit 1 on a violation
python -m tests.fuzz --part decoders --only item   one part, one target
python -m tests.fuzz --replay item fuzz-out/x.bin  one input of one decoder
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from . import decoding
from .ran import Ran

SHARES = {"decoders": 0.66, "gateway": 0.2, "rpc": 0.14}
"""How the time is divided among the parts."""
OUT = Path("fuzz-out")
START_S = 60
"""What a part may take beyond its time, to start and to end."""


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=None, help="printed; a fresh one where it is not given")
    parser.add_argument("--part", choices=SHARES, help="one part alone, for all of the time")
    parser.add_argument("--only", nargs="*", default=(), help="targets of the part")
    parser.add_argument("--told", help=argparse.SUPPRESS)
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"))
    chosen = parser.parse_args()
    if chosen.replay:
        decoding.replay(chosen.replay[0], Path(chosen.replay[1]).read_bytes())
        print("nothing happens")
        return 0
    seed = chosen.seed if chosen.seed is not None else int.from_bytes(os.urandom(3), "big")
    if chosen.told:
        _one_part(chosen.part, chosen.minutes * 60, seed, chosen.only, Path(chosen.told))
        return 0
    return _campaign(chosen.minutes * 60, seed, chosen.part, chosen.only)


def _campaign(seconds: float, seed: int, part: str | None, only: list[str]) -> int:
    begun = time.monotonic()
    engine = "atheris" if decoding.has_atheris() else "own mutations without coverage (atheris is not installed)"
    print(f"seed {seed}, commit {_commit()}, decoders by {engine}", flush=True)
    print(f"{'target':32} {'runs':>9} {'accepted':>9} {'corpus':>7} {'slowest':>9} {'of bytes':>9} {'peak MB':>8}")
    found: list[Ran] = []
    violations = 0
    for name, share in SHARES.items() if part is None else [(part, 1.0)]:
        for ran in _in_a_process(name, seconds * share, seed, only):
            found.append(ran)
            if ran.violation:
                violations += 1
                _show(ran, seed, name)
    line = {
        "campaign": "fuzz",
        "runs": sum(ran.runs for ran in found),
        "faults": sum(ran.runs - ran.accepted for ran in found),
        "violations": violations,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(line))
    return 1 if violations else 0


def _in_a_process(part: str, seconds: float, seed: int, only: list[str]) -> list[Ran]:
    """A part in a process of its own: the instrumentation of one must not slow the others."""
    with tempfile.TemporaryDirectory(prefix="fazhi-fuzz-") as folder:
        told = Path(folder) / "told"
        command = [sys.executable, "-m", "tests.fuzz", "--part", part, "--minutes", str(seconds / 60)]
        command += ["--seed", str(seed), "--told", str(told), *(["--only", *only] if only else [])]
        process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "TMPDIR": folder})
        try:
            code = process.wait(seconds * 1.5 + 5 * START_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
            os.killpg(process.pid, 9)
            process.wait()
            return [Ran(part, "", violation=f"the part did not end: {type(error).__name__}")]
        found = [Ran(**json.loads(line)) for line in told.read_text().splitlines()] if told.exists() else []
        if code:
            found.append(Ran(part, "", violation=f"the part ended with exit code {code}"))
        return found


def _one_part(part: str, seconds: float, seed: int, only: list[str], told: Path) -> None:
    def report(ran: Ran) -> None:
        print(
            f"{ran.target:32} {ran.runs:>9} {ran.accepted:>9} {ran.corpus:>7} {ran.slowest_ms:>7.1f}ms "
            f"{ran.slowest_bytes:>9} {ran.peak_mb:>8}{'  VIOLATION' if ran.violation else ''}",
            flush=True,
        )
        with told.open("a") as file:
            file.write(json.dumps(asdict(ran)) + "\n")

    folder = Path(tempfile.mkdtemp(prefix="fazhi-fuzz-"))
    try:
        if part == "decoders":
            coverage = decoding.has_atheris()
            decoding.run(folder, seed=seed, seconds=seconds, only=only, coverage=coverage, report=report)
        elif part == "gateway":
            from . import gateway

            gateway.run(folder, seed=seed, seconds=seconds, report=report)
        else:
            from . import rpc

            rpc.run(folder, seed=seed, seconds=seconds, report=report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _show(ran: Ran, seed: int, part: str) -> None:
    print(f"\nVIOLATION in {ran.target}: seed {seed}, commit {_commit()}\n{ran.violation}")
    if ran.found:
        OUT.mkdir(exist_ok=True)
        path = OUT / (ran.target.replace(" ", "-").replace("'", "") + ".bin")
        path.write_bytes(bytes.fromhex(ran.found))
        print(f"replay: python -m tests.fuzz --replay {ran.target!r} {path}")
    else:  # what happens follows from the seed, as far as other processes let it
        print(f"replay: python -m tests.fuzz --seed {seed} --part {part}")


def _commit() -> str:
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
