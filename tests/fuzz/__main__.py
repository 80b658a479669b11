"""``python -m tests.fuzz``: the campaign, a part of it, or one input once more.

python -m tests.fuzz --minutes 20                  everything; the last line is JSON; exit 1 on a violation
python -m tests.fuzz --part decoders --only item   one part, one target
python -m tests.fuzz --replay item fuzz-out/x.bin  one input of one decoder
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tests.campaign import commit, conclude

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
    parser.add_argument("--only", nargs="*", default=(), help="these decoders alone")
    parser.add_argument("--told", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"))
    chosen = parser.parse_args()
    if chosen.only and chosen.part != "decoders":
        parser.error("--only goes with --part decoders")
    if chosen.replay:
        decoding.replay(chosen.replay[0], Path(chosen.replay[1]).read_bytes())
        print("nothing happens")
        return 0
    seed = chosen.seed if chosen.seed is not None else int.from_bytes(os.urandom(3), "big")
    if chosen.told:
        _one_part(chosen.part, chosen.minutes * 60, seed, chosen.only, chosen.told)
        return 0
    found: list[Ran] = []

    def line() -> dict[str, int]:
        return {
            "runs": sum(ran.runs for ran in found),
            "faults": sum(ran.runs - ran.accepted for ran in found),
            "violations": sum(bool(ran.violation) for ran in found),
        }

    return conclude("fuzz", lambda: _campaign(found, chosen.minutes * 60, seed, chosen.part, chosen.only), line)


def _campaign(found: list[Ran], seconds: float, seed: int, part: str | None, only: list[str]) -> None:
    engine = "atheris" if decoding.has_atheris() else "own mutations without coverage (atheris is not installed)"
    print(f"seed {seed}, commit {commit()}, decoders by {engine}", flush=True)
    print(f"{'target':32} {'runs':>9} {'accepted':>9} {'corpus':>7} {'slowest':>9} {'of bytes':>9} {'peak MB':>8}")
    for name, share in SHARES.items() if part is None else [(part, 1.0)]:
        _in_a_process(found, name, seconds * share, seed, only)


def _in_a_process(found: list[Ran], part: str, seconds: float, seed: int, only: list[str]) -> None:
    """A part in a process of its own: the instrumentation of one must not slow the others. What it tells is added to
    ``found``, however it ends.
    """

    def take(ran: Ran) -> None:
        if not ran.runs:
            ran.violation = ran.violation or "nothing was run"
        found.append(ran)
        if ran.violation:
            _show(ran, seed, part)

    with tempfile.TemporaryDirectory(prefix="fazhi-fuzz-", ignore_cleanup_errors=True) as folder:
        told = Path(folder) / "told"
        command = [sys.executable, "-m", "tests.fuzz", "--part", part, "--minutes", str(seconds / 60)]
        command += ["--seed", str(seed), "--told", str(told), *(["--only", *only] if only else [])]
        process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "TMPDIR": folder})
        code: int | None = None
        try:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(seconds * 1.5 + 5 * START_S)
        finally:  # with all that it has started
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for line in told.read_text().splitlines() if told.exists() else ():
                take(Ran(**json.loads(line)))
        if code is None:
            take(Ran(part, "", violation="the part did not end"))
        elif code or not told.exists():
            take(Ran(part, "", violation=f"the part ended with exit code {code}"))


def _one_part(part: str, seconds: float, seed: int, only: list[str], told: Path) -> None:
    def report(ran: Ran) -> None:
        print(
            f"{ran.target:32} {ran.runs:>9} {ran.accepted:>9} {ran.corpus:>7} {ran.slowest_ms:>7.1f}ms "
            f"{ran.slowest_bytes:>9} {ran.peak_mb:>8}{'  VIOLATION' if ran.violation else ''}",
            flush=True,
        )
        with told.open("a") as file:
            file.write(json.dumps(asdict(ran)) + "\n")

    folder = told.parent
    if part == "decoders":
        coverage = decoding.has_atheris()
        decoding.run(folder, seed=seed, seconds=seconds, only=only, coverage=coverage, report=report)
    elif part == "gateway":
        from . import gateway

        gateway.run(folder / "network", seed=seed, seconds=seconds, report=report)
    else:
        from . import rpc

        rpc.run(folder / "network", seed=seed, seconds=seconds, report=report)


def _show(ran: Ran, seed: int, part: str) -> None:
    print(f"\nVIOLATION in {ran.target}: seed {seed}, commit {commit()}\n{ran.violation}")
    if ran.found:
        OUT.mkdir(exist_ok=True)
        path = OUT / (ran.target.replace(" ", "-").replace("'", "") + ".bin")
        path.write_bytes(bytes.fromhex(ran.found))
        print(f"replay: python -m tests.fuzz --replay {ran.target!r} {path}")
    else:  # what happens follows from the seed, as far as other processes let it
        print(f"replay: python -m tests.fuzz --seed {seed} --part {part}")


if __name__ == "__main__":
    sys.exit(main())
