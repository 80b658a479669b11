"""A chain built in memory: real keys, blocks and certificates, no network. For audits that want thousands of items."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_contracts.chain import MemoryChain, build_block
from fazhi_ledger import dsse
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.genesis import Genesis, GenesisFile, Member, Officer, prove_possession, rule_set_hash, tls_fingerprint
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.submission import Item
from fazhi_sdk.drafts import DraftData, RecordDraft, openings_of
from fazhi_sdk.outbox_rows import new_draft_id

from .parts import NOW_MS, SUITE, file_value, signer

ORGS = ("gzc", "sfj", "fy", "zfj")
MEMBER_KEYS = {org: signer(1000 + number) for number, org in enumerate(ORGS)}
OFFICER, HEAD = signer(1), signer(2)


def genesis_file() -> GenesisFile:
    """Four members, one officer, one head, the penalty procedure."""
    rules = load_builtin_rule_set("penalty").encode()
    certificates = tuple(b"certificate of " + org.encode() for org in ORGS)
    members = tuple(
        Member(
            org,
            org,
            org,
            (),
            MEMBER_KEYS[org].public_key,
            tls_fingerprint(certificate),
            "127.0.0.1:1",
            "https://127.0.0.1:2",
            prove_possession(MEMBER_KEYS[org], None, org, ()),
        )
        for org, certificate in zip(ORGS, certificates, strict=True)
    )
    officers = tuple(
        Officer("zfj", key.public_key, (role,), prove_possession(key, None, "zfj", (role,)))
        for key, role in ((OFFICER, "officer"), (HEAD, "head"))
    )
    genesis = Genesis(
        name="a chain of a test",
        suite_name=SUITE.name,
        time_ms=NOW_MS,
        parameters=Parameters.defaults(),
        members=members,
        officers=officers,
        rule_sets=(("penalty", rule_set_hash(SUITE, rules)),),
    )
    return GenesisFile(genesis.encode(), (rules,), certificates)


def item(genesis_hash: bytes, first: SoftwareSigner, seq: int, number: str, step: str) -> Item:
    """A signed submission of one record."""
    openings = openings_of([file_value(b"photo")], {})
    record = RecordDraft("zfj", "penalty", number, step, NOW_MS, (), (), openings)
    lane = hashlib.sha256(first.public_key).digest()[:16]
    draft = DraftData(
        SUITE.name, genesis_hash, "zfj", new_draft_id(), NOW_MS, (record,), (first.public_key,), signers=(first,)
    )
    return draft.at(lane, seq).complete()[1]


def certificate_of(genesis_hash: bytes, height: int, block_hash: bytes, orgs: Sequence[str] = ORGS[:3]) -> bytes:
    """A certificate signed by these members in round 0."""
    body = vote_body(genesis_hash, height, 0, block_hash)
    votes = tuple((ORGS.index(org), dsse.sign(MEMBER_KEYS[org], dsse.COMMIT, body)) for org in orgs)
    return CommitCertificate(height, 0, block_hash, votes).encode()


def build_chain(blocks: int, items_a_block: int) -> tuple[GenesisFile, list[tuple[bytes, bytes]]]:
    """A chain in which every second item opens a case, and the next is an investigation before filing: two findings."""
    file = genesis_file()
    chain = MemoryChain(file)
    seqs = _count()
    encoded = []
    for height in range(1, blocks + 1):
        items = [
            item(
                file.hash(), OFFICER, next(seqs), f"2026-{height}-{n // 2}", "INVEST" if n % 2 else "LEAD"
            )
            for n in range(items_a_block)
        ]  # fmt: skip
        executed = build_block(chain.state, ORGS[height % 4], NOW_MS + height, items)
        chain.take(executed)
        encoded.append((executed.block.encode(), certificate_of(file.hash(), height, executed.block_hash)))
    return file, encoded


def _count() -> Iterator[int]:
    seq = 0
    while True:
        yield seq
        seq += 1
