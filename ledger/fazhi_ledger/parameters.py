"""Replicated limits and bounds of validity: parameters of the chain, fixed in the genesis and changed by vote, never
by a release.

Every parameter is a named integer; its unit is the end of its name. A chain states all of them, so that an old block
is always judged by what stands in its state and never by a default of newer software.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .canonical import Value
from .errors import EncodingError
from .names import NAME
from .shape import as_int, as_text, as_tuple

# name -> (default, lowest, highest)
KNOWN: Final[dict[str, tuple[int, int, int]]] = {
    "utc_offset_min": (480, -720, 840),  # Beijing time: the offset in which calendar days are counted
    "max_block_bytes": (4 * 1024 * 1024, 4096, 12 * 1024 * 1024),
    "max_block_items": (10_000, 1, 100_000),
    "max_item_bytes": (1024 * 1024, 1024, 4 * 1024 * 1024),
    "max_records_per_item": (1000, 1, 10_000),
    "max_signer_keys": (8, 1, 16),
    "max_lanes_per_key": (64, 1, 65_536),
    "max_lane_ahead": (1024, 1, 1_000_000),  # how far ahead of a lane's next seq a node keeps items
    "max_lane_void": (10_000, 1, 1_000_000),  # most seqs that one lane.void gives up
    "max_clock_skew_ms": (3000, 1_000, 60_000),  # fresh proposals only, by each own clock; ordinary clocks must do
    "heartbeat_ms": (60_000, 1000, 86_400_000),  # an empty block no sooner than this after its parent
    "max_validity_ms": (30 * 86_400_000, 60_000, 3650 * 86_400_000),  # furthest valid_until after the claimed time
    "late_record_ms": (24 * 3_600_000, 60_000, 366 * 86_400_000),  # recorded later than this after the event: a finding
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of a chain, sorted by name.

    Raises:
        EncodingError: ``bad-parameter`` for an unknown, missing, unsorted or out-of-range one.
    """

    pairs: tuple[tuple[str, int], ...]
    _by_name: dict[str, int] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if tuple(name for name, _ in self.pairs) != tuple(sorted(KNOWN)):
            raise EncodingError("bad-parameter", what="every known parameter once, sorted by name")
        for name, value in self.pairs:
            _, low, high = KNOWN[name]
            if type(value) is not int or not low <= value <= high:
                raise EncodingError("bad-parameter", what=name, low=low, high=high)
        object.__setattr__(self, "_by_name", dict(self.pairs))

    @classmethod
    def defaults(cls, changes: Mapping[str, int] | None = None) -> Parameters:
        """The defaults with ``changes`` over them."""
        values = {name: default for name, (default, _, _) in KNOWN.items()}
        for name, value in (changes or {}).items():
            if name not in KNOWN:
                raise EncodingError("bad-parameter", what=name)
            values[name] = value
        return cls(tuple(sorted(values.items())))

    def get(self, name: str) -> int:
        """The value of a known parameter."""
        return self._by_name[name]

    def to_value(self) -> Value:
        return self.pairs

    @classmethod
    def from_value(cls, value: Value) -> Parameters:
        pairs: list[tuple[str, int]] = []
        for pair in as_tuple(value, "parameters", max_length=len(KNOWN)):
            name, number = as_tuple(pair, "parameter", length=2)
            pairs.append((as_text(name, "parameter name", pattern=NAME), as_int(number, "parameter", low=-(2**63))))
        return cls(tuple(pairs))
