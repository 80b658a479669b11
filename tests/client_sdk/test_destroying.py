"""Salts are destroyed under an authority that stands on the chain, and never against a legal hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from fazhi_ledger.receipt import RecordReceipt
from fazhi_ledger.receipt_steps import check_receipt
from fazhi_ledger.record import Opening
from fazhi_sdk import Receipt
from fazhi_sdk.errors import InputError
from fazhi_sdk.sync import Case
from fazhi_sdk.testing import TestChain

from tests.client_sdk.test_chain import filed, receipt_of

PARTY = "某某的全部信息,一字不差"


def recorded(case: Case, photo: Path) -> Receipt:
    return receipt_of(case.record("INVEST", [photo], fields={"party": PARTY, "place": "和平路"}))


def approved(
    chain: TestChain, case: Case, photo: Path, about: Receipt, *fields: str, scope: str | None = None
) -> Receipt:
    """The destruction, recorded by the head and the reviewer."""
    draft = case.draft(
        "SALTGONE",
        [photo],
        clear={"scope": scope or ("fields" if fields else "record"), "ground": "term"},
        fields={"fields": ",".join(fields)} if fields else {},
        refs=[about.id],
        signer=chain.officer("head"),
    )
    return receipt_of(draft.cosign(chain.officer("reviewer")).submit())


def opened(receipt: Receipt) -> set[str]:
    return {one.field for one in receipt.facts.fields} | {one.field for one in receipt.facts.files}


def on_disk(chain: TestChain) -> bytes:
    """Everything that the outbox's files hold."""
    box = Path(chain.inner._outbox.path)
    return b"".join(path.read_bytes() for path in sorted(box.parent.glob(f"{box.name}*")))


def refusal(chain: TestChain, receipt: Receipt) -> str:
    with pytest.raises(InputError) as caught:
        chain.destroy(receipt)
    return caught.value.code


def test_a_field_is_shut_for_good_and_the_others_stay_open(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    receipt = recorded(case, photo)
    salt = next(
        opening.salt
        for item in RecordReceipt.from_json(receipt.data).openings
        if (opening := Opening.decode(item.opening)).field == "party"
    )
    assert salt in on_disk(chain)
    gone = approved(chain, case, photo, receipt, "party")
    assert gone.findings == ()
    assert opened(chain.receipt(receipt.id)) == {"party", "place", "file.1"}, "the record alone destroys nothing"
    assert [(one.submission, one.record, one.fields) for one in chain.destroy(gone)] == [(receipt.id, 0, ("party",))]
    assert salt not in on_disk(chain)
    assert PARTY.encode() not in on_disk(chain)
    again = chain.receipt(receipt.id)
    assert opened(again) == {"place", "file.1"}
    again.check_file(photo)
    check_receipt(again.data, chain.genesis_hash).require_valid()
    assert opened(again.disclosing(["place"])) == {"place"}
    assert [one.fields for one in chain.destroy(gone)] == [()], "nothing is left of it"
    assert opened(receipt) == {"party", "place", "file.1"}, "what was handed out before is out of reach"


def test_a_whole_record_is_shut(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    receipt = recorded(case, photo)
    (done,) = chain.destroy(approved(chain, case, photo, receipt))
    assert set(done.fields) == {"file.1", "party", "place"}
    again = chain.receipt(receipt.id)
    assert opened(again) == set()
    assert again.facts.docket_number == number
    assert PARTY.encode() not in on_disk(chain)


def test_of_records_under_one_signature_only_the_one_referred_to_in_its_case(
    chain: TestChain, number: str, photo: Path
) -> None:
    case, other = filed(chain, number), filed(chain, number + "-2")
    drafts = [one.draft("INVEST", [photo], fields={"party": PARTY}) for one in (case, other)]
    first, second = (one for one in chain.submit_many(drafts) if isinstance(one, Receipt))
    assert first.id == second.id
    chain.destroy(approved(chain, case, photo, first))
    shown = [chain.receipt(first.id, record) for record in (0, 1)]
    by_number = {one.facts.docket_number: opened(one) for one in shown}
    assert by_number == {number: set(), number + "-2": {"party", "file.1"}}


def test_a_legal_hold_beats_destruction(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    receipt = recorded(case, photo)
    early = approved(chain, case, photo, receipt, "party")
    case.record("HOLD", signer=chain.officer("head"))
    assert refusal(chain, early) == "legal-hold"
    during = approved(chain, case, photo, receipt, "party")
    assert [(one.code, one.severity) for one in during.findings] == [("not-ended", "grave")]
    assert refusal(chain, during) == "destruction-breached"
    case.record("HOLDEND", signer=chain.officer("head"))
    assert refusal(chain, during) == "destruction-breached"
    assert opened(chain.receipt(receipt.id)) == {"party", "place", "file.1"}
    assert chain.destroy(early)[0].fields == ("party",)


def test_nothing_is_destroyed_without_a_sound_authority(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    receipt = recorded(case, photo)
    assert refusal(chain, receipt) == "no-destruction"
    assert refusal(chain, approved(chain, case, photo, receipt, "telephone")) == "bad-field"
    assert refusal(chain, approved(chain, case, photo, receipt, scope="fields")) == "bad-field"
    shut = approved(chain, case, photo, receipt, "party").disclosing([])
    assert refusal(chain, shut) == "bad-field", "which fields were approved is not to be seen"
    other = filed(chain, number + "-2")
    assert refusal(chain, approved(chain, other, photo, receipt)) == "unknown-submission"
    with chain.another("elsewhere.db") as elsewhere:
        assert refusal(elsewhere, approved(chain, case, photo, receipt)) == "unknown-submission"
    assert opened(chain.receipt(receipt.id)) == {"party", "place", "file.1"}
