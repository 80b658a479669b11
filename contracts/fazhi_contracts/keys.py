"""Keys of the state:

``canonical [kind, part…]``. This module is the only place where they are made (spec/state.md lists them).
"""

from __future__ import annotations

from functools import lru_cache

from fazhi_ledger.canonical import pack
from fazhi_ledger.submission import SubmissionBody


def state_key(kind: str, *parts: str | bytes | int) -> bytes:
    """The key of an entry of that kind."""
    return pack((kind, *parts))


def org_key(org: str) -> bytes:
    """``["org", org]`` → :class:`~fazhi_contracts.entries.OrgEntry`."""
    return state_key("org", org)


@lru_cache(maxsize=256)
def member_key(org: str) -> bytes:
    """``["member", org]`` → :class:`~fazhi_contracts.entries.MemberEntry`."""
    return state_key("member", org)


def epoch_key(epoch: int) -> bytes:
    """``["epoch", epoch]`` → the validator set of that epoch, from 1 on (epoch 0 is the genesis')."""
    return state_key("epoch", epoch)


def proposal_key(proposal_id: bytes) -> bytes:
    """``["proposal", id]`` → :class:`~fazhi_contracts.proposals.Proposal`."""
    return state_key("proposal", proposal_id)


@lru_cache(maxsize=4096)
def key_key(public_key: bytes) -> bytes:
    """``["key", public key]`` → :class:`~fazhi_contracts.entries.KeyEntry`."""
    return state_key("key", public_key)


@lru_cache(maxsize=4096)
def lane_key(org: str, public_key: bytes, lane: bytes) -> bytes:
    """``["lane", org, first signing key, lane]`` → :class:`~fazhi_contracts.entries.LaneEntry`."""
    return state_key("lane", org, public_key, lane)


def lane_key_of(body: SubmissionBody) -> bytes:
    """The key of the lane that a submission stands in."""
    return lane_key(body.org, body.signer_keys[0], body.lane)


@lru_cache(maxsize=4096)
def lane_count_key(public_key: bytes) -> bytes:
    """``["lanes", public key]`` → how many lanes that key has opened."""
    return state_key("lanes", public_key)


def case_state_key(case_id: bytes) -> bytes:
    """``["case", case id]`` → :class:`~fazhi_contracts.head.CaseHead` (:func:`~fazhi_ledger.record.case_id`)."""
    return state_key("case", case_id)


@lru_cache(maxsize=1024)
def serial_key(org: str, procedure: str, year: int) -> bytes:
    """``["serial", org, procedure, year]`` → the last serial given out."""
    return state_key("serial", org, procedure, year)


@lru_cache(maxsize=64)
def rule_set_key(rule_set_hash: bytes) -> bytes:
    """``["rule-set", hash]`` → the rule set's canonical bytes."""
    return state_key("rule-set", rule_set_hash)


@lru_cache(maxsize=64)
def calendar_key(calendar_hash: bytes) -> bytes:
    """``["calendar", hash]`` → the canonical bytes of a year's calendar."""
    return state_key("calendar", calendar_hash)


@lru_cache(maxsize=64)
def procedure_key(procedure: str) -> bytes:
    """``["procedure", name]`` → :class:`~fazhi_contracts.rulebook.ProcedureEntry`."""
    return state_key("procedure", procedure)


@lru_cache(maxsize=16)
def rules_key(rules_hash: bytes) -> bytes:
    """``["rules", hash]`` → :class:`~fazhi_contracts.in_force.Rules`."""
    return state_key("rules", rules_hash)


@lru_cache(maxsize=8)
def single_key(kind: str) -> bytes:
    """The key of a kind of which there is one:

    ``calendars``, ``parameters``, ``protocol``, ``procedures``, ``proposals``, ``validators``, ``validators-pending``.
    """
    return state_key(kind)
