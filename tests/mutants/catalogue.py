"""Every mutant: the rule that it breaks, and who must notice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from . import chain, consensus, ledger, procedures, storage


@dataclass(frozen=True)
class Mutant:
    """``rule`` as in safety.md (its section first) or spec/ruleset.md; ``hunters`` are campaigns by name, or files of
    tests.

    At least one hunter must see it; of each it is said after how many seeds.
    """

    rule: str
    broken: Callable[[], AbstractContextManager[None]]
    hunters: tuple[str, ...]


def _core(rule: str, broken: Callable[[], AbstractContextManager[None]], *hunters: str) -> Mutant:
    return Mutant(rule, broken, hunters or ("core",))


C, S, L, B, P = consensus, storage, ledger, chain, procedures


def _law(rule: str, broken: Callable[[], AbstractContextManager[None]], *hunters: str) -> Mutant:
    """Of the reading of rule sets: ``rule`` is one of spec/ruleset.md."""
    return Mutant(f"ruleset.md {rule}", broken, hunters or ("readings",))


MERKLE = "tests/ledger/test_merkle.py"
CATALOGUE: Final[dict[str, Mutant]] = {
    # who counts
    "quorum-2f+1": _core("0.1 q = ⌈2n/3⌉, not 2f+1", C.quorum_of_2f_plus_1, "core, n = 6", "twins"),
    "signatures-counted": _core("2 distinct validators, never signatures", C.signatures_counted, "core", "twins"),
    "commits-of-mixed-rounds": _core("2 COMMITs of one round", C.commits_of_mixed_rounds, "core", "twins"),
    "late-commits-of-any-round": _core("2 COMMITs of one round", C.late_commits_of_any_round, "core", "twins"),
    "commit-before-quorum": _core("2 COMMIT only after q PREPAREs", C.commit_before_quorum, "core", "twins"),
    "signatures-unverified": _core("2 every signature is verified", C.signatures_unverified, "core", "twins"),
    # what a signature binds
    "prepare-read-as-commit": _core("2 a purpose for each kind", C.prepare_read_as_commit, "twins"),
    "height-not-signed": _core("2 sign the height", C.height_not_signed, "twins"),
    "round-not-signed": _core("2 sign the round", C.round_not_signed, "twins"),
    "block-not-signed": _core("2 sign the digest", C.block_not_signed, "twins"),
    "round-in-block": _core("0.4 never hash the round into the block", C.round_in_block, "core", "twins"),
    # who may speak
    "second-proposal-accepted": _core("2 the first proposal wins", C.second_proposal_accepted, "core", "twins"),
    "proposer-unchecked": _core("2 the right proposer for (h, r)", C.proposer_unchecked, "twins"),
    "choice-not-recomputed": _core("2 receivers recompute the choice", C.choice_not_recomputed, "core"),
    "claims-unproven": _core("2 a ROUND-CHANGE proves what it claims", C.claims_unproven, "core"),
    "round-change-unlocked": _core("2 a ROUND-CHANGE carries the lock", C.round_change_unlocked, "core", "twins"),
    "round-change-after-commit": _core("2 sign nothing once h is committed", C.round_change_after_commit, "core"),
    "prepare-before-execution": _core("2 PREPARE only what was executed", C.prepare_before_execution),
    # crashes
    "persist-omitted": _core("2 fsync the vote before it is sent", C.persist_omitted),
    "sent-before-durable": _core("2 durable before it leaves", C.sent_before_durable),
    "lock-forgotten-at-restart": _core("2 restart with the lock", C.lock_forgotten_at_restart, "core", "whole nodes"),
    "commit-without-block": _core("2 COMMIT is kept with its block", C.commit_without_block),
    "commit-without-proof": _core("2 COMMIT is kept with its q PREPAREs", C.commit_without_proof),
    "repeats-signed-anew": _core("2 votes are sent again byte for byte", C.repeats_signed_anew),
    # liveness
    "join-at-f": _core("2 join at f + 1, not at f", C.join_at_f, "core"),
    "join-never": _core("2 join at f + 1", C.join_never, "core"),
    "timers-uncapped": _core("2 timers are capped", C.timers_uncapped, "long loss"),
    "timer-only-in-round-0": _core("2 timers start at q ROUND-CHANGEs", C.timer_only_in_round_0, "core", "twins"),
    "round-change-said-once": _core("2 ROUND-CHANGEs are repeated", C.round_change_said_once, "core", "twins"),
    "reproposal-judged-as-fresh": _core(
        "2 a re-proposal is exempt from fresh checks", C.reproposal_judged_as_fresh, "core", "twins"
    ),
    # disks
    "vote-not-synced": Mutant("0.5 fsync the vote", S.vote_not_synced, ("power cuts", "whole nodes")),
    "directory-not-synced": Mutant("0.5 fsync the parent directory", S.directory_not_synced, ("power cuts",)),
    "renamed-before-synced": Mutant("0.5 sync before rename", S.renamed_before_synced, ("power cuts",)),
    "guard-before-log": Mutant("2 the guard follows the log", S.guard_before_log, ("power cuts",)),
    "torn-vote-accepted": Mutant("2 a torn vote is no vote", S.torn_vote_accepted, ("power cuts",)),
    "errors-swallowed": Mutant("2 an fsync error is an exit", S.errors_swallowed, ("disk errors",)),
    "guard-ignored": Mutant("2 a restored backup does not vote", S.guard_ignored, ("restored backups",)),
    "guard-not-noted": Mutant("2 a restored backup does not vote", S.guard_not_noted, ("restored backups",)),
    "decision-not-synced": Mutant(
        "2 the decision in one synced batch", S.decision_not_synced, ("node schedules", "whole nodes")
    ),
    "results-not-stored": Mutant("2 the decision in one synced batch", S.results_not_stored, ("whole nodes",)),
    # blocks
    "lane-unchecked": Mutant("2 exactly-once by lanes", B.lane_unchecked, ("hostile proposals",)),
    "expiry-unchecked": Mutant("2 an expired item stands in no block", B.expiry_unchecked, ("hostile proposals",)),
    "revoked-keys-accepted": Mutant("2 retired keys sign nothing", B.revoked_keys_accepted, ("execution",)),
    "state-root-not-compared": Mutant(
        "2 the state root is compared", B.state_root_not_compared, ("hostile proposals",)
    ),
    "successor-not-compared": Mutant("2 the set hash is compared", B.successor_not_compared, ("hostile proposals",)),
    "item-signatures-believed": Mutant(
        "2 nothing counts as verified unseen", B.item_signatures_believed, ("hostile proposals",)
    ),
    "clock-not-asked": Mutant("2 time is bounded by the clock", B.clock_not_asked, ("hostile proposals",)),
    "pending-forgotten": Mutant("2 a request waits until it is decided", B.pending_forgotten, ("whole nodes",)),
    # state transfer
    "transfer-uncertified": Mutant("2 the certificate is verified", B.transfer_uncertified, ("hostile transfer",)),
    "transfer-without-quorum": Mutant(
        "2 the certificate is a quorum's", B.transfer_without_quorum, ("hostile transfer", "receipts")
    ),
    "delivered-again": Mutant("2 deliver exactly once", B.delivered_again, ("node schedules", "whole nodes")),
    # what is proven
    "longer-encodings-accepted": Mutant("3 one encoding", L.longer_encodings_accepted, ("receipts",)),
    "proof-length-not-bound": Mutant("3 the exact proof length", L.proof_length_not_bound, ("receipts", MERKLE)),
    "index-beyond-size": Mutant("3 index < size", L.index_beyond_size, ("receipts", MERKLE)),
    "last-leaf-doubled": Mutant("3 no duplicate last leaf", L.last_leaf_doubled, (MERKLE,)),
    "leaf-taken-for-node": Mutant("3 prefixes 00 and 01", L.leaf_taken_for_node, ("receipts", MERKLE)),
    "one-signer-twice": Mutant("2 distinct validators, never signatures", L.one_signer_twice, ("receipts",)),
    "certificate-read-to-quorum": Mutant("2 every signature is valid", L.certificate_read_to_quorum, ("receipts",)),
    "certificate-of-another-block": Mutant("2 … for this block", L.certificate_of_another_block, ("receipts",)),
    "handover-not-certified": Mutant("2 the old set certifies the new", L.handover_not_certified, ("receipts",)),
    "refusal-accepted": Mutant("3 a refusal is no proof", L.refusal_accepted, ("receipts",)),
    "second-signature-unread": Mutant("3 every signature is valid", L.second_signature_unread, ("receipts",)),
    "duplicate-keys-accepted": Mutant("3 one strict JSON reader", L.duplicate_keys_accepted, ("receipts",)),
    "weak-points-accepted": Mutant(
        "0.2 low-order points are refused", L.weak_points_accepted, ("tests/ledger/test_suites.py",)
    ),
    "scalar-not-bound": Mutant("0.2 one spelling of a signature", L.scalar_not_bound, ("tests/ledger/test_suites.py",)),
    # what the law asks
    "first-day-counted": _law("the day of the start is not counted", P.first_day_counted),
    "working-days-as-calendar-days": _law("working days are those of the calendars", P.working_days_as_calendar_days),
    "make-up-days-forgotten": _law("… and the make-up days", P.make_up_days_forgotten),
    "calendar-guessed": _law("a missing year is a finding, not a guess", P.calendar_guessed),
    "term-never-rolls": _law("a term ends on a working day", P.term_never_rolls),
    "pauses-counted": _law("pauses are left out", P.pauses_counted),
    "lasting-pause-ignored": _law("while a pause lasts the term does not end", P.lasting_pause_ignored),
    "months-of-thirty-days": _law("months end on the day of the same number", P.months_of_thirty_days),
    "lapsed-on-the-last-day": _law("`lapsed` is after the last day", P.lapsed_on_the_last_day),
    "done-at-any-time": _law("`done` … since", P.done_at_any_time),
    "own-case-reviewed": _law("`others-than`", P.own_case_reviewed),
    "closed-case-goes-on": _law("a terminal step closes the case", P.closed_case_goes_on),
    "impossible-step-taken": _law("`requires`", P.impossible_step_taken),
    "anybody-records": _law("`orgs` say whose signers record", P.anybody_records, "readings", "execution"),
    "one-signer-in-two-roles": _law("`each`: no two the same", P.one_signer_in_two_roles),
    "account-overdrawn": _law("a tally is never below zero", P.account_overdrawn, "readings", "execution"),
    "law-of-the-day-of-recording": _law(
        "the law of the day of the opening", P.law_of_the_day_of_recording, "execution"
    ),
}
