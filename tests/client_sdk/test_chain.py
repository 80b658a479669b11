"""The client against a real network: records, receipts, cosignatures, refusals, proofs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fazhi_ledger.errors import InvalidReceipt
from fazhi_ledger.receipt import RecordReceipt
from fazhi_sdk import Draft, FileSigner, Receipt, aio
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.errors import (
    InputError,
    LooksPersonal,
    NotAuthorised,
    OutboxInUse,
    SignatureMissing,
    SubmissionInvalid,
    SubmissionRefused,
    UnknownCase,
    WrongGenesis,
)
from fazhi_sdk.sync import Case, Chain, Submitted
from fazhi_sdk.testing import TestChain

Client = Callable[..., TestChain]


def receipt_of(submitted: Submitted | None) -> Receipt:
    assert isinstance(submitted, Receipt), f"{submitted!r} {getattr(submitted, 'why', '')}"
    return submitted


def filed(chain: TestChain, number: str) -> Case:
    """A case that has been opened and filed."""
    case = chain.open_case("penalty", number=number, signer=chain.officer())
    receipt_of(case.opening)
    receipt_of(case.record("FILED", signer=chain.officer("head")))
    return case


def test_three_lines_a_step(chain: TestChain, number: str, photo: Path, tmp_path: Path) -> None:
    """The example of the documentation: open, draft, cosign, submit, save."""
    case = filed(chain, number)
    seen: list[tuple[int, int]] = []
    draft = case.draft("INVEST", files=[photo], fields={"place": "环城路 12 号"}, progress=lambda *n: seen.append(n))
    receipt = receipt_of(draft.cosign(chain.officer("officer2")).submit())
    assert seen[-1] == (photo.stat().st_size, photo.stat().st_size)
    assert (receipt.number_in_case, receipt.findings) == (3, ())
    assert receipt.facts.docket_number == number
    assert [signer.org for signer in receipt.facts.signers] == ["zfj", "zfj"]
    assert [opening.value for opening in receipt.facts.fields] == ["环城路 12 号"]
    receipt.check_file(photo)

    path = receipt.save(tmp_path / "现场照片.receipt.json")
    again = Receipt.load(path, chain.genesis_hash.hex())
    assert again == receipt
    assert receipt.id == again.id
    photo.write_bytes(b"another photo")
    with pytest.raises(InvalidReceipt) as caught:
        again.check_file(photo)
    assert caught.value.code == "file-does-not-match"
    with pytest.raises(InvalidReceipt):
        Receipt.load(path, bytes(32))


def test_nothing_of_the_openings_reaches_the_chain(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    receipt = receipt_of(case.record("INVEST", [photo], fields={"place": "秘密地点"}))
    whole = RecordReceipt.from_json(receipt.data)
    for part in (whole.submission, whole.record, whole.result, whole.record_result):
        assert "秘密地点".encode() not in part
        assert number.encode() not in part


def test_redacted_receipt(chain: TestChain, number: str, photo: Path) -> None:
    receipt = receipt_of(filed(chain, number).record("INVEST", [photo], fields={"place": "环城路", "party": "某某"}))
    shown = receipt.disclosing(["file.1"], docket=False)
    assert shown.facts.docket_number is None
    assert shown.facts.fields == ()
    shown.check_file(photo)
    assert "某某" not in json.dumps(json.loads(shown.data), ensure_ascii=False)
    with pytest.raises(InputError):
        receipt.disclosing(["file.2"])


def test_second_device(client: Client, number: str, photo: Path, tmp_path: Path) -> None:
    """The draft goes to another device, is looked at and cosigned there, comes back and is submitted."""
    chain, path = client(), tmp_path / "x.draft"
    case = filed(chain, number)
    case.draft("INVEST", [photo]).save(path)

    other = Draft.load(path)
    assert number in other.shown()
    other.check_file(photo)
    other.cosign(chain.officer("officer2")).save(path)

    back = Draft.load(path, chain)
    with pytest.raises(SignatureMissing):
        back.submit()
    receipt = receipt_of(back.cosign(chain.officer()).submit())
    assert receipt.findings == ()
    assert len(receipt.facts.signers) == 2
    receipt.check_file(photo)
    assert chain.pending() == []


def test_named_cosigner_submits_from_the_other_device(client: Client, number: str, photo: Path, tmp_path: Path) -> None:
    first, second, path = client(), client(), tmp_path / "x.draft"
    case = filed(first, number)
    cosigner = first.officer("officer2")
    case.draft("INVEST", [photo], cosigners=[cosigner.public_key]).save(path)
    assert [one.status for one in first.pending()] == ["prepared"]
    receipt = receipt_of(Draft.load(path, second).cosign(cosigner).submit())
    receipt.check_file(photo)
    first.flush()
    assert first.pending() == [], "the first device has learned of it, and its lane is free again"
    mine = first.receipt(receipt.id)
    mine.check_file(photo)


def test_refusal_says_what_and_records_no_step(chain: TestChain, number: str) -> None:
    case = filed(chain, number)
    with pytest.raises(SubmissionRefused) as caught:
        case.record("SERVED", clear={"mode": "direct"})
    assert caught.value.code == "impossible-step"
    assert dict(caught.value.parameters)["step"] == "SERVED"
    assert "no step was recorded, only this refusal" in str(caught.value)
    assert "仅记录了这次拒绝" in str(caught.value)
    assert case.show().count == 2
    with pytest.raises(SubmissionRefused) as caught:
        chain.open_case("penalty", number=number, signer=chain.officer())
    assert caught.value.code == "case-exists"


def test_findings_are_recorded_not_refused(chain: TestChain, number: str, photo: Path) -> None:
    """One officer where the law asks for two: honest records stand, with a finding."""
    receipt = receipt_of(filed(chain, number).record("INVEST", [photo]))
    assert [finding.code for finding in receipt.findings] == ["signers-short"]


def test_unregistered_key_is_named_and_its_place_used_again(chain: TestChain, number: str, tmp_path: Path) -> None:
    stranger = FileSigner.create(tmp_path / "stranger.key", b"correct horse")
    with pytest.raises(SubmissionInvalid) as caught:
        chain.open_case("penalty", number=number, signer=stranger, org="zfj")
    assert "unknown-key" in str(caught.value)
    (pending,) = chain.pending()
    assert pending.status == "invalid"
    case = chain.open_case("penalty", number=number, signer=chain.officer())
    assert receipt_of(case.opening).number_in_case == 1


def test_show_and_trail_are_proven(client: Client, number: str, photo: Path) -> None:
    chain = client()
    case = filed(chain, number)
    case.record("INVEST", [photo])
    receipt = receipt_of(case.record("INVEST", [photo], cosigners=[chain.officer("officer2")]))
    view = case.show()
    assert (view.step, view.count, view.org) == ("INVEST", 4, "zfj")
    assert view.as_of_height >= receipt.height
    assert [clock.step for clock in view.clocks] == ["DECIDED"]

    stranger = client()
    trail = stranger.case("penalty", number, org="zfj").trail()
    assert [event.record.step for event in trail.events] == ["LEAD", "FILED", "INVEST", "INVEST"]
    assert [event.number for event in trail.events] == [1, 2, 3, 4]
    assert [(number, finding.code) for number, finding in trail.findings] == [(3, "signers-short")]
    assert trail.events[3].submission_id == receipt.id


def test_a_number_typed_otherwise_is_the_same_case(chain: TestChain, number: str) -> None:
    case = filed(chain, number)
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isdigit() else c for c in number)
    assert chain.case("penalty", f" {wide} ", chain.officer()).show().count == case.show().count == 2


def test_absence_is_proven(chain: TestChain) -> None:
    with pytest.raises(UnknownCase) as caught:
        chain.case("penalty", "桐综执罚1999-1", chain.officer()).show()
    assert "不存在证明已核验" in str(caught.value)


def test_personal_data_in_the_clear_is_refused(chain: TestChain, number: str) -> None:
    with pytest.raises(LooksPersonal):
        chain.open_case("penalty", number="11010519491231002X", signer=chain.officer())
    case = chain.case("penalty", number, chain.officer())
    with pytest.raises(LooksPersonal) as caught:
        case.draft("INVEST", clear={"party": "13812345678"})
    assert "party" in str(caught.value)
    case.draft("INVEST", fields={"party": "13812345678"})
    assert chain.pending() == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"step": "invest"},
        {"step": "INVEST", "fields": {"Bad Name": 1}},
        {"step": "INVEST", "fields": {"file.1": "x"}},
        {"step": "INVEST", "fields": {"weight": 1.5}},
        {"step": "INVEST", "clear": {"mode": "以邮寄"}},
        {"step": "INVEST", "occurred_at": 1_772_414_047},
    ],
)
def test_bad_input_leaves_nothing_behind(chain: TestChain, number: str, arguments: dict[str, object]) -> None:
    case = chain.case("penalty", number, chain.officer())
    with pytest.raises(InputError):
        case.draft(**arguments)  # type: ignore[arg-type]
    assert chain.pending() == []


def test_many_under_one_signature(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    officers = [chain.officer("officer2")]
    drafts = [case.draft("INVEST", [photo], fields={"n": n}, cosigners=officers) for n in range(30)]
    receipts = [receipt_of(one) for one in chain.submit_many(drafts) if not isinstance(one, Exception)]
    assert len({receipt.id for receipt in receipts}) == 1
    assert [receipt.facts.fields[0].value for receipt in receipts] == list(range(30))
    assert [receipt.number_in_case for receipt in receipts] == list(range(3, 33))
    receipts[7].check_file(photo)


def test_many_each_under_a_signature_of_its_own(chain: TestChain, number: str) -> None:
    case = filed(chain, number)
    drafts = [case.draft("INVEST", fields={"n": n}) for n in range(40)]
    outcomes = chain.submit_many(drafts, together=False)
    receipts = [receipt_of(one) for one in outcomes if not isinstance(one, Exception)]
    assert len({receipt.id for receipt in receipts}) == 40
    assert [receipt.number_in_case for receipt in receipts] == list(range(3, 43))
    for one in receipts[::13]:
        again = Receipt.load(one.save(chain.network.folder / "own.receipt.json"), chain.genesis_hash)
        assert (again, again.id) == (one, one.id)
        assert chain.receipt(one.id).facts.record_result == one.facts.record_result


def test_one_bad_draft_does_not_harm_the_others(chain: TestChain, number: str, photo: Path) -> None:
    """A batch is atomic: what is refused together is submitted again one by one."""
    case = filed(chain, number)
    steps = ["INVEST", "SERVED", "INVEST"]
    clear = [None, {"mode": "direct"}, None]
    drafts = [case.draft(step, [photo], clear=one) for step, one in zip(steps, clear, strict=True)]
    first, second, third = chain.submit_many(drafts)
    assert isinstance(first, Receipt)
    assert isinstance(second, SubmissionRefused)
    assert isinstance(third, Receipt)
    assert case.show().count == 4


def test_async_names_are_the_same(net: Devnet, number: str, photo: Path) -> None:
    import asyncio

    async def work() -> int:
        outbox = net.folder / f"async-{number[-4:]}.db"
        async with await aio.Chain.connect(net.urls, net.genesis_hash, outbox, token=net.tokens) as chain:
            case = await chain.open_case("penalty", number=number, signer=net.officer())
            await case.record("FILED", signer=net.officer("head"))
            draft = await case.draft("INVEST", files=[photo])
            receipt = await draft.cosign(net.officer("officer2")).submit()
            assert isinstance(receipt, Receipt)
            submitted = await asyncio.gather(*(case.record("INVEST", [photo]) for _ in range(20)))
            assert sorted(one.number_in_case for one in submitted if isinstance(one, Receipt)) == list(range(4, 24))
            return (await case.show()).count

    assert asyncio.run(work()) == 23
    missing = {name for name in dir(aio.Chain) if not name.startswith("_")} - set(dir(Chain))
    inner = {
        "algorithms",
        "trust",
        "gateways",
        "org_of",
        "receipt_of",
        "draft_of",
        "refile",
        "prepare",
        "abandon",
        "rule_sets",
    }
    assert missing <= inner | {"new_draft", "wait_for"}


def test_connecting_to_the_wrong_chain(net: Devnet, tmp_path: Path) -> None:
    with pytest.raises(WrongGenesis):
        Chain.connect(net.urls, "00" * 32, tmp_path / "outbox.db")
    with pytest.raises(InputError):
        Chain.connect("http://gateway.example:80", net.genesis_hash, tmp_path / "outbox.db")


def test_a_read_without_token_is_said(client: Client, number: str) -> None:
    """The submission needs no token; its proof, a read, does. It stays in the outbox until the proof is seen."""
    chain = client(token=None, timeout_s=10)
    case = chain.open_case("penalty", number=number, signer=chain.officer())
    pending = case.opening
    assert pending is not None
    assert pending.pending
    assert isinstance(getattr(pending, "why", None), NotAuthorised)


def test_outbox_serves_one_client(chain: TestChain) -> None:
    with pytest.raises(OutboxInUse):
        chain.another(Path(chain.inner._outbox.path).name)


def test_the_same_drafts_again_are_filed_once(chain: TestChain, number: str, photo: Path) -> None:
    case = filed(chain, number)
    drafts = [case.draft("INVEST", [photo], fields={"n": n}) for n in range(4)]
    first = chain.submit_many(drafts[:3])
    again = chain.submit_many([drafts[1], drafts[3], drafts[0]])
    receipts = [receipt_of(one) for one in (*first, *again) if not isinstance(one, Exception)]
    assert [receipt.facts.fields[0].value for receipt in receipts] == [0, 1, 2, 1, 3, 0]
    assert [receipt.number_in_case for receipt in receipts] == [3, 4, 5, 4, 6, 3]
    third = receipt_of(drafts[2].submit())  # perhaps of another gateway, under a certificate of other members
    assert (third.id, third.facts.record, third.number_in_case) == (receipts[2].id, receipts[2].facts.record, 5)
    assert case.show().count == 6


def test_a_fresh_draft_names_the_newest_block(chain: TestChain, number: str) -> None:
    case = filed(chain, number)
    header = chain.checkpoint()
    draft = case.draft("INVEST", fresh=True)
    assert draft.data.not_before is not None
    assert draft.data.not_before[0] >= header.height
    assert receipt_of(draft.submit()).height > header.height
