"""What runs come to. Imports nothing of the packages: they are to be instrumented first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Ran:
    """What one run of one target came to."""

    target: str
    engine: str
    runs: int = 0
    accepted: int = 0
    corpus: int = 0
    slowest_ms: float = 0.0
    slowest_bytes: int = 0
    peak_mb: float = 0.0
    violation: str = ""
    found: str = ""
    """The input that violates, in hexadecimal."""
