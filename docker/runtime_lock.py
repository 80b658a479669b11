"""Print the part of requirements.lock that the six distributions need to run: no linters, no test tools.

Usage: ``python3 runtime_lock.py requirements.lock wheelhouse``. What is needed directly stands in the wheels of
``wheelhouse``; what those need in turn, the lock itself tells in its ``# via`` lines. Versions, hashes and markers are
printed as they stand. A later ``pip install --require-hashes`` and ``pip check`` would notice anything left out.
Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import email
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required_by(wheelhouse: Path) -> set[str]:
    """Names that our own wheels ask for, extras aside, our own not among them."""
    wheels = sorted(wheelhouse.glob("fazhi_*.whl"))
    if not wheels:
        raise SystemExit(f"{wheelhouse}: no wheel of fazhi; run `make wheelhouse` first")
    asked: set[str] = set()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(archive.read(name))
        for line in metadata.get_all("Requires-Dist") or ():
            found = _NAME.match(line)
            if found is not None and "extra ==" not in line:
                asked.add(canonical(found[0]))
    return {name for name in asked if not name.startswith("fazhi-")}


def entries(lock: str) -> Iterator[tuple[str, list[str], set[str]]]:
    """Each entry of a lock: its name, its lines without comments, the names that it stands there for."""
    name, lines, via = "", list[str](), set[str]()
    for line in lock.splitlines():
        found = _NAME.match(line)
        if found is not None:
            if name:
                yield name, lines, via
            name, lines, via = canonical(found[0]), [line], set()
        elif line.lstrip().startswith("#"):
            parent = line.lstrip(" #").removeprefix("via").strip()
            if _NAME.fullmatch(parent):
                via.add(canonical(parent))
        elif line.strip():
            lines.append(line)
    if name:
        yield name, lines, via


def runtime_part(lock: str, roots: set[str]) -> str:
    """The entries of ``roots`` and of all that they stand for."""
    known = list(entries(lock))
    missing = roots - {name for name, _, _ in known}
    if missing:
        raise SystemExit(f"requirements.lock lacks {', '.join(sorted(missing))}; run `make lock`")
    needed = set(roots)
    while True:
        more = {name for name, _, via in known if via & needed} - needed
        if not more:
            break
        needed |= more
    return "".join("\n".join(lines) + "\n" for name, lines, _ in known if name in needed)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: runtime_lock.py requirements.lock wheelhouse")
    sys.stdout.write(runtime_part(Path(sys.argv[1]).read_text(encoding="utf-8"), required_by(Path(sys.argv[2]))))
