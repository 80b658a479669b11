"""A small chain made by hand from ledger parts: keys, a genesis, one certified block with records, and its receipt."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field

from fazhi_ledger import dsse, merkle
from fazhi_ledger.block import submissions_root
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.genesis import Genesis, Member, Officer, prove_possession
from fazhi_ledger.header import Header
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.receipt import Anchor, Disclosed, Docket, Handover, RecordReceipt
from fazhi_ledger.record import (
    FileValue,
    Opening,
    Record,
    case_id,
    case_key,
    commitment,
    commitments_root,
    records_root,
)
from fazhi_ledger.result import OK, RecordResult, Result, ResultSigner, record_results_root
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_ledger.suites import ED25519_SHA256, Suite
from fazhi_ledger.validators import Validator, ValidatorSet

PHOTO = b"a photo of the scene"
DOCKET = "桐综执罚2026-0412"
ORGS = (("sfj", "司法局"), ("zfj", "综合行政执法局"), ("gzc", "公证处"), ("fy", "法院"))


def signer(seed: str, suite: Suite = ED25519_SHA256) -> SoftwareSigner:
    """A signer whose key follows from a word."""
    return SoftwareSigner(suite, hashlib.sha256(seed.encode()).digest())


def member(org: str, name: str, key: SoftwareSigner) -> Member:
    proof = prove_possession(key, None, org, ("member",))
    return Member(
        org, name, org.upper(), ("member",), key.public_key, bytes(32), f"{org}:7440", f"https://{org}", proof
    )


def make_genesis(suite: Suite = ED25519_SHA256) -> tuple[Genesis, list[SoftwareSigner], SoftwareSigner, SoftwareSigner]:
    """A genesis of four members and two officers, with all their signers."""
    seats = [signer(org, suite) for org, _ in ORGS]
    officers = [signer("officer-1", suite), signer("officer-2", suite)]
    genesis = Genesis(
        name="测试链",
        suite_name=suite.name,
        time_ms=1_767_225_600_000,
        parameters=Parameters.defaults(),
        members=tuple(member(org, name, key) for (org, name), key in zip(ORGS, seats, strict=True)),
        officers=tuple(
            Officer("zfj", key.public_key, ("officer",), prove_possession(key, None, "zfj", ("officer",)))
            for key in officers
        ),
        rule_sets=(),
    )
    return genesis, seats, officers[0], officers[1]


def commit(
    suite: Suite,
    genesis_hash: bytes,
    header: Header,
    signers: list[tuple[int, SoftwareSigner]],
    round_: int = 0,
) -> CommitCertificate:
    """A certificate over a header by the given validators."""
    block_hash = header.hash(suite)
    body = vote_body(genesis_hash, header.height, round_, block_hash)
    return CommitCertificate(
        header.height, round_, block_hash, tuple((i, dsse.sign(s, dsse.COMMIT, body)) for i, s in signers)
    )


@dataclass
class World:
    """One block at height 1 with three submissions; the middle one carries two records, of which the second is
    receipted."""

    suite: Suite = ED25519_SHA256
    result_code: str = OK
    genesis: Genesis = field(init=False)
    genesis_hash: bytes = field(init=False)
    seats: list[SoftwareSigner] = field(init=False)

    def __post_init__(self) -> None:
        self.genesis, self.seats, self.first, self.second = make_genesis(self.suite)
        self.genesis_hash = self.genesis.hash()
        self.validators: ValidatorSet = self.genesis.validator_set()
        self._records()
        self._block()

    def _records(self) -> None:
        digest = hashlib.sha256(PHOTO).digest()
        self.openings = (
            Opening("file.1", b"\x01" * 32, FileValue((("sha256", digest),), len(PHOTO), "image/jpeg").to_value()),
            Opening("place", b"\x02" * 32, "梧桐街道"),
            Opening("note", b"\x03" * 32, 7),
        )
        self.draft_id = b"d" * 16
        self.commitments = tuple(
            commitment(self.suite, self.genesis_hash, self.first.public_key, self.draft_id, 1, opening)
            for opening in self.openings
        )
        key = case_key(self.suite, "zfj", "penalty", DOCKET)
        root = commitments_root(self.suite, self.commitments)
        self.record = Record("penalty", key, "INVEST", 1_767_230_000_000, len(self.commitments), root)
        other = dataclasses.replace(
            self.record, step="FILED", commitment_count=0, commitments_root=merkle.root_of(self.suite, [])
        )
        self.records = (other.encode(), self.record.encode())

    def body(self, seq: int, args: tuple[int, bytes]) -> SubmissionBody:
        keys = (self.first.public_key, self.second.public_key)
        return SubmissionBody(
            self.genesis_hash, "zfj", b"l" * 16, seq, self.draft_id, "cases", "record", args, keys, 1_767_230_001_000
        )

    def _block(self) -> None:
        suite = self.suite
        args = (len(self.records), records_root(suite, self.records))
        signers = (self.first, self.second)
        self.items: tuple[Item, ...] = tuple(sign_item(self.body(seq, args), signers, self.records) for seq in range(3))
        identity = case_id(suite, "zfj", self.record.case_key)
        self.record_results = tuple(RecordResult(identity, number).encode() for number in (4, 5))
        known = tuple(ResultSigner(s.public_key, "zfj", ("officer",)) for s in signers)
        root = record_results_root(suite, self.record_results)
        self.results = tuple(Result(item.id(suite), self.result_code, (), known, root).encode() for item in self.items)
        self.header = Header(
            genesis_hash=self.genesis_hash,
            height=1,
            parent_hash=self.genesis_hash,
            time_ms=1_767_230_002_000,
            proposer="zfj",
            submission_count=3,
            submissions_root=submissions_root(suite, self.items),
            results_root=merkle.root_of(suite, [merkle.leaf_hash(suite, r) for r in self.results]),
            state_root=bytes(32),
            history_root=merkle.root_of(suite, [merkle.leaf_hash(suite, self.genesis_hash)]),
            validators_hash=self.validators.hash(suite),
            next_validators_hash=self.validators.hash(suite),
            rules_hash=bytes(32),
        )
        self.certificate = self.certify(self.header)

    def certify(self, header: Header, who: tuple[int, ...] = (0, 1, 3), round_: int = 0) -> CommitCertificate:
        return commit(self.suite, self.genesis_hash, header, [(i, self.seats[i]) for i in who], round_)

    def proof(self, leaves: tuple[bytes, ...], index: int) -> tuple[bytes, ...]:
        return merkle.inclusion_proof(self.suite, [merkle.leaf_hash(self.suite, leaf) for leaf in leaves], index)

    def receipt(self) -> RecordReceipt:
        """The receipt of the middle submission's second record, certified directly."""
        item = self.items[1]
        return RecordReceipt(
            genesis=self.genesis.encode(),
            handovers=(),
            certificate=self.certificate.encode(),
            anchor=None,
            header=self.header.encode(),
            submission=item.envelope(),
            submission_index=1,
            submission_proof=self.proof(tuple(i.envelope() for i in self.items), 1),
            result=self.results[1],
            result_proof=self.proof(self.results, 1),
            record=self.records[1],
            record_index=1,
            record_proof=self.proof(self.records, 1),
            record_result=self.record_results[1],
            record_result_proof=self.proof(self.record_results, 1),
            docket=Docket("zfj", DOCKET),
            openings=tuple(
                Disclosed(i, opening.encode(), self.proof(self.commitments, i))
                for i, opening in enumerate(self.openings)
            ),
        )

    def anchored_receipt(self, distance: int = 5) -> RecordReceipt:
        """The same receipt, certified by a newer header's certificate."""
        leaves = [self.genesis_hash, self.header.hash(self.suite)] + [bytes([i]) * 32 for i in range(distance)]
        hashes = [merkle.leaf_hash(self.suite, leaf) for leaf in leaves]
        anchor = dataclasses.replace(
            self.header,
            height=len(leaves),
            parent_hash=leaves[-1],
            time_ms=self.header.time_ms + 60_000,
            history_root=merkle.root_of(self.suite, hashes),
        )
        proof = merkle.inclusion_proof(self.suite, hashes, 1)
        return dataclasses.replace(
            self.receipt(), certificate=self.certify(anchor).encode(), anchor=Anchor(anchor.encode(), proof)
        )

    def handed_over_receipt(self, *, signed_with: str = "gzc, second key") -> RecordReceipt:
        """The same receipt of a chain that has handed over twice: a fifth member joined, then the third of the old ones
        got another key, ``signed_with`` which the block is certified."""
        suite, newcomer, renewed = self.suite, signer("newcomer", self.suite), signer("gzc, second key", self.suite)
        first = ValidatorSet(1, 3, (*self.validators.validators, Validator("jcj", newcomer.public_key)))
        changed = tuple(
            Validator(v.member, renewed.public_key) if i == 2 else v for i, v in enumerate(first.validators)
        )
        second = ValidatorSet(2, 7, changed)
        seats = [*enumerate(self.seats), (4, newcomer)]
        sets, handovers = (self.validators, first, second), []
        for height, before, after in ((2, *sets[:2]), (6, *sets[1:])):
            header = dataclasses.replace(
                self.header,
                height=height,
                parent_hash=bytes(32),
                validators_hash=before.hash(suite),
                next_validators_hash=after.hash(suite),
            )
            certificate = commit(suite, self.genesis_hash, header, seats[1 : before.quorum + 1])
            handovers.append(Handover(header.encode(), certificate.encode(), after.encode()))
        last = second.hash(suite)
        header = dataclasses.replace(self.header, height=7, validators_hash=last, next_validators_hash=last)
        seats[2] = (2, signer(signed_with, suite))
        final = commit(suite, self.genesis_hash, header, seats[1:])
        return dataclasses.replace(
            self.receipt(), header=header.encode(), certificate=final.encode(), handovers=tuple(handovers)
        )
