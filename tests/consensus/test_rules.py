"""The rules of safety.md §2 ("Rules commonly botched"), each with the test that shows it being kept.

====================  ==========================================================================  ==============
rule                  test                                                                        source
====================  ==========================================================================  ==============
purpose               test_a_prepare_is_never_read_as_a_commit                                    DSSE
height, round, block  test_a_vote_binds_height_round_block_and_signer                             design §6
chain                 test_a_vote_of_another_chain_is_refused                                     design §3
peer is no signer     test_unsigned_kinds_are_believed_of_their_peer_alone                        safety §2
validators counted    test_one_validator_counts_once_however_often_it_signs                       CVE-2020-6174
validators counted    test_a_proposal_above_round_0_shows_q_distinct_round_changes                GHSA-3633
every signature       test_one_bad_nested_signature_spoils_the_message                            CVE-2020-15091
index-bound           test_a_signer_outside_the_set_is_refused                                    Tachyon
quorum ⌈2n/3⌉         test_a_proof_of_one_prepare_less_than_a_quorum_is_refused                   celo#117
quorum ⌈2n/3⌉         test_a_quorum_of_2f_plus_1_forks_the_chain_of_six                           celo#117
right proposer        test_only_the_proposer_of_the_round_proposes                                Alg. 2
block binding         test_the_block_must_have_the_signed_hash                                    safety §2
executed first        test_prepare_only_after_the_block_was_found_valid                           design §5
first proposal wins   test_the_first_proposal_wins_and_the_second_is_evidence                     safety §2
same bytes again      test_the_highest_prepared_block_is_proposed_again_byte_for_byte             besu#6613
same bytes again      test_a_re_proposal_that_differs_in_a_byte_is_not_prepared                   safety §2
exempt from freshness test_a_re_proposal_is_exempt_from_rules_of_the_moment                       design §5
COMMIT after q        test_commit_only_after_q_prepares                                           Alg. 2
same (h, r, block)    test_prepares_of_another_round_or_block_do_not_count                        Alg. 2
one round             test_commits_of_different_rounds_do_not_add_up                              design §5
early, bounded        test_early_messages_are_bounded_for_each_peer                               safety §2
h+1 only              test_heights_beyond_the_next_are_not_kept                                   safety §2
proof and block       test_the_round_change_carries_the_prepared_certificate_and_the_block        Alg. 3
own proof each        test_each_round_change_proves_its_own_claim                                 anchor#106
q to propose          test_the_new_proposer_waits_for_q_round_changes                             Alg. 3
choice recomputed     test_receivers_recompute_the_choice                                         go-ibft#52
fetched, not replaced test_a_missing_block_is_fetched_never_replaced                              safety §2
fetched, not replaced test_a_decided_block_that_is_missing_is_fetched_from_those_who_committed    safety §2
silent once decided   test_nothing_is_signed_for_a_decided_height                                 besu#1734
answer once decided   test_who_still_works_on_a_decided_height_is_answered                        besu#1734
join at f+1           test_f_plus_1_higher_rounds_are_joined_at_the_lowest_of_them                besu#1822
capped timers         test_round_timers_are_exponential_and_capped                                besu#7642
timer when due        test_the_timer_of_round_0_starts_with_work_not_before                       besu#2095
timer at q            test_timers_above_round_0_start_at_q_round_changes                          PBFT §4.5.2
repeated              test_round_changes_are_repeated_byte_for_byte_ever_more_slowly              safety §2
catch-up cancels      test_catch_up_cancels_rounds                                                safety §2
highest RC only       test_only_the_highest_round_change_of_each_validator_is_kept                GHSA-23rh
no cap on rounds      test_rounds_are_not_capped                                                  design §6
durable first         test_every_signed_body_is_durable_before_it_leaves                          design §6
COMMIT with its proof test_the_record_of_a_commit_holds_its_block_and_q_prepares                  design §6
crash, not persisted  test_failed_and_not_persisted                                               sunlight
crash, persisted      test_failed_but_persisted                                                   sunlight
lock kept             test_a_restart_keeps_the_lock                                               safety §2
no second body        test_no_second_body_for_one_place_whoever_asks                              safety §2
power cut of all      test_a_power_cut_of_all_heals_by_itself                                     design §6
amnesia               test_a_vote_of_ours_that_we_do_not_know_convicts_us                         design §6
rolled-back store     test_a_height_below_the_vote_log_is_not_signed_for                          cometbft#6031
late commits          test_late_commits_are_added_to_the_certificate                              design §5
guilt                 test_a_contradiction_convicts_its_signer_before_anyone                      design §6
innocence             test_an_honest_history_convicts_nobody                                      design §6
sets change           test_the_set_may_change_at_every_height                                     design §5
cheap checks first    test_cheap_checks_come_before_any_signature                                 safety §2
message size          test_limits_of_blocks_on_both_sides                                         safety §2
votes of one peer     test_votes_of_one_validator_are_bounded                                     safety §2
no order of sets      test_one_seed_is_one_run_whatever_the_hash_seed                             design §2
====================  ==========================================================================  ==============

Not of this floor: parent, time, transaction and state roots of a proposal (``ValidateBlock`` asks the application), the
answers to clients, state transfer and the amnesia protocol beyond its detection (the runtime).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_rule_names_a_test_that_exists() -> None:
    named = set(re.findall(r"\btest_\w+", __doc__))
    folders = (HERE, HERE.with_name("simulation"), HERE.with_name("mutants"))
    sources = [path for folder in folders for path in folder.glob("test_*.py")]
    defined = {
        node.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(named) > 50
    assert named <= defined, sorted(named - defined)
