"""The closed vocabulary of guards and clocks.

Its meaning is in :mod:`.ruleset`; a new word is a change of the protocol version.
"""

from __future__ import annotations

from typing import Final

DONE: Final = "done"
OUTCOME: Final = "outcome"
OTHERS_THAN: Final = "others-than"
GUARD_KINDS: Final = (DONE, OUTCOME, OTHERS_THAN)

CALENDAR_DAYS: Final = "calendar-days"
CLOCK_KINDS: Final = (CALENDAR_DAYS,)

FIRST: Final = "first"
LAST: Final = "last"
COUNTED: Final = (FIRST, LAST)
