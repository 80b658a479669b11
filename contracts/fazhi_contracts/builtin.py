"""The rule sets that come with the software. This module alone in this distribution reads a file, and nodes never call
it: it serves the making of a genesis and the proposing of a rule set, both at the edge.
"""

from __future__ import annotations

import pkgutil
import tomllib
from typing import Any, Final

from .errors import BadRuleSet
from .procedures.compile import compile_rule_set
from .procedures.ruleset import RuleSet

VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    "penalty": ("penalty-1996", "penalty"),
    "reconsideration": ("reconsideration",),
    "mediation": ("mediation",),
    "ip": ("ip",),
    "finance": ("finance",),
    "timebank": ("timebank",),
}
"""The files of each procedure, without ``.toml``: one a version of its law, in the order of the days from which it is
in force."""
BUILTIN_PROCEDURES: Final = tuple(VERSIONS)
COMMON_PARTS: Final = ("attestation", "privacy", "supervision")


def load_builtin_rule_set(procedure: str) -> RuleSet:
    """The built-in rule set of a procedure, in the version of the newest law.

    Raises:
        BadRuleSet: there is none of that name.
    """
    return load_builtin_versions(procedure)[-1]


def load_builtin_versions(procedure: str) -> tuple[RuleSet, ...]:
    """The built-in rule sets of a procedure, by the day from which the law that they state is in force.

    Raises:
        BadRuleSet: there are none of that name.
    """
    if procedure not in BUILTIN_PROCEDURES:
        raise BadRuleSet(procedure, f"no built-in rule set; there are: {', '.join(BUILTIN_PROCEDURES)}")
    return tuple(_load(name) for name in VERSIONS[procedure])


def _load(name: str) -> RuleSet:
    return compile_rule_set(_document(name), common_parts())


def common_parts() -> dict[str, dict[str, Any]]:
    """The documents of steps that any rule set may use, by their names; see ``rulesets/common``."""
    return {name: _document(f"common/{name}") for name in COMMON_PARTS}


def _document(name: str) -> dict[str, Any]:
    # pkgutil, since importlib.resources would bring zipfile and tempfile into `fazhi verify`.
    source = pkgutil.get_data("fazhi_contracts", f"rulesets/{name}.toml") or b""
    return tomllib.loads(source.decode("utf-8"))
