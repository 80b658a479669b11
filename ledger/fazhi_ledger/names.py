"""ASCII grammars of the identifiers that stand on the chain.

Identifiers are ASCII by grammar because Unicode normalisation differs between versions of Python; anything richer is
normalised at the edge and stands on the chain only inside commitments (design §3).
"""

from __future__ import annotations

import re
from typing import Final

_KEPT_TEXTS: Final = 1024
_KEPT_CHARS: Final = 64


class Grammar(dict[str, bool]):
    """A grammar, and texts known to match it: the few that stand in most records need not be matched each time.

    ``GRAMMAR[text]`` says whether the whole of ``text`` matches. What is kept is bounded; what does not match is not.
    """

    __slots__ = ("_fullmatch", "pattern")

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern
        self._fullmatch = re.compile(pattern, re.ASCII).fullmatch

    def __missing__(self, text: str) -> bool:
        if self._fullmatch(text) is None:
            return False
        if len(text) <= _KEPT_CHARS:
            if len(self) >= _KEPT_TEXTS:
                self.clear()
            self[text] = True
        return True

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match of the whole of ``text``, as a compiled pattern gives it."""
        return self._fullmatch(text)


ORG: Final = Grammar(r"[a-z][a-z0-9-]{0,30}(?:\.[a-z0-9-]{1,31})?")
"""An organisation: ``zfj``; a unit below it: ``zfj.chengguan``."""
STEP: Final = Grammar(r"[A-Z][A-Z0-9_]{0,31}")
"""Code of a step of a procedure: ``INVEST``."""
NAME: Final = Grammar(r"[a-z][a-z0-9_]{0,31}")
"""Contract, action, procedure, role, parameter or clear-field name."""
FIELD: Final = Grammar(r"[a-z][a-z0-9_]{0,31}(?:\.[a-z0-9_]{1,31})*")
"""Name of a committed field: ``place``, ``file.1``."""
RESULT_CODE: Final = Grammar(r"OK|[a-z][a-z0-9-]{0,47}")
"""Code of a result, refusal or finding."""
TOKEN: Final = Grammar(r"[a-z0-9][a-z0-9_-]{0,47}")
"""A value out of a small vocabulary: ``penalty``, ``by_mail``."""
ADDRESS: Final = Grammar(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")
"""Where a node is reached: ``node.example:7444``, ``[::1]:7444``."""
URL: Final = Grammar(r"https?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?/?")
"""Where a gateway is reached: ``https://node.example:7443``."""
