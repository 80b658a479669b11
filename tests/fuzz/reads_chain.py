"""The readers of the consensus core and of the contracts: messages, vote records, evidence, entries, rules."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fazhi_consensus.evidence import Evidence, verify_evidence
from fazhi_consensus.records import decode_record, encode_record
from fazhi_consensus.verify import verify_message
from fazhi_consensus.wire import decode_message, decode_pairs, encode_message
from fazhi_contracts import entries, state
from fazhi_contracts.builtin import common_parts, load_builtin_rule_set
from fazhi_contracts.errors import StateCorrupt
from fazhi_contracts.head import CaseHead
from fazhi_contracts.in_force import Rules
from fazhi_contracts.procedures.check import check_rule_set
from fazhi_contracts.procedures.clauses import Colour, Unjudged
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.procedures.marks import Marks, StepMark
from fazhi_contracts.procedures.ruleset import RuleSet, decoded_rule_set
from fazhi_contracts.procedures.stories import play, read_story
from fazhi_contracts.proposals import OpenProposals, Proposal
from fazhi_contracts.rulebook import CalendarsEntry, ProcedureEntry
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.merkle import Frontier
from fazhi_ledger.parameters import Parameters

from tests.consensus.kit import GENESIS, SUITE, block_hash_of
from tests.consensus.test_evidence import guilty_pairs
from tests.consensus.test_wire import ENCODED, FOUR, RECORDS, SAMPLES
from tests.contracts.test_ruleset import small

from .target import Target, Violation

_PAIRS: Final = encode(((0, b"s" * 65), (2, b"t" * 65)))
_PENALTY: Final = load_builtin_rule_set("penalty")
_RULES: Final = _PENALTY.encode()
_SMALL_RULES: Final = compile_rule_set(small()).encode()
_SUMMED_RULES: Final = replace(
    load_builtin_rule_set("timebank"),
    colours=(Colour("green", "绿", "green", closed=True), Colour("red", "红", "red", elapsed_percent=50)),
    unjudged=(Unjudged("时效", "barred by time", "行政处罚法 36"),),
).encode()
_TOML: Final = (files("fazhi_contracts") / "rulesets" / "penalty.toml").read_bytes()
_RULES_OF_BLOCK: Final = Rules(
    4,
    Parameters.defaults(),
    (("penalty", ProcedureEntry(((20210715, bytes(32)),))),),
    CalendarsEntry(((2025, bytes(32)),)),
)
_CALENDAR: Final = YearCalendar(2026, "国办发明电〔2025〕7号", (1, 2), (4,)).encode()
_MARKS: Final = Marks(
    (
        StepMark("LEAD", 1, 1, 1, 5, 5, (), ()),
        StepMark("FILED", 2, 2, 4, 6, 300, (("mode", "fast"), ("by", "x")), (b"k" * 32,)),
    ),
    (("hearing", ((5, 9), (11, None))),),
)
_HEAD: Final = CaseHead(
    "zfj.a", "penalty", 1, 2026, bytes(32), 7, 1_767_230_000_000, 5, Frontier(5, (bytes(32), b"\1" * 32)), "FILED",
    _MARKS,
)  # fmt: skip
_ENTRIES: Final = (
    entries.OrgEntry("zfj.a", "局", "Bureau", "zfj", ("a", "b"), 3),
    entries.KeyEntry("zfj", ("officer",), 1, 9),
    entries.MemberEntry("sfj", b"certificate", "127.0.0.1:1", "https://127.0.0.1:2", 9),
    entries.LaneEntry(7, 1),
    entries.Counter(200),
    ProcedureEntry(((20210715, bytes(32)), (20260101, b"r" * 32))),
    CalendarsEntry(((2025, bytes(32)), (2026, b"c" * 32))),
    entries.ProceduresEntry(("penalty", "permit")),
    entries.ParametersEntry(Parameters.defaults()),
    Proposal("sfj", "validator.add", ("x", True, 1), 3, 90, ((b"k" * 32, True), (b"l" * 32, False)), ("passed", 7)),
    OpenProposals((bytes(32), b"p" * 32)),
)


def _holds_in_all_ways(data: bytes, head: CaseHead) -> None:
    if CaseHead.decode_carefully(data) != head:
        raise Violation("a head at a glance is another head")
    for mark in head.marks.marks:
        if StepMark.from_value_carefully(mark.to_value()) != mark:
            raise Violation("a mark that is read at a glance is another one")


def _judged(data: bytes) -> Any:
    """A message, judged as the core's guard judges it: accepted only with every signature."""
    message = decode_message(data, 4)
    return verify_message(SUITE, GENESIS, FOUR.validators, message, block_hash_of).message


def _judged_well(data: bytes) -> bool:
    try:
        _judged(data)
    except FazhiError:
        return False
    return True


def _only_ours(data: bytes, message: Any) -> None:
    if message not in SAMPLES and getattr(message, "signature", None) is not None:
        raise Violation("a message that nobody signed is accepted")


def _evidence(data: bytes) -> Evidence:
    evidence = Evidence.decode(data)
    verify_evidence(SUITE, GENESIS, FOUR.validators, evidence)
    return evidence


def _compiled(data: bytes) -> RuleSet:
    return compile_rule_set(tomllib.loads(data.decode("utf-8")), common_parts())


def _checked(data: bytes) -> RuleSet:
    rules = decoded_rule_set(data)
    check_rule_set(rules)
    return rules


def _kept(data: bytes) -> entries.KeyEntry:
    """As the state reads what it wrote itself: damage is our fault and nobody's refusal."""
    return state.read_entry(data, entries.KeyEntry.decode)


def _played(data: bytes) -> object:
    return play(read_story(data.decode("utf-8")), _PENALTY)


def _entry(entry: Any) -> Target:
    kind = type(entry)
    covers = (f"{kind.__module__}:{kind.__name__}.decode", "fazhi_contracts.entries:decode_entry")
    return Target(kind.__name__, [entry.encode()], kind.decode, covers, again=lambda value: bytes(value.encode()))


_RULE_PARTS: Final = (
    *(f"parts:{part}" for part in ("Term", "ClearField", "Condition", "Signing")),
    *(f"clauses:{part}" for part in ("Guard", "Shift", "Extension", "Pause", "Clock", "Tally", "Colour", "Unjudged")),
    "ruleset:Step",
    "ruleset:RuleSet",
)

TARGETS: Final = (
    Target(
        "consensus message", ENCODED, lambda data: decode_message(data, 4), ("fazhi_consensus.wire:decode_message",),
        again=encode_message,
    ),
    Target(
        "consensus message judged", [*filter(_judged_well, ENCODED)], _judged, (), again=encode_message,
        holds=_only_ours,
    ),
    Target(
        "prepare pairs", [_PAIRS], lambda data: decode_pairs(decode(data), 4), ("fazhi_consensus.wire:decode_pairs",),
        again=encode,
    ),
    Target(
        "vote record", RECORDS, lambda data: decode_record(GENESIS, data), ("fazhi_consensus.records:decode_record",),
        again=lambda found: encode_record(GENESIS, found),
    ),
    Target(
        "evidence", [Evidence(first, second).encode() for first, second, _ in guilty_pairs()], Evidence.decode,
        ("fazhi_consensus.evidence:Evidence.decode",), again=lambda evidence: evidence.encode(),
    ),
    Target("evidence judged", [Evidence(*pair[:2]).encode() for pair in guilty_pairs()], _evidence, ()),
    *map(_entry, _ENTRIES),
    Target(
        "entry of the state", [_ENTRIES[1].encode()], _kept, ("fazhi_contracts.state:read_entry",),
        refuses=(StateCorrupt,),
    ),
    Target(
        "case head", [_HEAD.encode()], CaseHead.decode,
        (
            "fazhi_contracts.head:CaseHead.decode", "fazhi_contracts.head:CaseHead.decode_carefully",
            "fazhi_contracts.procedures.marks:Marks.from_value", "fazhi_contracts.procedures.marks:StepMark.from_value",
            "fazhi_contracts.procedures.marks:StepMark.from_value_carefully",
        ),
        again=lambda head: head.encode(), holds=_holds_in_all_ways,
    ),
    Target(
        "rules of a block", [_RULES_OF_BLOCK.encode()], Rules.decode,
        (
            "fazhi_contracts.in_force:Rules.decode", "fazhi_contracts.rulebook:ProcedureEntry.from_value",
            "fazhi_contracts.rulebook:CalendarsEntry.from_value",
        ),
        again=lambda rules: rules.encode(),
    ),
    Target(
        "calendar", [_CALENDAR], YearCalendar.decode,
        ("fazhi_contracts.workdays:YearCalendar.decode", "fazhi_contracts.workdays:YearCalendar.from_value"),
        again=lambda calendar: calendar.encode(),
    ),
    Target(
        "rule set", [_RULES, _SMALL_RULES, _SUMMED_RULES], RuleSet.decode,
        (
            "fazhi_contracts.procedures.ruleset:RuleSet.decode",
            *(f"fazhi_contracts.procedures.{part}.from_value" for part in _RULE_PARTS),
        ),
        again=lambda rules: rules.encode(),
    ),
    Target(
        "rule set checked", [_RULES, _SMALL_RULES], _checked, ("fazhi_contracts.procedures.ruleset:decoded_rule_set",),
    ),
    Target(
        "story", [(Path(__file__).parents[1] / "stories/penalty/seizure.txt").read_bytes()], _played,
        ("fazhi_contracts.procedures.story_reading:read_story",), refuses=(FazhiError, UnicodeDecodeError), form="text",
    ),
    Target(
        "rule set of TOML", [_TOML], _compiled, (), refuses=(FazhiError, ValueError, RecursionError), form="text",
    ),
)  # fmt: skip
