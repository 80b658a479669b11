"""Votes in a cluster of whole nodes: members of the cluster propose, vote, join and leave while blocks go by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import count

from fazhi_contracts.membership import seat_roles
from fazhi_contracts.queries import validator_sets
from fazhi_ledger.canonical import Value, decode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.genesis import Member, prove_possession, tls_fingerprint
from fazhi_ledger.header import Header
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.receipt_steps import follow_handover
from fazhi_ledger.submission import Item
from fazhi_ledger.validators import ValidatorSet

from .cluster import SUITE, Cluster, Node, signer_of

FAR = 10**9


def card(cluster: Cluster, org: str) -> Value:
    """Args of ``validator.add`` for an organisation of the cluster's seed."""
    der, holder, roles = b"certificate of " + org.encode(), signer_of(cluster.seed, org), ("bureau",)
    proof = prove_possession(holder, cluster.genesis_hash, org, seat_roles(roles))
    address, url = f"{org}.example:7444", f"https://{org}.example:7443"
    member = Member(org, "新", "New", roles, holder.public_key, tls_fingerprint(der), address, url, proof)
    return member.to_value(), der


def new_key(cluster: Cluster, org: str, holder: SoftwareSigner) -> Value:
    """Args of ``validator.replace_key``."""
    proof = prove_possession(holder, cluster.genesis_hash, org, seat_roles(()))
    return org, holder.public_key, proof


class Polls:
    """Submissions of members' ledger keys, each key in a lane of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.keys: dict[str, SoftwareSigner] = {}
        self._seqs: dict[bytes, count[int]] = {}

    def key(self, org: str) -> SoftwareSigner:
        """The ledger key that the organisation signs with."""
        return self.keys.get(org, signer_of(self.cluster.seed, org))

    def item(self, org: str, action: str, args: Value) -> Item:
        signer = self.key(org)
        seq = next(self._seqs.setdefault(signer.public_key, count()))
        return self.cluster.item(org, seq, 250, args=args, contract="governance", action=action, signer=signer)

    def propose(self, org: str, kind: str, args: Value, at: str = "") -> bytes:
        """Propose through a node (one's own) and wait until it is committed there."""
        node = at or org
        (proposal_id,) = self.cluster.submit(node, [self.item(org, "propose", (kind, args, FAR))])
        self.cluster.run_until(lambda: self.cluster.committed(node, proposal_id))
        return proposal_id

    def vote(self, proposal_id: bytes, *orgs: str, yes: bool = True, at: str = "") -> list[bytes]:
        """Hand in votes, each through its own node unless said otherwise; does not wait."""
        items = [(org, self.item(org, "vote", (proposal_id, yes))) for org in orgs]
        return [self.cluster.submit(at or org, [item])[0] for org, item in items]

    def pass_it(self, kind: str, args: Value, voters: Sequence[str]) -> int:
        """Propose, vote, and wait until the first voter's node has executed what passed; the height of the vote."""
        first, *others = voters
        self.vote(self.propose(first, kind, args), *others)
        return self.wait_for_vote(first, sets(self.cluster[first])[0].epoch)

    def wait_for_vote(self, org: str, epoch: int) -> int:
        node = self.cluster[org]
        self.cluster.run_until(lambda: sets(node)[1] is not None or sets(node)[0].epoch > epoch)
        current, pending = sets(node)
        return (pending or current).first_height - 2


def sets(node: Node) -> tuple[ValidatorSet, ValidatorSet | None]:
    """The node's current set, and the one that waits."""
    assert node.store is not None
    return validator_sets(node.store)


def seats(node: Node) -> list[str]:
    return [seat.member for seat in sets(node)[0].validators]


def certifiers(node: Node, height: int) -> list[str]:
    """Members whose commits stand in the certificate of that height, by the set that must have signed it."""
    store = node.store
    assert store is not None
    certificate = store.certificate(height)
    assert certificate is not None
    validators = set_at(node, height)
    certificate.verify(SUITE, store.genesis_hash, validators)
    return [validators.validators[index].member for index in certificate.signers]


def set_at(node: Node, height: int) -> ValidatorSet:
    """The set that certifies that height, by the hand-overs that the node can prove."""
    assert node.store is not None
    validators = node.store.genesis.validator_set()
    for part in node.running.reader.handovers(height):
        header, certificate = Header.decode(part.header), CommitCertificate.decode(part.certificate)
        successor = ValidatorSet.decode(part.validators)
        validators = follow_handover(SUITE, node.store.genesis_hash, validators, header, certificate, successor)
    return validators


class Watched(SoftwareSigner):
    """A key that remembers what it signed."""

    def __init__(self, seed: int, name: str) -> None:
        super().__init__(SUITE, hashlib.sha256(f"{seed}/{name}".encode()).digest())
        self.messages: list[bytes] = []

    def sign(self, message: bytes) -> bytes:
        self.messages.append(message)
        return super().sign(message)

    def heights(self) -> set[int]:
        """Heights that it signed consensus messages for."""
        found = set()
        for message in self.messages:
            _, _, kind, rest = message.split(b" ", 3)
            if b"submission" not in kind and b"possession" not in kind:
                body = decode(rest.partition(b" ")[2])
                assert isinstance(body, tuple)
                assert isinstance(body[1], int)
                found.add(body[1])
        return found


class Load:
    """Officers that keep submitting, one item at a time and each behind the last, as long as time goes on."""

    def __init__(self, cluster: Cluster, *orgs: str, every_ms: int = 40) -> None:
        self.cluster = cluster
        self.ids: list[bytes] = []
        self.going = True
        self._every_ms = every_ms
        self._seqs = dict.fromkeys(orgs, 0)
        self._last: dict[str, bytes] = {}
        for org in orgs:
            self._submit(org)

    def _submit(self, org: str) -> None:
        node = self.cluster[org]
        if self.going and node.alive:
            waiting = self._last.get(org)
            if waiting is None or any(each.alive and waiting in each.committed for each in self.cluster.nodes.values()):
                item = self.cluster.item(org, self._seqs[org])
                self._seqs[org] += 1
                self._last[org] = item.id(SUITE)
                self.ids.append(item.id(SUITE))
            else:
                item = self.cluster.item(org, self._seqs[org] - 1)  # once more, as an outbox does
            self.cluster.submit_raw(org, [item.encode()])
        if self.going:
            self.cluster.world.at(self._every_ms, lambda: self._submit(org))

    def stop(self) -> list[bytes]:
        """Submit nothing more; the ids of all that was submitted."""
        self.going = False
        return self.ids
