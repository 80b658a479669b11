"""Contract ``governance``: members propose and vote (design §5, Epochs; §7).

A proposal is known by the id of the submission that made it, so a vote names its contents, not a number that a lying
node could show beside others. Who proposes votes yes. A proposal passes with the yes of ⌈2n/3⌉ of the validators that
certify the block, and takes effect in the block that brings the last of them; it is rejected once it can no longer
pass, and withdrawn by a no of the member that made it. Votes are counted anew with each vote, over the seats as they
are then; those of keys without a seat are forgotten.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import EncodingError, invariant
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_INT
from fazhi_ledger.result import ResultSigner
from fazhi_ledger.shape import as_bool, as_digest, as_int, as_text, as_tuple
from fazhi_ledger.validators import ValidatorSet

from .context import Call, Effect
from .entries import MEMBER_ROLE
from .epochs import current_set, newest_set, pending_set
from .errors import Refused
from .keys import epoch_key, proposal_key, single_key
from .membership import CHANGES_SEATS
from .membership import KINDS as MEMBERS_KINDS
from .proposals import (
    KIND,
    MAX_OPEN,
    MAX_OPEN_PER_MEMBER,
    OPEN,
    PASSED,
    REJECTED,
    WITHDRAWN,
    Change,
    OpenProposals,
    Proposal,
    decoded_open,
    decoded_proposal,
)
from .rulebook import KINDS as RULES_KINDS
from .state import Entry, Overlay

KINDS: Final = {**MEMBERS_KINDS, **RULES_KINDS}


def propose(call: Call) -> Effect:
    """``[kind, args, until_height]``: a proposal that may be voted on up to and including that height.

    Raises:
        Refused: ``bad-args``, ``member-key-needed``, ``no-seat``, ``unknown-kind``, ``too-many-proposals``, and
            whatever would refuse it if it passed now (but for a change that is still pending).
    """
    try:
        kind_value, args, until_value = as_tuple(call.body.args, "governance.propose", length=3)
        kind = as_text(kind_value, "kind", MAX_CODE_CHARS, KIND)
        until = as_int(until_value, "until height", low=call.context.height, high=MAX_INT - 1)
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None
    voters = _voters(call)
    if kind not in KINDS:
        raise Refused("unknown-kind", kind=kind)
    _change(call, kind, args)
    org = voters[0].org
    still_open = open_proposals(call.state, call.context.height)
    own = sum(proposal.org == org for _, proposal in still_open)
    if own >= MAX_OPEN_PER_MEMBER or len(still_open) >= MAX_OPEN:
        raise Refused("too-many-proposals", limit=MAX_OPEN_PER_MEMBER)
    proposal, proposal_id = Proposal(org, kind, args, call.context.height, until), call.admitted.submission_id
    ids = (*(known for known, _ in still_open), proposal_id)
    return _cast(call, proposal_id, proposal, ids, voters, yes=True)


def vote(call: Call) -> Effect:
    """``[proposal id, yes]``: the vote of each signer with a seat; a later vote stands for an earlier one.

    Raises:
        Refused: ``bad-args``, ``member-key-needed``, ``no-seat``, ``no-such-proposal``, ``proposal-closed``,
            ``proposal-expired``; where it would pass the proposal ``change-pending`` and whatever the kind refuses. A
            refused vote is not kept and may be cast again.
    """
    try:
        id_value, yes_value = as_tuple(call.body.args, "governance.vote", length=2)
        proposal_id, yes = as_digest(id_value, "proposal id"), as_bool(yes_value, "yes")
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None
    voters = _voters(call)
    proposal = call.state.load(proposal_key(proposal_id), decoded_proposal)
    if proposal is None:
        raise Refused("no-such-proposal")
    if proposal.outcome is not None:
        outcome, height = proposal.outcome
        raise Refused("proposal-closed", outcome=outcome, height=height)
    if not proposal.is_open(call.context.height):
        raise Refused("proposal-expired", until_height=proposal.until_height)
    return _cast(call, proposal_id, proposal, _listed(call.state), voters, yes=yes)


def open_proposals(state: Overlay, height: int) -> tuple[tuple[bytes, Proposal], ...]:
    """Ids and contents of the proposals that the block of that height may still vote on, oldest first."""
    found = []
    for proposal_id in _listed(state):
        proposal = state.load(proposal_key(proposal_id), decoded_proposal)
        if proposal is not None and proposal.is_open(height):
            found.append((proposal_id, proposal))
    return tuple(found)


def _listed(state: Overlay) -> tuple[bytes, ...]:
    listed = state.load(single_key("proposals"), decoded_open)
    return () if listed is None else listed.ids


def _voters(call: Call) -> tuple[ResultSigner, ...]:
    """The signers that hold a seat in the set that certifies this block."""
    members = tuple(signer for signer in call.admitted.signers if MEMBER_ROLE in signer.roles)
    if not members:
        raise Refused("member-key-needed")
    seats = current_set(call.base)
    voters = tuple(signer for signer in members if seats.index_of_key(signer.key) is not None)
    if not voters:
        raise Refused("no-seat", org=members[0].org)
    return voters


def _change(call: Call, kind: str, args: Value) -> Change:
    """What the proposal would change now."""
    try:
        return KINDS[kind](call, args)
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None


def _cast(
    call: Call,
    proposal_id: bytes,
    proposal: Proposal,
    listed: tuple[bytes, ...],
    voters: tuple[ResultSigner, ...],
    *,
    yes: bool,
) -> Effect:
    """Count with these votes, and carry out what is decided; ``listed`` are the open proposals, this one among them."""
    height, seats = call.context.height, current_set(call.base)
    proposal = proposal.with_votes([voter.key for voter in voters], yes, seats)
    ayes = sum(cast for _, cast in proposal.votes)
    noes = len(proposal.votes) - ayes
    writes: tuple[tuple[bytes, Entry], ...] = ()
    outcome = OPEN
    if ayes >= seats.quorum:
        outcome, writes = PASSED, _carry_out(call, proposal)
    elif not yes and any(voter.org == proposal.org for voter in voters):
        outcome = WITHDRAWN
    elif len(seats) - noes < seats.quorum:
        outcome = REJECTED
    if outcome != OPEN:
        proposal = replace(proposal, outcome=(outcome, height))
        listed = tuple(known for known in listed if known != proposal_id)
    return Effect(
        (
            ("proposal", proposal_id.hex()),
            ("kind", proposal.kind),
            ("yes", ayes),
            ("no", noes),
            ("quorum", seats.quorum),
            ("outcome", outcome),
        ),
        ((proposal_key(proposal_id), proposal), (single_key("proposals"), OpenProposals(listed)), *writes),
    )


def _carry_out(call: Call, proposal: Proposal) -> tuple[tuple[bytes, Entry], ...]:
    """What the passed proposal writes.

    Raises:
        Refused: ``change-pending``: one change of the seats at a time.
    """
    pending = pending_set(call.state)
    if pending is not None and proposal.kind in CHANGES_SEATS:
        raise Refused("change-pending", first_height=pending.first_height)
    change = _change(call, proposal.kind, proposal.args)
    if change.seats is None:
        return change.writes
    invariant(pending is None, "a kind that changes seats is listed as one")
    following = ValidatorSet(newest_set(call.state).epoch + 1, call.context.height + 2, change.seats)
    return (
        *change.writes,
        (single_key("validators-pending"), following),
        (epoch_key(following.epoch), following),
    )
