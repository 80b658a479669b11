"""A chain of one officer for the benches that need no network."""

from __future__ import annotations

import hashlib
import time

from fazhi_contracts.builtin import load_builtin_rule_set
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
from fazhi_ledger.suites import ED25519_SHA256

ORGS = ("zfj", "sfj", "gzc", "fy")


def genesis_of(officer: SoftwareSigner) -> GenesisFile:
    """Four members with keys that follow from their names, and one officer of the first."""
    suite = ED25519_SHA256
    rules = load_builtin_rule_set("penalty").encode()
    certificates = tuple(f"certificate of {org}".encode() for org in ORGS)
    members = []
    for org, der in zip(ORGS, certificates, strict=True):
        signer = SoftwareSigner(suite, hashlib.sha256(org.encode()).digest())
        possession = prove_possession(signer, None, org, ())
        members.append(
            Member(
                org, org, org, (), signer.public_key, tls_fingerprint(der), f"{org}.example:7440",
                f"https://{org}.example", possession,
            )
        )  # fmt: skip
    roles = ("officer",)
    genesis = Genesis(
        name="bench",
        suite_name=suite.name,
        time_ms=time.time_ns() // 1_000_000,
        parameters=Parameters.defaults(),
        members=tuple(members),
        officers=(Officer(ORGS[0], officer.public_key, roles, prove_possession(officer, None, ORGS[0], roles)),),
        rule_sets=(("penalty", rule_set_hash(suite, rules)),),
    )
    return GenesisFile(genesis.encode(), (rules,), certificates)
