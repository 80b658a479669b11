"""A chain in memory that keeps its blocks, and the trail files of its cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fazhi_contracts.chain import ExecutedBlock
from fazhi_contracts.head import CaseHead
from fazhi_contracts.in_force import Rules
from fazhi_contracts.keys import case_state_key
from fazhi_contracts.queries import calendar_bytes, epoch_set, rule_set_bytes, rules_bytes, validator_sets
from fazhi_contracts.trail import CaseTrail, TrailBlock, TrailEvent, TrailSubmission
from fazhi_ledger import dsse, merkle, statetree
from fazhi_ledger.canonical import encode
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.header import Header
from fazhi_ledger.receipt import Docket as DocketOfFile
from fazhi_ledger.receipt import Handover
from fazhi_ledger.stateproof import key_hash_of
from fazhi_ledger.submission import Item
from fazhi_ledger.validators import ValidatorSet

from .builders import DAY_MS, ORGS, SUITE, USUAL_SIGNERS, Docket, World, make_record, signer
from .voting import new_key, pass_it, with_calendar


class Recorded(World):
    """A world that keeps its blocks. ``words`` are those of the keys that may hold seats."""

    words: tuple[str, ...] = (*ORGS, "gzc-2")

    def __init__(self, genesis_file: GenesisFile | None = None) -> None:
        super().__init__(genesis_file)
        self.executed: list[ExecutedBlock] = []
        self.sets: list[ValidatorSet] = []  # that certify each block

    def block(self, *items: Item, proposer: str = "zfj") -> ExecutedBlock:
        self.sets.append(validator_sets(self.state.view)[0])
        executed = super().block(*items, proposer=proposer)
        self.executed.append(executed)
        return executed

    def certify(self, header: Header) -> bytes:
        """A certificate by a quorum of the seats of that block."""
        seats, digest = self.sets[header.height - 1], header.hash(SUITE)
        body = vote_body(self.state.genesis_hash, header.height, 0, digest)
        keys = {signer(word).public_key: signer(word) for word in self.words}
        votes = [(index, dsse.sign(keys[seat.key], dsse.COMMIT, body)) for index, seat in enumerate(seats.validators)]
        return CommitCertificate(header.height, 0, digest, tuple(votes[: seats.quorum])).encode()

    def handovers(self) -> tuple[Handover, ...]:
        """All that there were."""
        found = []
        for executed in self.executed:
            header = executed.block.header
            if header.validators_hash != header.next_validators_hash:
                epoch = self.sets[header.height - 1].epoch + 1
                successor = epoch_set(self.state.view, epoch)
                assert successor is not None
                found.append(Handover(header.encode(), self.certify(header), successor.encode()))
        return tuple(found)

    def places(self, case: Docket) -> list[tuple[int, int, int]]:
        """Where the events of a case stand: height, index, record."""
        return [
            (executed.block.header.height, index, record)
            for executed in self.executed
            for index, outcome in enumerate(executed.outcomes)
            for record, result in enumerate(outcome.record_results)
            if result.case_id == case.id
        ]


def trail_of(world: Recorded, case: Docket) -> CaseTrail:
    """The trail of a case as of the last block."""
    anchor = world.executed[-1].block.header
    head = world.state.view.get(case_state_key(case.id))
    assert head is not None
    history = [merkle.leaf_hash(SUITE, world.state.genesis_hash)]
    history += [merkle.leaf_hash(SUITE, executed.block_hash) for executed in world.executed[:-1]]
    heights = sorted({height for height, _, _ in world.places(case)})
    submissions = sorted({place[:2] for place in world.places(case)})
    headers = [world.executed[height - 1].block.header for height in heights]
    named = sorted({header.rules_hash for header in (anchor, *headers)})
    rules = [_there(rules_bytes(world.state.view, digest)) for digest in named]
    in_force = sorted({digest for data in rules for _, digest in Rules.decode(data).calendars_in_force()})
    state_proof = statetree.prove(SUITE, world.state.pages, key_hash_of(SUITE, case_state_key(case.id)))
    return CaseTrail(
        world.genesis_file.genesis_bytes,
        world.handovers(),
        anchor.encode(),
        world.certify(anchor),
        DocketOfFile(case.org, case.number),
        head,
        encode(state_proof.to_value()),
        tuple(rules),
        _there(rule_set_bytes(world.state.view, CaseHead.decode(head).rule_set_hash)),
        tuple(_there(calendar_bytes(world.state.view, digest)) for digest in in_force),
        tuple(
            TrailBlock(
                header.encode(),
                () if header == anchor else merkle.inclusion_proof(SUITE, history, header.height),
            )
            for header in headers
        ),
        tuple(_submission(world, heights, *place) for place in submissions),
        tuple(_event(world, submissions, *place) for place in world.places(case)),
    )


def _submission(world: Recorded, heights: list[int], height: int, index: int) -> TrailSubmission:
    executed = world.executed[height - 1]
    envelopes = [merkle.leaf_hash(SUITE, item.envelope()) for item in executed.block.items]
    results = [merkle.leaf_hash(SUITE, leaf) for leaf in executed.result_leaves]
    return TrailSubmission(
        heights.index(height),
        index,
        executed.block.items[index].envelope(),
        merkle.inclusion_proof(SUITE, envelopes, index),
        executed.result_leaves[index],
        merkle.inclusion_proof(SUITE, results, index),
    )


def _event(world: Recorded, submissions: list[tuple[int, int]], height: int, index: int, record: int) -> TrailEvent:
    executed = world.executed[height - 1]
    records, outcome = executed.block.items[index].records, executed.outcomes[index]
    results = outcome.record_result_bytes
    return TrailEvent(
        submissions.index((height, index)),
        record,
        records[record],
        merkle.inclusion_proof(SUITE, [merkle.leaf_hash(SUITE, one) for one in records], record),
        results[record],
        merkle.inclusion_proof(SUITE, [merkle.leaf_hash(SUITE, one) for one in results], record),
    )


def _there(data: bytes | None) -> bytes:
    assert data is not None
    return data


def told_case() -> tuple[Recorded, Docket]:
    """A case with findings, in batches and beside other cases' records, over a vote of a calendar and a change of the
    seats, the notary's attestation, and evidence that came too late."""
    world = Recorded()
    case, other = world.case(), replace(world.case(), number="桐综执罚2026-2")

    def take(step: str, *beside: Item, **how: Any) -> None:
        world.block(*beside, world.by(*USUAL_SIGNERS[step]).record(case, step, **how))
        world.pass_days(1)

    take("LEAD", world.by("officer-2").record(other, "LEAD"))
    take("FILED")
    with_calendar(world)
    batch = world.by("officer-1", "officer-2")
    pair = [make_record(case, "INVEST", world.now_ms, documents=number) for number in (1, 2)]
    world.block(world.by("officer-3").record(other, "INVEST"), batch.records(*pair))
    world.do(world.by("officer-1").record(case, "INVEST"))  # one officer only
    pass_it(world, "validator.replace_key", new_key(world, "gzc", "gzc-2"))
    for _ in range(3):
        world.block()
    for step in ("INVEND", "LEGALREV", "NOTICE", "DEFEND", "DECIDED"):
        take(step)
    world.do(world.by("notary").record(case, "ATTEST", clear={"scope": "trail", "through": 10}, of="zfj"))
    world.pass_days(30)
    world.do(world.by("officer-1", "officer-2").record(case, "INVEST", at=world.now_ms - 40 * DAY_MS))
    world.block()
    return world, case
