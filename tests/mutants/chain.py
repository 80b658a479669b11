"""Rules of what a block may be broken, and of whom a node believes: execution, admission, state transfer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from fazhi_contracts import admission
from fazhi_contracts.entries import LaneEntry, decoded_key
from fazhi_contracts.state import Overlay
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import InvalidSubmission
from fazhi_ledger.header import Header
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.submission import Item
from fazhi_ledger.validators import ValidatorSet
from fazhi_node import application
from fazhi_node.application import Application
from fazhi_node.mempool import Mempool
from fazhi_node.sync import Sync

from .ledger import patch_everywhere


@contextmanager
def lane_unchecked() -> Iterator[None]:
    """Any seq of a lane will do: what stands in a block may stand in another."""
    original = admission.take_lane

    def any_seq(state: Overlay, parameters: Parameters, item: Item) -> Any:
        try:
            return original(state, parameters, item)
        except InvalidSubmission as error:
            if error.code != "wrong-seq":
                raise
            return LaneEntry(item.body.seq)

    with patch_everywhere("take_lane", original, any_seq):
        yield


@contextmanager
def _tolerating(name: str, code: str) -> Iterator[None]:
    """A check of admission that lets one thing pass."""
    original = getattr(admission, name)

    def tolerant(*args: Any) -> Any:
        try:
            return original(*args)
        except InvalidSubmission as error:
            if error.code != code:
                raise
            return None

    with patch.object(admission, name, tolerant):
        yield


@contextmanager
def expiry_unchecked() -> Iterator[None]:
    """A submission whose time is over may still stand in a block."""
    with _tolerating("_check_validity", "expired"):
        yield


@contextmanager
def revoked_keys_accepted() -> Iterator[None]:
    """A key that was revoked signs on."""
    original = decoded_key

    def unrevoked(data: bytes) -> Any:
        return replace(original(data), revoked_height=None)

    with patch.object(admission, "decoded_key", unrevoked):
        yield


@contextmanager
def _field_unchecked(*names: str) -> Iterator[None]:
    original = Header.first_difference

    def tolerant(self: Header, other: Header) -> str | None:
        return original(self, replace(other, **{name: getattr(self, name) for name in names}))

    with patch.object(Header, "first_difference", tolerant):
        yield


@contextmanager
def state_root_not_compared() -> Iterator[None]:
    """The proposer's word is taken for the state after the block."""
    with _field_unchecked("state_root"):
        yield


@contextmanager
def successor_not_compared() -> Iterator[None]:
    """The proposer's word is taken for who certifies the next block."""
    with _field_unchecked("next_validators_hash"):
        yield


@contextmanager
def item_signatures_believed() -> Iterator[None]:
    """What a proposer put into a block counts as verified."""
    with patch.object(Application, "unverified", lambda *_: []):
        yield


@contextmanager
def clock_not_asked() -> Iterator[None]:
    """A proposal may bear any time after its parent's."""
    with patch.object(application, "check_fresh", lambda *_: None):
        yield


@contextmanager
def pending_forgotten() -> Iterator[None]:
    """When a block takes one item of a lane, the mempool drops all that wait in it."""
    advance = Mempool.advance

    def greedy(self: Mempool, lane: Any, next_seq: int) -> Any:
        passed = advance(self, lane, next_seq)
        for entry in list(self.entries()):
            if entry.lane == lane:
                self.remove(entry.submission_id)
        return passed

    with patch.object(Mempool, "advance", greedy):
        yield


@contextmanager
def transfer_uncertified() -> Iterator[None]:
    """State transfer looks at the certificate's signers, not at its signatures."""
    with patch.object(Sync, "_certificate_job", lambda *_: ()):
        yield


@contextmanager
def transfer_without_quorum() -> Iterator[None]:
    """State transfer verifies the signatures that are there, however few."""
    original = CommitCertificate.check_signers

    def however_few(self: CommitCertificate, validators: ValidatorSet) -> None:
        with patch.object(ValidatorSet, "quorum", 0):
            original(self, validators)

    with patch.object(CommitCertificate, "check_signers", however_few):
        yield


@contextmanager
def delivered_again() -> Iterator[None]:
    """What state transfer brings is committed also where consensus was first (SmartBFT#553)."""

    def settle(self: Sync, delivered: Any, _: Any) -> None:
        self._host.commit_delivered(delivered)

    with patch.object(Sync, "_settle", settle):
        yield
