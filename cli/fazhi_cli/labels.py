"""Names for people: of steps and procedures, roles, organisations, times.

A rule set's names are shown only where the genesis names that very rule set; otherwise a step is its code.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from fazhi_ledger.errors import FazhiError, Parameter
from fazhi_ledger.genesis import Genesis
from fazhi_ledger.messages import printable
from fazhi_ledger.result import Finding

from .language import Language, choose
from .messages import ORG_ROLES, ROLES, VERIFY

if TYPE_CHECKING:
    from fazhi_contracts.procedures.ruleset import RuleSet

KEY_DIGITS = 8


def rule_set_of(genesis: Genesis, procedure: str) -> RuleSet | None:
    """The built-in rule set of a procedure, of the newest law, where it is one that the genesis names."""
    named = [digest for name, digest in genesis.rule_sets if name == procedure]
    if not named:
        return None
    from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_rule_set

    if procedure not in BUILTIN_PROCEDURES:
        return None
    try:
        rules = load_builtin_rule_set(procedure)
        return rules if rules.hash(genesis.suite) in named else None
    except FazhiError:
        return None


def step_label(rules: RuleSet | None, code: str, language: Language) -> str:
    """``调查取证 INVEST``, or the code alone. Whoever proposed the rule set has named the step."""
    step = None if rules is None else rules.step(code)
    return code if step is None else f"{printable(choose((step.zh, step.en), language))} {code}"


def organisation(genesis: Genesis, org: str, language: Language) -> str:
    """A member's name; a unit below a member as ``name (unit)``; else the id."""
    member = genesis.member(org.partition(".")[0])
    if member is None:
        return org
    name = printable(choose((member.name_zh, member.name_en), language))
    return f"{name} ({org})" if "." in org else name


def roles(codes: Iterable[str], language: Language) -> str:
    """Names of roles, joined."""
    return joined((choose(ROLES[code], language) if code in ROLES else code for code in codes), language)


def org_roles(codes: Iterable[str], language: Language) -> str:
    """Names of what an organisation is among the members, joined."""
    return joined((choose(ORG_ROLES[code], language) if code in ORG_ROLES else code for code in codes), language)


def member_and_roles(genesis: Genesis, org: str, language: Language) -> str:
    """``公证处(公证机构)``: with its roles in the genesis; of a member that the genesis does not name none is known."""
    member, name = genesis.member(org), organisation(genesis, org, language)
    if member is None:
        return choose(VERIFY["member-since"], language).format(name=name)
    if not member.roles:
        return name
    return choose(VERIFY["member-roles"], language).format(name=name, roles=org_roles(member.roles, language))


def joined(parts: Iterable[str], language: Language) -> str:
    """``甲、乙`` or ``a, b``."""
    return ("、" if language == "zh" else ", ").join(parts)


def finding(found: Finding, language: Language, rules: RuleSet | None = None) -> str:
    """``[不规范] sentence (clause)``; steps by their names where the rule set is known."""
    from fazhi_contracts.messages import SEVERITIES, explain

    sentence = explain(found.code, named_steps(found.parameters, rules, language), language)
    severity = choose(SEVERITIES[found.severity], language)
    clause = f" ({found.clause})" if found.clause else ""
    return f"[{severity}] {printable(sentence)}{printable(clause)}"


def named_steps(parameters: Iterable[Parameter], rules: RuleSet | None, language: Language) -> tuple[Parameter, ...]:
    """Parameters with the names of steps beside their codes (one code, or several separated by commas)."""

    def named(value: str | int) -> str | int:
        if rules is None or not isinstance(value, str):
            return value
        return ", ".join(step_label(rules, code, language) for code in value.split(", "))

    return tuple((name, named(value)) for name, value in parameters)


def key(public_key: bytes) -> str:
    """The first digits of a key, enough to tell officers apart."""
    return f"{public_key.hex()[:KEY_DIGITS]}…"


def moment(time_ms: int, offset_min: int) -> str:
    """``2026-03-02 09:14:07 +08:00``; milliseconds are dropped for people, JSON has them."""
    zone = timezone(timedelta(minutes=offset_min))
    try:
        stamp = datetime.fromtimestamp(time_ms // 1000, zone)
    except (OverflowError, ValueError, OSError):  # beyond the year 9999 in this zone
        return f"{time_ms} ms"
    sign, minutes = ("-", -offset_min) if offset_min < 0 else ("+", offset_min)
    return f"{stamp:%Y-%m-%d %H:%M:%S} {sign}{minutes // 60:02d}:{minutes % 60:02d}"
