"""The cases of an organisation, a procedure and a year, by their serials: each head with its proof, and the counter
that says how many there are, so that whoever asks sees that none is left out.

Whole as of one moment, like every proof of the state (:mod:`.queries`): to be asked for on the machine's thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from fazhi_contracts.keys import case_state_key, procedure_key, serial_key
from fazhi_contracts.proposals import Proposal
from fazhi_contracts.queries import key_entry, last_serial, proposal, rule_set_bytes
from fazhi_contracts.rulebook import decoded_procedure
from fazhi_ledger import statetree
from fazhi_ledger.canonical import encode
from fazhi_ledger.stateproof import key_hash_of

from .limits import CASES_PAGE
from .queries import ChainReader, Checkpoint
from .storage.chain_store import ChainStore
from .storage.dockets import Series


@dataclass(frozen=True, slots=True)
class ListedCase:
    """One case of a list, its head and the head's proof encoded."""

    case_id: bytes
    head: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class CasesAnswer:
    """Cases of a series as of the tip, in the order of their serials, and the counter that says how many there are:
    None where there is none yet, and the proof one of absence. ``following`` is the serial behind which to ask on, None
    at the end."""

    checkpoint: Checkpoint
    counter: bytes | None
    counter_proof: bytes
    cases: tuple[ListedCase, ...]
    following: int | None


@dataclass(frozen=True, slots=True)
class ProcedureAnswer:
    """What is installed of a procedure as of the tip: its entry (None, and the proof one of absence, where nothing is),
    and its rule sets."""

    checkpoint: Checkpoint
    entry: bytes | None
    proof: bytes
    rule_sets: tuple[bytes, ...]


class CaseLists:
    """Lists of the cases in a store, and the procedures that they may follow."""

    def __init__(self, store: ChainStore, reader: ChainReader) -> None:
        self._store = store
        self._reader = reader

    def series(self, after: Series | None, limit: int) -> tuple[tuple[Series, int], ...]:
        """Organisation, procedure and year of cases, with how many there are; in a fixed order, behind ``after``."""
        return tuple((one, last_serial(self._store, *one)) for one in self._store.series(after, limit))

    def cases(self, series: Series, after: int = 0, limit: int = CASES_PAGE) -> CasesAnswer:
        """The cases of an organisation, procedure and year as of the tip, from behind serial ``after`` on.

        Raises:
            NotFound: ``no-checkpoint``.
        """
        store, checkpoint, key = self._store, self._reader.checkpoint(), serial_key(*series)
        listed = store.cases(series, after + 1, min(limit, CASES_PAGE))
        seen: statetree.Seen = {}
        cases = tuple(
            ListedCase(case_id, store.get(state_key) or b"", self._proof(state_key, seen))
            for case_id, state_key in [(case_id, case_state_key(case_id)) for _, case_id in listed]
        )
        last = listed[-1][0] if listed else after
        more = bool(listed) and last < last_serial(store, *series)
        return CasesAnswer(checkpoint, store.get(key), self._proof(key, seen), cases, last if more else None)

    def proposals(self, after: bytes, limit: int) -> tuple[tuple[bytes, Proposal], ...]:
        """All proposals ever made, by their ids, behind ``after``."""
        found = [(one, proposal(self._store, one)) for one in self._store.proposals(after, limit)]
        return tuple((proposal_id, entry) for proposal_id, entry in found if entry is not None)

    def voters(self, entry: Proposal, yes: bool) -> list[str]:
        """The members whose votes of that kind the entry keeps."""
        keys = [key_entry(self._store, key) for key, cast in entry.votes if cast is yes]
        return sorted({key.org for key in keys if key is not None})

    def procedure(self, name: str) -> ProcedureAnswer:
        """The rule sets of a procedure as of the tip, or a proof that none is installed.

        Raises:
            NotFound: ``no-checkpoint``.
        """
        store, checkpoint, key = self._store, self._reader.checkpoint(), procedure_key(name)
        entry = store.get(key)
        hashes = () if entry is None else decoded_procedure(entry).hashes
        sets = [rule_set_bytes(store, digest) for digest in hashes]
        return ProcedureAnswer(checkpoint, entry, self._proof(key, {}), tuple(one for one in sets if one is not None))

    def _proof(self, key: bytes, seen: statetree.Seen) -> bytes:
        """What stands under a key of the state at the tip, or that nothing does; encoded."""
        suite = self._store.suite
        return encode(statetree.prove(suite, self._store, key_hash_of(suite, key), seen).to_value())
