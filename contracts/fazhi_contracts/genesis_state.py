"""The state at height 0: what a genesis file lays down."""

from __future__ import annotations

from fazhi_ledger.errors import EncodingError, InvalidGenesis
from fazhi_ledger.genesis import Genesis, GenesisFile

from .entries import (
    MEMBER_ROLE,
    Counter,
    KeyEntry,
    MemberEntry,
    OrgEntry,
    ParametersEntry,
    ProceduresEntry,
)
from .errors import BadRuleSet
from .in_force import rules_of
from .keys import key_key, member_key, org_key, procedure_key, rule_set_key, rules_key, single_key
from .procedures.ruleset import RuleSet
from .rulebook import ProcedureEntry
from .state import MemoryState


def genesis_state(genesis_file: GenesisFile) -> dict[bytes, bytes]:
    """Every entry of the state before the first block.

    Members become organisations whose ledger keys have the role ``member``; officers, parameters, rule sets and
    validators follow. The file is checked as a whole first, proofs of possession included.

    Raises:
        InvalidGenesis: see ``GenesisFile.check``; ``reserved-role``, ``no-roles``, ``bad-rule-set``,
            ``wrong-procedure``, ``same-law-from``.
    """
    genesis_file.check()
    genesis = genesis_file.genesis
    state: dict[bytes, bytes] = {
        single_key("parameters"): ParametersEntry(genesis.parameters).encode(),
        single_key("protocol"): Counter(genesis.protocol_version).encode(),
        single_key("validators"): genesis.validator_set().encode(),
    }
    _add_keys(state, genesis)
    for member, der in zip(genesis.members, genesis_file.certificates, strict=True):
        entry = MemberEntry(member.org, der, member.p2p_address, member.gateway_url)
        state[member_key(member.org)] = entry.encode()
    _add_rule_sets(state, genesis_file)
    rules = rules_of(MemoryState(state))
    state[rules_key(rules.hash(genesis.suite))] = rules.encode()
    return state


def _add_rule_sets(state: dict[bytes, bytes], genesis_file: GenesisFile) -> None:
    known: dict[str, ProcedureEntry] = {}
    for (procedure, digest), data in zip(genesis_file.genesis.rule_sets, genesis_file.rule_sets, strict=True):
        law_from = _rule_set(procedure, data).law_from
        entry = known.get(procedure, ProcedureEntry(()))
        if any(day == law_from for day, _ in entry.rule_sets):
            raise InvalidGenesis("same-law-from", procedure=procedure, date=law_from)
        known[procedure] = entry.with_rule_set(law_from, digest)
        state[rule_set_key(digest)] = data
    for procedure, entry in known.items():
        state[procedure_key(procedure)] = entry.encode()
    state[single_key("procedures")] = ProceduresEntry(tuple(known)).encode()


def _add_keys(state: dict[bytes, bytes], genesis: Genesis) -> None:
    for member in genesis.members:
        org = OrgEntry(member.org, member.name_zh, member.name_en, None, member.roles, 0)
        state[org_key(member.org)] = org.encode()
        state[key_key(member.key)] = KeyEntry(member.org, (MEMBER_ROLE,), 0).encode()
    for officer in genesis.officers:
        if MEMBER_ROLE in officer.roles:
            raise InvalidGenesis("reserved-role", org=officer.org, role=MEMBER_ROLE)
        if not officer.roles:
            raise InvalidGenesis("no-roles", org=officer.org)
        state[key_key(officer.key)] = KeyEntry(officer.org, officer.roles, 0).encode()


def _rule_set(procedure: str, data: bytes) -> RuleSet:
    try:
        rules = RuleSet.decode(data)
    except (EncodingError, BadRuleSet) as error:
        raise InvalidGenesis("bad-rule-set", procedure=procedure, reason=str(error)[:256]) from None
    if rules.procedure != procedure:
        raise InvalidGenesis("wrong-procedure", procedure=procedure, rule_set=rules.procedure)
    return rules
