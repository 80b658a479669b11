"""All cases of an organisation, a procedure and a year, proven one by one and proven to be all; and the rules that a
block was made under. Pure: a gateway's bytes in, facts or an error out.

Serials run from 1 to a counter in the state. Whoever holds a proven head for each of them has every case; a serial for
which nobody shows a head is *missing*, and is said to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fazhi_contracts.entries import Counter
from fazhi_contracts.head import CaseHead
from fazhi_contracts.in_force import Rules, decoded_rules
from fazhi_contracts.keys import case_state_key, procedure_key, serial_key
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.procedures.settings import Settings
from fazhi_contracts.rulebook import decoded_procedure
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import decode
from fazhi_ledger.errors import FazhiError, InvalidProof
from fazhi_ledger.header import Header
from fazhi_ledger.stateproof import StateProof, verify_absence, verify_presence

from .errors import BadAnswer
from .trust import Fields, Trust, proof_failed

Series = tuple[str, str, int]
"""Organisation, procedure, year of recording in the chain's offset."""


@dataclass(frozen=True, slots=True)
class ListedCase:
    """A case and its head, proven as of a certified header."""

    case_id: bytes
    head: CaseHead
    as_of: Header


@dataclass(frozen=True, slots=True)
class CaseList:
    """The cases of a series in the order of their serials. ``count`` is how many there are, proven; ``missing`` are the
    serials for which no gateway showed a head."""

    series: Series
    count: int
    cases: tuple[ListedCase, ...]
    missing: tuple[int, ...]
    as_of: Header


@dataclass(frozen=True, slots=True)
class Survey:
    """What was gone through: the newest block at its begin, and each series that has cases (without them)."""

    as_of: Header
    lists: tuple[CaseList, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list as one gateway showed it: whatever stands here is proven, what is left out is not."""

    count: int
    cases: tuple[ListedCase, ...]
    following: int | None
    as_of: Header


@dataclass(frozen=True, slots=True)
class KnownRules:
    """The rules of a block, by the hash in its header: what a procedure's cases are judged by from that block on."""

    rules: Rules
    settings: Settings
    rule_sets: Mapping[bytes, RuleSet]
    calendars: tuple[YearCalendar, ...]
    """Those in force, by year."""


def certified_header(trust: Trust, fields: Fields) -> Header:
    """The header of an answer, certified.

    Raises:
        ProofFailed: it is not.
    """
    try:
        trust.follow(fields.handovers())
        return trust.certified(fields.base64("header"), fields.base64("certificate"))
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error


def case_page(trust: Trust, fields: Fields, series: Series) -> Page:
    """Check one page of a list.

    Raises:
        ProofFailed: a head or the counter is not proven under the page's certified header, or is of another series.
    """
    header = certified_header(trust, fields)
    try:
        count = _counted(trust, header, fields, series)
        cases = tuple(_case(trust, header, one, series) for one in fields.objects("cases"))
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    following = None if fields.value.get("next") is None else fields.integer("next")
    return Page(count, cases, following, header)


def _counted(trust: Trust, header: Header, fields: Fields, series: Series) -> int:
    entry, proof = fields.optional_base64("counter"), StateProof.from_value(decode(fields.base64("counter_proof")))
    if entry is None:
        verify_absence(trust.suite, header.state_root, serial_key(*series), proof)
        return 0
    verify_presence(trust.suite, header.state_root, serial_key(*series), entry, proof)
    return Counter.decode(entry).value


def _case(trust: Trust, header: Header, fields: Fields, series: Series) -> ListedCase:
    case_id, encoded = fields.digest("case"), fields.base64("head")
    proof = StateProof.from_value(decode(fields.base64("proof")))
    verify_presence(trust.suite, header.state_root, case_state_key(case_id), encoded, proof)
    head = CaseHead.decode(encoded)
    if (head.org, head.procedure, head.year) != series:
        raise InvalidProof("another-case", org=head.org, procedure=head.procedure)
    return ListedCase(case_id, head, header)


def installed_rule_sets(trust: Trust, fields: Fields, procedure: str) -> tuple[RuleSet, ...]:
    """Check a gateway's answer about what is installed of a procedure; nothing where that is proven.

    Raises:
        ProofFailed: it is not what stands in the state of a certified header, or a rule set is left out.
    """
    header, suite, key = certified_header(trust, fields), trust.suite, procedure_key(procedure)
    try:
        entry, proof = fields.optional_base64("entry"), StateProof.from_value(decode(fields.base64("proof")))
        if entry is None:
            verify_absence(suite, header.state_root, key, proof)
            return ()
        verify_presence(suite, header.state_root, key, entry, proof)
        found = {one.hash(suite): one for one in map(RuleSet.decode, fields.base64s("rule_sets") or ())}
        installed = decoded_procedure(entry).hashes
        if not set(installed) <= found.keys():
            raise InvalidProof("rule-set-left-out", procedure=procedure)
        return tuple(found[digest] for digest in installed)
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error


def known_rules(trust: Trust, header: Header, fields: Fields, procedure: str | None) -> KnownRules:
    """Check a gateway's answer about the rules that ``header`` names: all calendars in force, and all rule sets of the
    procedure.

    Raises:
        ProofFailed: they are not those, or one is left out.
    """
    suite = trust.suite
    try:
        encoded = fields.base64("rules")
        if suite.tagged_hash("rules", encoded) != header.rules_hash:
            raise InvalidProof("other-rules", height=header.height)
        rules = decoded_rules(encoded)
        calendars = [YearCalendar.decode(one) for one in fields.base64s("calendars") or ()]
        rule_sets = [RuleSet.decode(one) for one in fields.base64s("rule_sets") or ()]
        found = {one.hash(suite): one for one in rule_sets}
        installed = None if procedure is None else rules.procedure(procedure)
        if installed is not None and not set(installed.hashes) <= found.keys():
            raise InvalidProof("rule-set-left-out", procedure=str(procedure))
        shown = {one.hash(suite): one for one in calendars}
        if any(digest not in shown for _, digest in rules.calendars_in_force()):
            raise InvalidProof("calendar-left-out", height=header.height)
    except BadAnswer:
        raise
    except FazhiError as error:
        raise proof_failed(fields.url, error) from error
    in_force = tuple(shown[digest] for _, digest in rules.calendars_in_force())
    return KnownRules(rules, rules.settings(suite, in_force), found, in_force)
