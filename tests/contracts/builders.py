"""A chain in memory with four organisations, for the tests of the application and of whatever stands on it.

::

    world = World()
    case = world.case("桐综执罚2026-1")
    lead = world.by("officer-1").record(case, "LEAD")
    executed = world.block(lead, world.by("head").record(case, "FILED"))
    assert world.codes(executed) == ["OK", "OK"]

Keys follow from words, times from the world's clock, lanes and seqs from what was signed before: nothing is random.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_contracts.chain import ChainState, ExecutedBlock, MemoryChain, build_block, check_block, context_of
from fazhi_contracts.context import BlockContext
from fazhi_contracts.head import CaseHead
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.queries import case_head
from fazhi_ledger import merkle
from fazhi_ledger.block import Block
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import (
    Genesis,
    GenesisFile,
    Member,
    Officer,
    prove_possession,
    rule_set_hash,
    tls_fingerprint,
)
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record import Record, case_id, case_key, records_root
from fazhi_ledger.recording import RECORDING, recording_args
from fazhi_ledger.result import Finding
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_ledger.suites import ED25519_SHA256, Suite

SUITE: Suite = ED25519_SHA256
DAY_MS = 86_400_000
START_MS = 1_767_225_600_000 + 8 * 3_600_000  # 2026-01-01 16:00 in Beijing

ORGS = {
    "sfj": ("司法局", "Judicial Bureau", ("supervisor",)),
    "zfj": ("综合行政执法局", "Enforcement Bureau", ("enforcement",)),
    "gzc": ("公证处", "Notary Office", ("notary",)),
    "fy": ("法院", "Court", ("court",)),
}
OFFICERS = {
    "officer-1": ("zfj", ("officer",)),
    "officer-2": ("zfj", ("officer",)),
    "officer-3": ("zfj", ("officer",)),
    "head": ("zfj", ("head",)),
    "reviewer": ("zfj", ("reviewer",)),
    "sfj-officer": ("sfj", ("officer",)),
    "sfj-head": ("sfj", ("head",)),
    "notary": ("gzc", ("notary",)),
}


@cache
def signer(word: str) -> SoftwareSigner:
    """The signer whose key follows from a word; an organisation's id is the word of its ledger key."""
    return SoftwareSigner(SUITE, hashlib.sha256(word.encode()).digest())


def make_genesis_file(
    rule_sets: Iterable[tuple[str, bytes]] | None = None,
    parameters: Mapping[str, int] | None = None,
    officers: Mapping[str, tuple[str, tuple[str, ...]]] | None = None,
    orgs: Sequence[str] = tuple(ORGS),
) -> GenesisFile:
    """A genesis of ``orgs`` as validators, in that order; by default with the built-in penalty procedure."""
    if rule_sets is None:
        rule_sets = [("penalty", penalty().encode())]
    ordered = sorted((procedure, rule_set_hash(SUITE, data), data) for procedure, data in rule_sets)
    certificates = tuple(f"certificate of {org}".encode() for org in orgs)
    genesis = Genesis(
        name="测试链",
        suite_name=SUITE.name,
        time_ms=START_MS,
        parameters=Parameters.defaults(parameters),
        members=tuple(_member(org, der) for org, der in zip(orgs, certificates, strict=True)),
        officers=tuple(_officer(word, org, roles) for word, (org, roles) in (officers or OFFICERS).items()),
        rule_sets=tuple((procedure, digest) for procedure, digest, _ in ordered),
    )
    return GenesisFile(genesis.encode(), tuple(data for _, _, data in ordered), certificates)


def _member(org: str, certificate: bytes) -> Member:
    name_zh, name_en, roles = ORGS[org]
    proof = prove_possession(signer(org), None, org, roles)
    address, url = f"{org}.example:7440", f"https://{org}.example"
    key = signer(org).public_key
    return Member(org, name_zh, name_en, roles, key, tls_fingerprint(certificate), address, url, proof)


def _officer(word: str, org: str, roles: tuple[str, ...]) -> Officer:
    return Officer(org, signer(word).public_key, roles, prove_possession(signer(word), None, org, roles))


@cache
def penalty() -> RuleSet:
    """The built-in rule set of the general penalty procedure."""
    return load_builtin_rule_set("penalty")


@dataclass(frozen=True)
class Docket:
    """A case by its docket number."""

    number: str
    org: str = "zfj"
    procedure: str = "penalty"

    @property
    def key(self) -> bytes:
        return case_key(SUITE, self.org, self.procedure, self.number)

    @property
    def id(self) -> bytes:
        """By what the chain knows it."""
        return case_id(SUITE, self.org, self.key)


NO_COMMITMENTS = merkle.root_of(SUITE, [])

# Clear fields that a step must carry, so that a test names only what it is about.
USUAL_CLEAR: dict[str, dict[str, str]] = {
    "LEGALREV": {"opinion": "passed"},
    "DEFEND": {"response": "waived"},
    "DECIDED": {"outcome": "penalty"},
    "SERVED": {"mode": "direct"},
    "PERFORM": {"kind": "fine"},
}
"""What the steps of :data:`SPINE` have to say in clear."""


def make_record(
    case: Docket, step: str, occurred_at_ms: int, clear: Mapping[str, str | int] | None = None, documents: int = 1
) -> Record:
    """A record with ``documents`` commitments, whose root stands for nothing."""
    fields = USUAL_CLEAR.get(step, {}) if clear is None else clear
    root = NO_COMMITMENTS if documents == 0 else SUITE.hash(f"{case.number} {step} {documents}".encode())
    return Record(case.procedure, case.key, step, occurred_at_ms, documents, root, tuple(sorted(fields.items())))


@dataclass
class Hand:
    """Somebody who signs: fluent, through :meth:`World.by`."""

    world: World
    words: tuple[str, ...]
    org: str
    lane: bytes
    seq: int | None = None
    changes: dict[str, object] = field(default_factory=dict)

    def in_lane(self, lane: str, seq: int | None = None) -> Hand:
        """Sign in another lane than the first key's usual one; with a seq of one's own it is not counted."""
        return replace(self, lane=lane_named(lane), seq=seq)

    def with_(self, **changes: object) -> Hand:
        """Fields of the body that differ (``valid_until_ms``, ``genesis_hash``, …)."""
        return replace(self, changes={**self.changes, **changes})

    def act(self, contract: str, action: str, args: Value, records: Sequence[bytes] = ()) -> Item:
        """A signed item of any action."""
        keys = tuple(signer(word).public_key for word in self.words)
        seq = self.world.next_seq(self.org, keys[0], self.lane) if self.seq is None else self.seq
        draft = hashlib.sha256(repr((self.org, keys, self.lane, seq)).encode()).digest()[:16]
        body = SubmissionBody(
            self.world.state.genesis_hash,
            self.org,
            self.lane,
            seq,
            draft,
            contract,
            action,
            args,
            keys,
            self.world.state.time_ms,
        )
        changed = replace(body, **self.changes)  # type: ignore[arg-type]
        return sign_item(changed, [signer(word) for word in self.words], records)

    def records(self, *records: Record, of: str | None = None) -> Item:
        """One batch; in cases ``of`` another member."""
        data = tuple(record.encode() for record in records)
        return self.act(
            *RECORDING, recording_args(self.org, len(data), records_root(SUITE, data), of or self.org), data
        )

    def record(
        self,
        case: Docket,
        step: str,
        *,
        at: int | None = None,
        clear: Mapping[str, str | int] | None = None,
        documents: int = 1,
        of: str | None = None,
    ) -> Item:
        """One record; ``at`` is when it is said to have happened, by default now."""
        occurred = self.world.now_ms if at is None else at
        return self.records(make_record(case, step, occurred, clear, documents), of=of)

    def void(self, first: int, last: int, reason: str = "lost") -> Item:
        """Give up seqs of the lane; signed with the seq ``first``."""
        item = replace(self, seq=first).act("lane", "void", (first, last, reason))
        self.world.set_seq(self.org, item.body.signer_keys[0], self.lane, last + 1)
        return item

    def register_officer(self, org: str, word: str, roles: tuple[str, ...] = ("officer",)) -> Item:
        proof = prove_possession(signer(word), self.world.state.genesis_hash, org, roles)
        return self.act("identity", "register_officer", (org, signer(word).public_key, roles, proof))

    def register_org(self, org: str) -> Item:
        return self.act("identity", "register_org", (org, "某中队", "Some squad"))

    def revoke(self, word: str) -> Item:
        return self.act("identity", "revoke_key", (signer(word).public_key,))


def lane_named(name: str) -> bytes:
    """A lane's 16 bytes from a word."""
    return hashlib.sha256(b"lane " + name.encode()).digest()[:16]


class World:
    """The chain, its clock, and the seqs of what was signed in it."""

    def __init__(self, genesis_file: GenesisFile | None = None, **parameters: int) -> None:
        self.genesis_file = genesis_file or make_genesis_file(parameters=parameters)
        self.chain = MemoryChain(self.genesis_file)
        self.now_ms = START_MS + 1000
        self._seqs: dict[tuple[str, bytes, bytes], int] = {}
        self._orgs = {word: org for word, (org, _) in OFFICERS.items()} | {org: org for org in ORGS}

    @property
    def state(self) -> ChainState:
        return self.chain.state

    def case(self, number: str = "桐综执罚2026-1", org: str = "zfj") -> Docket:
        return Docket(number, org)

    def knows(self, word: str, org: str) -> None:
        """Name the organisation of a key that the test registers itself."""
        self._orgs[word] = org

    def by(self, *words: str) -> Hand:
        """Who signs: words of keys, the first of which gives organisation and lane."""
        return Hand(self, words, self._orgs[words[0]], lane_named(words[0]))

    def next_seq(self, org: str, key: bytes, lane: bytes) -> int:
        seq = self._seqs.get((org, key, lane), 0)
        self._seqs[(org, key, lane)] = seq + 1
        return seq

    def set_seq(self, org: str, key: bytes, lane: bytes, seq: int) -> None:
        self._seqs[(org, key, lane)] = seq

    def context(self, time_ms: int | None = None) -> BlockContext:
        """The context of the next block, by default at the world's clock."""
        return context_of(self.state, self.now_ms if time_ms is None else time_ms)

    def build(self, *items: Item, proposer: str = "zfj") -> ExecutedBlock:
        """The next block at the world's clock, not taken over."""
        return build_block(self.state, proposer, self.now_ms, items)

    def block(self, *items: Item, proposer: str = "zfj") -> ExecutedBlock:
        """Build the next block, check it as everybody else would, from its bytes, and take it over. A second passes."""
        executed = self.build(*items, proposer=proposer)
        checked = check_block(self.state, Block.decode(executed.block.encode()))
        assert checked == executed
        self.chain.take(executed)
        self.now_ms += 1000
        return executed

    def head(self, case: Docket) -> CaseHead:
        head = case_head(self.state.view, case.id)
        assert head is not None
        return head

    @staticmethod
    def codes(executed: ExecutedBlock) -> list[str]:
        """The result codes of a block."""
        return [outcome.result.code for outcome in executed.outcomes]

    def do(self, item: Item) -> tuple[Finding, ...]:
        """Execute one item in a block of its own; it must be accepted. Its records' findings."""
        outcome = self.block(item).outcomes[0]
        assert outcome.result.code == "OK", outcome.result
        return tuple(finding for result in outcome.record_results for finding in result.findings)

    def refused(self, item: Item) -> tuple[str, dict[str, str | int]]:
        """Execute one item in a block of its own; it must be refused. Code and parameters."""
        outcome = self.block(item).outcomes[0]
        assert outcome.result.code != "OK"
        assert outcome.record_results == ()
        return outcome.result.code, dict(outcome.result.parameters)

    def pass_days(self, days: int) -> None:
        self.now_ms += days * DAY_MS


SPINE = ("LEAD", "FILED", "INVEST", "INVEND", "LEGALREV", "NOTICE", "DEFEND", "DECIDED", "SERVED", "PERFORM", "CLOSED")
"""A penalty case without a flaw."""

USUAL_SIGNERS = {
    "LEAD": ("officer-1",),
    "FILED": ("head",),
    "INVEST": ("officer-1", "officer-2"),
    "INVEND": ("officer-1",),
    "LEGALREV": ("reviewer",),
    "NOTICE": ("officer-1",),
    "DEFEND": ("officer-1",),
    "DECIDED": ("head",),
    "SERVED": ("officer-1",),
    "PERFORM": ("officer-1",),
    "CLOSED": ("head",),
}


def codes_of(findings: Sequence[Finding]) -> list[str]:
    """The codes of findings, in their order."""
    return [finding.code for finding in findings]
