"""Drafts: made on one device, cosigned on another, the same bytes whatever the way."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.record import Record, commitment, commitments_root
from fazhi_sdk.drafts import MAGIC, DraftData, RecordDraft, can_combine, combine, load_draft, save_draft, shown
from fazhi_sdk.errors import AlreadySigned, DraftError, LooksPersonal, SignatureMissing
from fazhi_sdk.outbox_rows import new_draft_id

from .parts import GENESIS_HASH, SUITE, draft, signer

PLACE = (bytes(16), 7)


def test_two_officers_in_one_process() -> None:
    first, second = signer(1), signer(2)
    item_id, item = draft(first).cosign(second).at(*PLACE).complete()
    assert item.body.signer_keys == (first.public_key, second.public_key)
    assert (item.body.lane, item.body.seq) == PLACE
    item.verify_signatures(SUITE)
    assert item.id(SUITE) == item_id


def test_record_commits_to_the_openings() -> None:
    one = draft().at(*PLACE)
    _, item = one.complete()
    record = Record.decode(item.records[0])
    leaves = tuple(
        commitment(SUITE, GENESIS_HASH, one.signer_keys[0], one.draft_id, 0, opening)
        for opening in one.records[0].openings
    )
    assert (record.commitment_count, record.commitments_root) == (2, commitments_root(SUITE, leaves))
    assert "环城路".encode() not in item.encode()


def test_second_device_then_back(tmp_path: Path) -> None:
    """The second officer's key is not known when the draft is saved: the first one signs last."""
    path = tmp_path / "x.draft"
    save_draft(draft(signer(1)).at(*PLACE), path)
    cosigned = load_draft(path).cosign(signer(2))
    assert cosigned.missing == (signer(1).public_key,)
    with pytest.raises(SignatureMissing):
        cosigned.complete()
    save_draft(cosigned.signed(), path)
    item_id, item = load_draft(path).cosign(signer(1)).complete()
    item.verify_signatures(SUITE)
    assert item.body.signer_keys == (signer(1).public_key, signer(2).public_key)
    assert item_id == item.id(SUITE)


def test_named_cosigner_may_submit(tmp_path: Path) -> None:
    """With the cosigner named beforehand the first officer signs at once, and the second may submit."""
    named = replace(draft(signer(1)), signer_keys=(signer(1).public_key, signer(2).public_key)).at(*PLACE)
    path = tmp_path / "x.draft"
    save_draft(named.signed(), path)
    _, item = load_draft(path).cosign(signer(2)).complete()
    item.verify_signatures(SUITE)


def test_nobody_signs_twice_or_late() -> None:
    one = draft(signer(1))
    with pytest.raises(AlreadySigned):
        one.cosign(signer(1))
    signed = one.at(*PLACE).signed()
    with pytest.raises(DraftError) as caught:
        signed.cosign(signer(2))
    assert caught.value.code == "draft-frozen"
    with pytest.raises(AlreadySigned):
        replace(signed, signers=()).cosign(signer(1))


def test_another_place_wants_new_signatures() -> None:
    signed = draft().at(*PLACE).signed()
    assert signed.at(*PLACE) is signed
    assert signed.at(bytes(16), 8).signatures == ()


def test_what_is_shown_before_signing() -> None:
    one = draft()
    text = shown(one)
    assert "桐综执罚2026-0412" in text
    assert "INVEST" in text
    assert one.records[0].files[0].digests[0][1].hex() in text
    assert "环城路" in text


def test_no_field_hides_behind_another_of_its_name() -> None:
    """A cosigner who reads ``draft.fields`` would sign a value that is not shown."""
    record = draft().records[0]
    place = next(opening for opening in record.openings if opening.field == "place")
    hidden = replace(place, value="别处")
    with pytest.raises(EncodingError, match="a field stands twice"):
        replace(record, openings=(*record.openings, hidden))
    value = record.to_value()
    assert isinstance(value, tuple)
    assert isinstance(value[-1], tuple)
    with pytest.raises(EncodingError, match="a field stands twice"):
        RecordDraft.from_value((*value[:-1], (*value[-1], hidden.to_value())))


def test_draft_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.draft"
    one = draft(signer(1)).cosign(signer(2)).at(*PLACE).signed()
    save_draft(one, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_draft(path) == one
    data = path.read_bytes()
    for cut in (0, 5, len(MAGIC), len(data) // 2, len(data) - 1):
        with pytest.raises(DraftError):
            DraftData.decode(data[:cut])
    with pytest.raises(DraftError):
        load_draft(tmp_path / "absent")
    with pytest.raises(DraftError):
        load_draft(tmp_path)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"clear": (("party", "13812345678"),)}, "party"), ({"number": "11010519491231002X"}, "number")],
)
def test_personal_data_in_the_clear_is_not_cosigned(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """A draft that another program made, which looked at nothing."""
    made = draft().at(b"\1" * 16, 0)
    made = replace(made, records=(replace(made.records[0], **changes),)).signed()
    path = tmp_path / "careless.draft"
    save_draft(made, path)
    with pytest.raises(LooksPersonal) as caught:
        load_draft(path)
    assert dict(caught.value.parameters)["field"] == field


def test_any_changed_byte_of_a_signed_draft_is_noticed() -> None:
    """Every byte is under a signature, or is a signature, or breaks the form."""
    one = draft(signer(1)).at(*PLACE).signed()
    data = one.encode()
    unnoticed = []
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x01
        try:
            DraftData.decode(bytes(changed))
        except DraftError:
            continue
        unnoticed.append(position)
    assert unnoticed == []


def test_combining_keeps_all_records_under_one_signature() -> None:
    drafts = [draft(signer(1), f"2026-{n}") for n in range(3)]
    assert can_combine(drafts[0], drafts[1])
    assert not can_combine(drafts[0], draft(signer(2)))
    assert not can_combine(drafts[0], drafts[1].at(*PLACE))
    _, item = combine(drafts, new_draft_id()).at(*PLACE).complete()
    assert len(item.records) == 3
    assert len(item.signatures) == 1
