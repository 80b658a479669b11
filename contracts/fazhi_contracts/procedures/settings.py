"""What the reading of a rule set takes from the chain beside the rule set: parameters, and the calendars in force."""

from __future__ import annotations

from dataclasses import dataclass

from fazhi_ledger.parameters import Parameters

from ..workdays import NO_WORKDAYS, Workdays


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters that the interpreter reads, and how working days are counted."""

    utc_offset_min: int
    late_record_ms: int
    max_clock_skew_ms: int
    workdays: Workdays = NO_WORKDAYS

    @classmethod
    def of(cls, parameters: Parameters, workdays: Workdays = NO_WORKDAYS) -> Settings:
        """Out of a chain's parameters and calendars."""
        return cls(
            parameters.get("utc_offset_min"),
            parameters.get("late_record_ms"),
            parameters.get("max_clock_skew_ms"),
            workdays,
        )
