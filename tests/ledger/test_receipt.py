"""Record receipts: what must pass, and everything that must not.

The negative cases follow failures of real verifiers (safety.md §3): spliced bundles (CVE-2022-36056, CVE-2026-22703),
parse failures reported as success (CVE-2026-39395), trust roots taken from the bundle, JSON read in two ways.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from fazhi_ledger import dsse
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.certificate import CommitCertificate, vote_body
from fazhi_ledger.errors import InvalidReceipt
from fazhi_ledger.genesis import Genesis, genesis_hash_of
from fazhi_ledger.header import Header
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.receipt import Handover, RecordReceipt
from fazhi_ledger.receipt_steps import (
    ABSENT,
    FAILED,
    INVALID,
    PASSED,
    STEPS,
    VALID,
    Checked,
    Facts,
    PresentedFile,
    Report,
    check_receipt,
    digest_algorithms,
)
from fazhi_ledger.record import commitment, commitments_root
from fazhi_ledger.submission import envelope_parts
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_ledger.validators import Validator, ValidatorSet
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.builders import DOCKET, PHOTO, World, commit, signer
from tests.spec import independent

WORLD = World()
RECEIPT = WORLD.receipt()


CHECKED = Checked({(RECEIPT.header, RECEIPT.certificate)})
"""What somebody who has verified the good receipt need not check again."""


def check(receipt: RecordReceipt, genesis_hash: bytes | None = None, *files: PresentedFile) -> Report[Facts]:
    report = check_receipt(receipt.to_json(), genesis_hash or WORLD.genesis_hash, files)
    if genesis_hash in (None, WORLD.genesis_hash):
        assert check_receipt(receipt.to_json(), WORLD.genesis_hash, files, CHECKED) == report
    return report


def fails(report: Report[Facts], step: str, code: str | None = None) -> None:
    """The receipt is INVALID at that very step, later steps are not reached, and there are no facts."""
    assert report.verdict == INVALID
    assert report.failed is not None
    assert report.failed.name == step, report.failed
    assert code is None or report.failed.code == code, report.failed
    assert report.facts is None
    assert all(s.code == "not-reached" for s in report.steps if s.number > report.failed.number)
    with pytest.raises(InvalidReceipt):
        report.require_valid()


def presented(content: bytes, label: str = "photo.jpg") -> PresentedFile:
    return PresentedFile(label, {"sha256": ED25519_SHA256.hash(content)}, len(content))


def test_valid_receipt_passes_every_step_and_states_its_facts() -> None:
    report = check(RECEIPT, None, presented(PHOTO))
    assert [(s.number, s.name) for s in report.steps] == list(enumerate(STEPS, 1))
    assert {s.name: s.status for s in report.steps if s.status != PASSED} == {"history": ABSENT}
    facts = report.require_valid()
    assert report.verdict == VALID
    assert facts.docket_number == DOCKET
    assert facts.number_in_case == 5
    assert facts.record.step == "INVEST"
    assert facts.certified_by == ("sfj", "zfj", "fy")
    assert facts.files[0].presented_as == "photo.jpg"
    assert [o.field for o in facts.fields] == ["place", "note"]
    assert facts.block_height == facts.anchor_height == 1


def test_anchored_receipt_is_proven_by_history() -> None:
    report = check(WORLD.anchored_receipt())
    assert all(s.status == PASSED for s in report.steps)
    assert report.require_valid().anchor_height == 7


def test_anchored_receipt_with_a_proof_of_another_height_fails() -> None:
    receipt = WORLD.anchored_receipt()
    assert receipt.anchor is not None
    wrong = dataclasses.replace(receipt.anchor, history_proof=receipt.anchor.history_proof[::-1])
    fails(check(dataclasses.replace(receipt, anchor=wrong)), "history")


def test_json_round_trip_is_identity() -> None:
    assert RecordReceipt.from_json(RECEIPT.to_json()) == RECEIPT


def test_trust_root_is_never_taken_from_the_receipt() -> None:
    fails(check(RECEIPT, bytes(32)), "genesis", "another-genesis")


def test_another_file_is_found_out() -> None:
    fails(check(RECEIPT, None, presented(PHOTO + b"!")), "commitments", "file-does-not-match")


def test_one_wrong_file_among_right_ones_is_found_out() -> None:
    fails(check(RECEIPT, None, presented(PHOTO), presented(b"other", "b.jpg")), "commitments", "file-does-not-match")


def test_file_digested_under_other_algorithms_than_the_receipt_names_does_not_match() -> None:
    file = PresentedFile("photo.jpg", {"sm3": bytes(32)}, len(PHOTO))
    fails(check(RECEIPT, None, file), "commitments", "file-does-not-match")
    assert digest_algorithms(RECEIPT.to_json()) == ("sha256",)


def test_redacted_receipt_still_proves_the_record() -> None:
    report = check(dataclasses.replace(RECEIPT, openings=(), docket=None))
    assert report.verdict == VALID
    assert report.steps[2].status == ABSENT


def test_redacted_receipt_cannot_vouch_for_a_file() -> None:
    fails(check(dataclasses.replace(RECEIPT, openings=()), None, presented(PHOTO)), "commitments")


def test_refused_submission_is_invalid() -> None:
    world = World(result_code="impossible-step")
    report = check_receipt(world.receipt().to_json(), world.genesis_hash)
    fails(report, "result", "submission-was-refused")


def test_result_spliced_from_another_submission_of_the_block() -> None:
    spliced = dataclasses.replace(RECEIPT, result=WORLD.results[2], result_proof=WORLD.proof(WORLD.results, 2))
    fails(check(spliced), "result")


def test_record_spliced_from_the_same_submission() -> None:
    fails(check(dataclasses.replace(RECEIPT, record=WORLD.records[0])), "commitments")


def test_record_result_of_the_neighbour() -> None:
    fails(check(dataclasses.replace(RECEIPT, record_result=WORLD.record_results[0])), "record-result")


def test_swapped_submission_proof() -> None:
    swapped = dataclasses.replace(RECEIPT, submission_proof=RECEIPT.result_proof)
    fails(check(swapped), "submission")


def test_submission_index_out_of_range() -> None:
    fails(check(dataclasses.replace(RECEIPT, submission_index=3)), "submission")


def test_second_officers_signature_stripped() -> None:
    body, signatures = envelope_parts(RECEIPT.submission)
    stripped = encode((body, signatures[:1]))
    fails(check(dataclasses.replace(RECEIPT, submission=stripped)), "format", "wrong-signature-count")


def test_signature_of_the_first_officer_twice() -> None:
    body, signatures = envelope_parts(RECEIPT.submission)
    doubled = encode((body, (signatures[0], signatures[0])))
    fails(check(dataclasses.replace(RECEIPT, submission=doubled)), "signatures", "bad-submission-signature")


def test_one_commit_too_few() -> None:
    receipt = dataclasses.replace(RECEIPT, certificate=WORLD.certify(WORLD.header, (0, 1)).encode())
    fails(check(receipt), "certificate", "no-quorum")


def test_signer_counted_twice() -> None:
    value = decode(RECEIPT.certificate)
    assert isinstance(value, tuple)
    signatures = value[4]
    assert isinstance(signatures, tuple)
    padded = encode((*value[:4], (signatures[0], signatures[0], signatures[1])))
    fails(check(dataclasses.replace(RECEIPT, certificate=padded)), "format", "unordered-signers")


def test_certificate_padded_with_a_signature_that_does_not_verify() -> None:
    padded = dataclasses.replace(
        WORLD.certificate, signatures=tuple(sorted((*WORLD.certificate.signatures, (2, bytes(64)))))
    )
    fails(check(dataclasses.replace(RECEIPT, certificate=padded.encode())), "certificate", "bad-commit-signature")


def test_commits_of_mixed_rounds_do_not_add_up() -> None:
    first, second = WORLD.certify(WORLD.header, (0, 1), 0), WORLD.certify(WORLD.header, (3,), 1)
    mixed = dataclasses.replace(first, signatures=first.signatures + second.signatures)
    fails(check(dataclasses.replace(RECEIPT, certificate=mixed.encode())), "certificate", "bad-commit-signature")


def test_prepares_are_no_commits() -> None:
    body = vote_body(WORLD.genesis_hash, 1, 0, WORLD.header.hash(ED25519_SHA256))
    votes = tuple((i, dsse.sign(WORLD.seats[i], dsse.PREPARE, body)) for i in (0, 1, 3))
    forged = CommitCertificate(1, 0, WORLD.header.hash(ED25519_SHA256), votes)
    fails(check(dataclasses.replace(RECEIPT, certificate=forged.encode())), "certificate", "bad-commit-signature")


def test_certificate_of_another_block() -> None:
    other = dataclasses.replace(WORLD.header, time_ms=WORLD.header.time_ms + 1)
    fails(check(dataclasses.replace(RECEIPT, certificate=WORLD.certify(other).encode())), "certificate")


def test_docket_number_of_another_case() -> None:
    assert RECEIPT.docket is not None
    docket = dataclasses.replace(RECEIPT.docket, number="桐综执罚2026-0413")
    fails(check(dataclasses.replace(RECEIPT, docket=docket)), "commitments", "another-docket-number")


def test_opening_moved_to_another_place() -> None:
    moved = dataclasses.replace(RECEIPT.openings[0], index=1)
    fails(check(dataclasses.replace(RECEIPT, openings=(moved,))), "commitments")


class TwoPlaces(World):
    """A record that commits to two values of one field."""

    def _records(self) -> None:
        super()._records()
        self.openings = (*self.openings[:2], dataclasses.replace(self.openings[1], value="别处"))
        self.commitments = tuple(
            commitment(self.suite, self.genesis_hash, self.first.public_key, self.draft_id, 1, opening)
            for opening in self.openings
        )
        root = commitments_root(self.suite, self.commitments)
        self.record = dataclasses.replace(self.record, commitments_root=root)
        self.records = (self.records[0], self.record.encode())


def test_one_field_with_two_values() -> None:
    """A program that keeps fields by name would show one of them."""
    world = TwoPlaces()
    report = check_receipt(world.receipt().to_json(), world.genesis_hash)
    assert report.failed is not None
    assert (report.failed.name, report.failed.code) == ("commitments", "openings-unordered")
    steps = independent.verify(world.receipt().to_json(), world.genesis_hash)
    assert (3, "commitments", "failed") in steps
    assert check_receipt(WORLD.receipt().to_json(), WORLD.genesis_hash).verdict == VALID


def test_openings_repeated() -> None:
    fails(check(dataclasses.replace(RECEIPT, openings=RECEIPT.openings[:1] * 2)), "commitments", "openings-unordered")


class TestHandovers:
    """Membership follows from the genesis only by hand-overs that the set before certified (safety.md §2,
    Reconfiguration)."""

    @staticmethod
    def build(**changes: Any) -> RecordReceipt:
        suite = ED25519_SHA256
        newcomer = signer("newcomer")
        successor = ValidatorSet(1, 3, (*WORLD.validators.validators, Validator("jcj", newcomer.public_key)))
        successor = dataclasses.replace(successor, **changes.pop("successor", {}))
        handover = dataclasses.replace(
            WORLD.header, height=2, parent_hash=bytes(32), next_validators_hash=successor.hash(suite)
        )
        certificate = WORLD.certify(handover, changes.pop("handed_over_by", (0, 1, 2)))
        seats: list[tuple[int, SoftwareSigner]] = [*enumerate(WORLD.seats), (4, newcomer)]
        header = dataclasses.replace(
            WORLD.header, height=3, validators_hash=successor.hash(suite), next_validators_hash=successor.hash(suite)
        )
        by = changes.pop("certified_by", (0, 1, 3, 4))
        final = commit(suite, WORLD.genesis_hash, header, [seats[i] for i in by])
        return dataclasses.replace(
            RECEIPT,
            header=header.encode(),
            certificate=final.encode(),
            handovers=(Handover(handover.encode(), certificate.encode(), successor.encode()),),
        )

    def test_followed(self) -> None:
        report = check(self.build())
        assert report.verdict == VALID
        assert report.facts is not None
        assert report.facts.validators == ("sfj", "zfj", "gzc", "fy", "jcj")

    @pytest.mark.parametrize("part", ["header", "certificate", "validators"])
    def test_unreadable_is_a_matter_of_format(self, part: str) -> None:
        """Before anything is believed, every part is read (spec/receipt.md, step 1)."""
        receipt = self.build()
        damaged = dataclasses.replace(receipt.handovers[0], **{part: b"\xc0"})
        fails(check(dataclasses.replace(receipt, handovers=(damaged,))), "format", "bad-shape")

    def test_omitted(self) -> None:
        fails(check(dataclasses.replace(self.build(), handovers=())), "membership", "another-validator-set")

    def test_not_certified_by_the_old_set(self) -> None:
        fails(check(self.build(handed_over_by=(0, 1))), "membership", "no-quorum")

    def test_old_quorum_is_not_enough_for_the_new_set(self) -> None:
        fails(check(self.build(certified_by=(0, 1, 2))), "certificate", "no-quorum")

    @pytest.mark.parametrize("change", [{"epoch": 2}, {"first_height": 4}])
    def test_epoch_and_first_height_must_follow(self, change: dict[str, int]) -> None:
        fails(check(self.build(successor=change)), "membership", "bad-handover")

    def test_twice(self) -> None:
        receipt = WORLD.handed_over_receipt()
        assert check(receipt).verdict == VALID
        for handovers in (receipt.handovers[:1], receipt.handovers[1:], receipt.handovers[::-1], ()):
            report = check(dataclasses.replace(receipt, handovers=handovers))
            assert report.failed is not None
            assert report.failed.name == "membership"

    def test_a_retired_key_certifies_nothing_later(self) -> None:
        """Three of the four signers hold seats of the newest set, the fourth held one until it got another key."""
        retired = WORLD.handed_over_receipt(signed_with="gzc")
        fails(check(retired), "certificate", "bad-commit-signature")

    def test_block_before_the_new_set(self) -> None:
        receipt = self.build()
        early = dataclasses.replace(Header.decode(receipt.header), height=2)
        certificate = commit(ED25519_SHA256, WORLD.genesis_hash, early, [*enumerate(WORLD.seats)])
        early_receipt = dataclasses.replace(receipt, header=early.encode(), certificate=certificate.encode())
        fails(check(early_receipt), "membership", "handover-after-block")


class TestStrictJson:
    """Two verifiers must never read two receipts out of one file (safety.md §3, JSON)."""

    text = RECEIPT.to_json().decode()

    def bad(self, text: str | bytes, code: str) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        fails(check_receipt(data, WORLD.genesis_hash), "format", code)

    def test_cut_short_anywhere(self) -> None:
        data = RECEIPT.to_json().rstrip()
        for length in range(0, len(data), 97):
            assert check_receipt(data[:length], WORLD.genesis_hash).verdict == INVALID
        assert check_receipt(data[:-1], WORLD.genesis_hash).verdict == INVALID

    def test_duplicate_key(self) -> None:
        self.bad(self.text.replace('"version": 1', '"version": 1, "version": 1'), "duplicate-key")

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1.0", "-0.5", "-0", "9007199254740992"])
    def test_numbers_that_are_no_small_integers(self, number: str) -> None:
        self.bad(self.text.replace('"submission_index": 1', f'"submission_index": {number}'), "not-an-integer")

    @pytest.mark.parametrize("number", ["１", "01", "+1", "0x1", "true1"])
    def test_numbers_that_are_no_json(self, number: str) -> None:
        self.bad(self.text.replace('"submission_index": 1', f'"submission_index": {number}'), "malformed-json")

    def test_boolean_is_no_integer(self) -> None:
        self.bad(self.text.replace('"submission_index": 1', '"submission_index": true'), "bad-field")

    def test_lone_surrogate(self) -> None:
        self.bad(self.text.replace(DOCKET, "\\ud800"), "lone-surrogate")

    def test_unknown_field(self) -> None:
        self.bad(self.text.replace('"version": 1', '"version": 1, "note": "x"'), "unknown-field")

    def test_unknown_version(self) -> None:
        self.bad(self.text.replace('"version": 1', '"version": 2'), "unknown-receipt-version")

    def test_missing_field(self) -> None:
        value = json.loads(self.text)
        del value["result_proof"]
        self.bad(json.dumps(value), "missing-field")

    def test_deep_nesting_is_refused_before_it_reaches_the_parser(self) -> None:
        self.bad('{"format": ' + "[" * 100_000 + "]" * 100_000 + "}", "too-deep")

    def test_an_escape_at_the_end_of_a_string_hides_no_nesting(self) -> None:
        """In a large file the quote behind ``\\n`` once counted as escaped, so that what followed was a string."""
        large = json.dumps("a" * 70_000 + "\n")
        self.bad(f'{{"format": {large}, "x": {"[" * 900}{"]" * 900}}}', "too-deep")

    def test_too_large(self) -> None:
        self.bad(b" " * (4 * 1024 * 1024 + 1), "too-large")

    def test_base64_with_stray_bits(self) -> None:
        value = json.loads(self.text)
        field = next(name for name, v in value.items() if isinstance(v, str) and v.endswith("="))
        text = value[field].rstrip("=")
        padding = value[field][len(text) :]
        value[field] = text[:-1] + chr(ord(text[-1]) + 1) + padding
        data = json.dumps(value)
        if base64.b64decode(value[field]) == base64.b64decode(json.loads(self.text)[field]):
            self.bad(data, "bad-field")
        else:
            assert check_receipt(data.encode(), WORLD.genesis_hash).verdict == INVALID

    def test_upper_case_hex(self) -> None:
        value = json.loads(self.text)
        value["submission_proof"][0] = value["submission_proof"][0].upper()
        self.bad(json.dumps(value), "bad-field")

    def test_not_utf8(self) -> None:
        self.bad(b"\xff" + RECEIPT.to_json(), "not-utf8")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every scalar of a JSON value."""
    if isinstance(value, dict):
        return [p for key, v in value.items() for p in leaves(v, (*path, key))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in leaves(v, (*path, i))]
    return [path]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


PARSED = [json.loads(receipt.to_json()) for receipt in (RECEIPT, WORLD.anchored_receipt(), TestHandovers.build())]


@given(st.data())
def test_changing_any_value_makes_it_invalid(data: st.DataObject) -> None:
    """Design §8: nothing in a receipt is decorative."""
    value = data.draw(st.sampled_from(PARSED))
    path = data.draw(st.sampled_from(leaves(value)))
    old: Any = value
    for step in path:
        old = old[step]
    if isinstance(old, str) and data.draw(st.booleans()):
        position = data.draw(st.integers(0, max(0, len(old) - 1)))
        new: Any = old[:position] + data.draw(st.characters(codec="utf-8")) + old[position + 1 :]
    else:
        new = data.draw(st.one_of(st.none(), st.integers(-1, 3), st.text(max_size=4), st.booleans(), st.just([])))
    if new == old and type(new) is type(old):
        return
    if path == ("docket",) or (path and path[0] == "anchor" and new is None):
        return  # leaving the docket number out discloses less; it changes no claim
    report = check_receipt(json.dumps(changed(value, path, new)).encode(), WORLD.genesis_hash)
    assert report.verdict == INVALID, (path, old, new)


@given(st.data())
def test_flipping_any_bit_of_any_bytes_makes_it_invalid(data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(PARSED))
    path = data.draw(st.sampled_from([p for p in leaves(value) if p[-1] not in ("format", "number", "org")]))
    old: Any = value
    for step in path:
        old = old[step]
    if not isinstance(old, str):
        return
    is_hex = "proof" in str(path)
    raw = bytearray(bytes.fromhex(old) if is_hex else base64.b64decode(old))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    new = bytes(raw).hex() if is_hex else base64.b64encode(bytes(raw)).decode()
    report = check_receipt(json.dumps(changed(value, path, new)).encode(), WORLD.genesis_hash)
    assert report.verdict == INVALID, path


@given(st.binary(max_size=400))
def test_garbage_is_invalid_and_never_raises(data: bytes) -> None:
    assert check_receipt(data, WORLD.genesis_hash).verdict == INVALID


def test_failed_step_is_reported_once() -> None:
    report = check(dataclasses.replace(RECEIPT, submission_index=3))
    assert [s.status for s in report.steps].count(FAILED) == 1


def test_a_genesis_that_does_not_hold_is_refused_however_often_it_is_shown() -> None:
    genesis = Genesis.decode(RECEIPT.genesis)
    member = dataclasses.replace(genesis.members[0], possession=bytes(64))
    forged = dataclasses.replace(genesis, members=(member, *genesis.members[1:])).encode()
    trusted = genesis_hash_of(genesis.suite, forged)
    for _ in range(3):
        fails(check_receipt(dataclasses.replace(RECEIPT, genesis=forged).to_json(), trusted), "genesis")
        assert check(RECEIPT).verdict == VALID
