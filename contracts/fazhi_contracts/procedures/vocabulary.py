"""The closed vocabulary of guards and clocks.

Its meaning is in :mod:`.ruleset`; a new word is a change of the protocol version.
"""

from __future__ import annotations

from typing import Final

DONE: Final = "done"
OUTCOME: Final = "outcome"
OTHERS_THAN: Final = "others-than"
ENDED: Final = "ended"
BEFORE: Final = "before"
AT_MOST: Final = "at-most"
GUARD_KINDS: Final = (DONE, OUTCOME, OTHERS_THAN, ENDED, BEFORE, AT_MOST)

WITHIN: Final = "within"
NOT_BEFORE: Final = "not-before"
LAPSED: Final = "lapsed"
CLOCK_KINDS: Final = (WITHIN, NOT_BEFORE, LAPSED)

HOURS: Final = "hours"
CALENDAR_DAYS: Final = "calendar-days"
WORKING_DAYS: Final = "working-days"
MONTHS: Final = "months"
YEARS: Final = "years"
UNITS: Final = (HOURS, CALENDAR_DAYS, WORKING_DAYS, MONTHS, YEARS)

OWN: Final = "own"
"""Whose signers record a step: those of the organisation whose case it is. Any other word is a role of another one."""

FIRST: Final = "first"
LAST: Final = "last"
COUNTED: Final = (FIRST, LAST)
