"""The rule sets that come with the software. This module alone in this distribution reads a file, and nodes never call
it: it serves the making of a genesis and the proposing of a rule set, both at the edge.
"""

from __future__ import annotations

import pkgutil
import tomllib
from typing import Final

from .errors import BadRuleSet
from .procedures.compile import compile_rule_set
from .procedures.ruleset import RuleSet

BUILTIN_PROCEDURES: Final = ("penalty",)


def load_builtin_rule_set(procedure: str) -> RuleSet:
    """The built-in rule set of a procedure.

    Raises:
        BadRuleSet: there is none of that name.
    """
    if procedure not in BUILTIN_PROCEDURES:
        raise BadRuleSet(procedure, f"no built-in rule set; there are: {', '.join(BUILTIN_PROCEDURES)}")
    # pkgutil, since importlib.resources would bring zipfile and tempfile into `fazhi verify`.
    source = pkgutil.get_data("fazhi_contracts", f"rulesets/{procedure}.toml") or b""
    return compile_rule_set(tomllib.loads(source.decode("utf-8")))
