"""What the demo is told by its environment, and the folder that it may write to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.screen import DemoFailed
from demo.walks import WALKS

OWN_EVIDENCE: Final = Path(__file__).with_name("evidence")
MARK: Final = ".fazhi-demo"
"""Stands in a folder that the demo made: only such a one is emptied."""


@dataclass(frozen=True, slots=True)
class Settings:
    """EVIDENCE, OUT and PROCEDURE."""

    evidence: tuple[Path, ...]
    out: Path
    procedure: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check them.

        Raises:
            DemoFailed: naming what cannot be.
        """
        procedure = environment.get("PROCEDURE") or next(iter(WALKS))
        if procedure not in WALKS:
            known = ", ".join(WALKS)
            raise DemoFailed(f"没有程序 {procedure},可选: {known}", f"no procedure {procedure}; there are: {known}")
        return cls(_evidence(environment.get("EVIDENCE", "")), Path(environment.get("OUT") or "demo-out"), procedure)

    def prepare(self) -> None:
        """Make the folder, or empty the one that an earlier demo left.

        Raises:
            DemoFailed: it holds something else.
        """
        if self.out.exists():
            if not self.out.is_dir() or (any(self.out.iterdir()) and not (self.out / MARK).exists()):
                raise DemoFailed(
                    f"{self.out} 不是演示留下的文件夹,请用 OUT= 另选一个",
                    f"{self.out} was not made by the demo; choose another with OUT=",
                )
            for entry in self.out.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / MARK).touch()


def _evidence(given: str) -> tuple[Path, ...]:
    folder = Path(given) if given else OWN_EVIDENCE
    if not folder.is_dir():
        raise DemoFailed(f"EVIDENCE={given} 不是文件夹", f"EVIDENCE={given} is no folder")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "README.md")
    files = [path for path in files if not path.name.startswith(".")]
    if not files:
        raise DemoFailed(f"{folder} 中没有文件", f"there is no file in {folder}")
    return tuple(files)
