"""ASCII grammars of the identifiers that stand on the chain.

Identifiers are ASCII by grammar because Unicode normalisation differs between versions of Python; anything richer is
normalised at the edge and stands on the chain only inside commitments (design §3).
"""

from __future__ import annotations

import re
from typing import Final

ORG: Final = re.compile(r"[a-z][a-z0-9-]{0,30}(?:\.[a-z0-9-]{1,31})?", re.ASCII)
"""An organisation: ``zfj``; a unit below it: ``zfj.chengguan``."""
STEP: Final = re.compile(r"[A-Z][A-Z0-9_]{0,31}", re.ASCII)
"""Code of a step of a procedure: ``INVEST``."""
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
"""Contract, action, procedure, role, parameter or clear-field name."""
FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}(?:\.[a-z0-9_]{1,31})*", re.ASCII)
"""Name of a committed field: ``place``, ``file.1``."""
RESULT_CODE: Final = re.compile(r"OK|[a-z][a-z0-9-]{0,47}", re.ASCII)
"""Code of a result, refusal or finding."""
TOKEN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}", re.ASCII)
"""A value out of a small vocabulary: ``penalty``, ``by_mail``."""
