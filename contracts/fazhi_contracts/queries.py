"""Reading the state:

what the gateway, the CLI and the auditor ask, as typed answers. None of these raises for a thing that is not there.
"""

from __future__ import annotations

from dataclasses import replace

from fazhi_ledger.parameters import Parameters
from fazhi_ledger.suites import Suite
from fazhi_ledger.validators import ValidatorSet

from .admission import parameters_of, revoked_height_of
from .entries import (
    Counter,
    KeyEntry,
    LaneEntry,
    MemberEntry,
    OrgEntry,
    decoded_key,
    decoded_member,
    decoded_procedures,
)
from .epochs import current_set, pending_set
from .errors import StateCorrupt
from .governance import open_proposals
from .head import CaseHead
from .in_force import rules_of
from .keys import (
    calendar_key,
    case_state_key,
    epoch_key,
    key_key,
    lane_count_key,
    lane_key,
    member_key,
    org_key,
    procedure_key,
    proposal_key,
    rule_set_key,
    rules_key,
    serial_key,
    single_key,
)
from .procedures.deadlines import RunningClock, running_clocks
from .procedures.ruleset import RuleSet
from .procedures.settings import Settings
from .proposals import Proposal, decoded_proposal
from .rulebook import bound_rule_set, date_number, decoded_procedure, workdays_of
from .state import Overlay, StateView, read


def parameters(view: StateView) -> Parameters:
    """The chain's parameters."""
    return parameters_of(view)


def protocol_version(view: StateView) -> int:
    """The protocol version that the next block is executed under."""
    entry = read(view, single_key("protocol"), Counter.decode)
    if entry is None:
        raise StateCorrupt("the state holds no protocol version")
    return entry.value


def org_entry(view: StateView, org: str) -> OrgEntry | None:
    """A member or unit."""
    return read(view, org_key(org), OrgEntry.decode)


def key_entry(view: StateView, key: bytes) -> KeyEntry | None:
    """A key, revoked ones included; one whose member was voted out counts as revoked there."""
    entry = read(view, key_key(key), decoded_key)
    return None if entry is None else replace(entry, revoked_height=revoked_height_of(view, entry))


def member_entry(view: StateView, org: str) -> MemberEntry | None:
    """How a member is reached, former ones included."""
    return read(view, member_key(org), decoded_member)


def members(view: StateView) -> tuple[MemberEntry, ...]:
    """Whoever holds a seat, or will once the pending change takes over, in order of the seats; those who lose theirs
    last."""
    current, pending = validator_sets(view)
    seats = dict.fromkeys(seat.member for one in (pending, current) if one is not None for seat in one.validators)
    found = tuple(entry for org in seats if (entry := member_entry(view, org)) is not None)
    if len(found) != len(seats):
        raise StateCorrupt("a seat without a member")
    return found


def epoch_set(view: StateView, epoch: int) -> ValidatorSet | None:
    """The validator set of an epoch from 1 on, the pending one included."""
    return read(view, epoch_key(epoch), ValidatorSet.decode)


def proposal(view: StateView, proposal_id: bytes) -> Proposal | None:
    """A proposal, decided and expired ones included."""
    return read(view, proposal_key(proposal_id), decoded_proposal)


def proposals(view: StateView, height: int) -> tuple[tuple[bytes, Proposal], ...]:
    """The proposals that the block of ``height`` may vote on, with their ids, oldest first."""
    return open_proposals(Overlay(view), height)


def lane_entry(view: StateView, org: str, key: bytes, lane: bytes) -> LaneEntry | None:
    """A lane that has been used."""
    return read(view, lane_key(org, key, lane), LaneEntry.decode)


def lane_count(view: StateView, key: bytes) -> int:
    """How many lanes a key has opened."""
    entry = read(view, lane_count_key(key), Counter.decode)
    return 0 if entry is None else entry.value


def validator_sets(view: StateView) -> tuple[ValidatorSet, ValidatorSet | None]:
    """The set that certifies the next block, and the one that waits."""
    return current_set(view), pending_set(view)


def procedures(view: StateView) -> tuple[str, ...]:
    """Names of all procedures with a rule set, sorted."""
    entry = read(view, single_key("procedures"), decoded_procedures)
    return () if entry is None else entry.names


def installed_rule_sets(view: StateView, procedure: str) -> tuple[bytes, ...]:
    """Hashes of a procedure's rule sets, by the day from which the law that they state is in force."""
    entry = read(view, procedure_key(procedure), decoded_procedure)
    return () if entry is None else entry.hashes


def rule_set_bytes(view: StateView, rule_set_hash: bytes) -> bytes | None:
    """The canonical bytes of an installed rule set."""
    return view.get(rule_set_key(rule_set_hash))


def rule_set_in_force(view: StateView, procedure: str, time_ms: int) -> RuleSet | None:
    """The rule set that a case is bound to whose opening occurred at that time; None where there is none for it."""
    entry = read(view, procedure_key(procedure), decoded_procedure)
    date = date_number(time_ms, parameters(view).get("utc_offset_min"))
    digest = None if entry is None else entry.on(date)
    return None if digest is None else bound_rule_set(view, digest)


def rules_hash(view: StateView, suite: Suite) -> bytes:
    """``H("rules", rules)``, as the next block's header carries it (:mod:`.in_force`)."""
    return rules_of(view).hash(suite)


def rules_bytes(view: StateView, digest: bytes) -> bytes | None:
    """The rules of that hash, those of earlier blocks too."""
    return view.get(rules_key(digest))


def calendar_bytes(view: StateView, digest: bytes) -> bytes | None:
    """The canonical bytes of a calendar that was voted."""
    return view.get(calendar_key(digest))


def case_head(view: StateView, case_id: bytes) -> CaseHead | None:
    """The head of a case."""
    return read(view, case_state_key(case_id), CaseHead.decode)


def case_rule_set(view: StateView, head: CaseHead) -> RuleSet:
    """The rule set that a case is bound to."""
    return bound_rule_set(view, head.rule_set_hash)


def case_clocks(view: StateView, head: CaseHead) -> tuple[RunningClock, ...]:
    """The deadlines that run in a case, soonest first."""
    return running_clocks(case_rule_set(view, head), head.marks, Settings.of(parameters(view), workdays_of(view)))


def last_serial(view: StateView, org: str, procedure: str, year: int) -> int:
    """How many cases an organisation has opened in a procedure in a year of recording; serials run from 1 to this."""
    entry = read(view, serial_key(org, procedure, year), Counter.decode)
    return 0 if entry is None else entry.value
