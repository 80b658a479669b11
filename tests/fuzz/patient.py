"""``fazhi-node`` with no end of patience for its peers (``python -m tests.fuzz.patient run …``): what floods it is
looked at to the last byte, instead of being shut out after the first faults.
"""

from __future__ import annotations

import sys

from fazhi_node import peers
from fazhi_node.main import main

if __name__ == "__main__":
    setattr(peers, "PATIENCE_PER_S", 10**12)  # noqa: B010 - a constant, to the type checker
    setattr(peers, "PATIENCE", 10**12)  # noqa: B010
    sys.exit(main())
