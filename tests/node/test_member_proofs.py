"""What a client believes of who the members are: entries proven under a certified header, and none that is older."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fazhi_ledger.genesis import tls_fingerprint
from fazhi_node.gateway.context import b64
from fazhi_node.gateway.proofs import certified
from fazhi_sdk.errors import BadAnswer, ProofFailed
from fazhi_sdk.trust import Fields, Trust

from .cluster import Cluster, Node
from .membership import Polls

SEED = 8
URL = "https://anybody.example:443"


def answer(node: Node) -> dict[str, Any]:
    """What ``GET /v1/members`` says."""
    checkpoint, proven = node.running.reader.member_proofs()
    listed = [{"org": org, "entry": b64(entry), "proof": b64(proof)} for org, entry, proof in proven]
    return {**certified(node.running.reader, checkpoint), "members": listed}


@pytest.fixture(scope="module")
def updated() -> Iterator[tuple[Cluster, dict[str, Any], dict[str, Any]]]:
    """What a node says of the members before and after the certificate of c was replaced by vote."""
    with Cluster(SEED) as cluster:
        cluster.start()
        cluster.run_for(50)
        polls = Polls(cluster)
        polls.propose("a", "parameters.set", (("heartbeat_ms", 30_000),))  # a block, so that there is a checkpoint
        before = answer(cluster["a"])
        voted = polls.propose("a", "member.update", ("c", b"fresh", "c.example:7444", "https://c.example:7443"))
        ids = polls.vote(voted, "b", "c")
        cluster.run_until(lambda: cluster.committed_everywhere(ids))
        yield cluster, before, answer(cluster["a"])


def test_the_members_are_those_of_the_state(updated: tuple[Cluster, dict[str, Any], dict[str, Any]]) -> None:
    cluster, before, after = updated
    genesis = cluster.genesis_file.genesis
    shown = Trust(cluster.genesis_file).members(Fields(before, URL))
    assert shown == [(member.gateway_url, member.tls_fingerprint) for member in genesis.members]
    pins = dict(Trust(cluster.genesis_file).members(Fields(after, URL)))
    assert pins["https://c.example:7443"] == tls_fingerprint(b"fresh")


def test_a_list_that_was_true_once_brings_no_certificate_back(
    updated: tuple[Cluster, dict[str, Any], dict[str, Any]],
) -> None:
    cluster, before, after = updated
    trust = Trust(cluster.genesis_file)
    trust.members(Fields(before, URL))
    trust.members(Fields(after, URL))
    with pytest.raises(BadAnswer) as refused:
        trust.members(Fields(before, URL))
    assert refused.value.code == "stale-answer"
    trust.members(Fields(after, URL))


def test_entries_that_are_not_proven_are_not_believed(updated: tuple[Cluster, dict[str, Any], dict[str, Any]]) -> None:
    cluster, before, after = updated
    swapped = {**after, "members": [*after["members"][:2], before["members"][2], *after["members"][3:]]}
    renamed = {**after, "members": [{**after["members"][0], "org": "b"}, *after["members"][1:]]}
    for lie in (swapped, renamed, {**after, "header": before["header"]}):
        with pytest.raises(ProofFailed):
            Trust(cluster.genesis_file).members(Fields(lie, URL))
