"""The chain of a run: as many members as the plan says, each with officers, and in some runs the penalty procedure.

It depends on size, procedures and suite alone, so that a campaign makes each once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_ledger import suites
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
from fazhi_ledger.suites import ED25519_SHA256, Suite

from tests.ledger.suites import ToySuite
from tests.node.world import START_MS

OFFICERS = (("officer-1", "officer"), ("officer-2", "officer"), ("head", "head"), ("reviewer", "reviewer"))
"""Of every member: the name and the role of each officer's key."""
ROLES = ("bureau", "enforcement")


@contextmanager
def suite_of(real: bool) -> Iterator[Suite]:
    """The suite of a run; the toy one is known by its name as long as this lasts."""
    if real:
        yield ED25519_SHA256
        return
    toy = ToySuite()
    with patch.dict(suites._SUITES, {toy.name: toy}):
        yield toy


def org_of(index: int) -> str:
    """The organisation of a node."""
    return f"org-{index}"


def signer_of(suite: Suite, word: str) -> SoftwareSigner:
    """The signer whose key follows from a word."""
    return SoftwareSigner(suite, hashlib.sha256(word.encode()).digest())


@cache
def genesis_of(size: int, cases: bool, real: bool) -> GenesisFile:
    """The genesis file of ``size`` members."""
    with suite_of(real) as suite:
        members, officers, certificates = [], [], []
        for index in range(size):
            org = org_of(index)
            signer, der = signer_of(suite, org), f"certificate of {org}".encode()
            members.append(
                Member(
                    org,
                    f"机关{index}",
                    f"Bureau {index}",
                    ROLES,
                    signer.public_key,
                    tls_fingerprint(der),
                    f"{org}.example:7444",
                    f"https://{org}.example:7443",
                    prove_possession(signer, None, org, ROLES),
                )
            )
            certificates.append(der)
            for name, role in OFFICERS:
                officer = signer_of(suite, f"{org} {name}")
                officers.append(
                    Officer(org, officer.public_key, (role,), prove_possession(officer, None, org, (role,)))
                )
        rules = (load_builtin_rule_set("penalty").encode(),) if cases else ()
        genesis = Genesis(
            "仿真",
            suite.name,
            START_MS - 1_000,
            Parameters.defaults({"heartbeat_ms": 20_000}),
            tuple(members),
            tuple(sorted(officers, key=lambda officer: (officer.org, officer.key))),
            tuple(("penalty", rule_set_hash(suite, data)) for data in rules),
        )
        return GenesisFile(genesis.encode(), rules, tuple(certificates))
