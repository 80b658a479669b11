"""Headers, submissions, records, results, blocks, certificates, genesis and archive: round trips, bounds and bad
input."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from fazhi_ledger import archive
from fazhi_ledger import genesis as genesis_format
from fazhi_ledger.block import Block, block_hash_of
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import (
    EncodingError,
    FazhiError,
    InvalidBlock,
    InvalidCertificate,
    InvalidGenesis,
    InvalidSignature,
    InvariantBroken,
    invariant,
)
from fazhi_ledger.genesis import PROTOCOL_VERSION, Genesis, GenesisFile, Officer, prove_possession
from fazhi_ledger.header import HEADER_FIELDS, Header
from fazhi_ledger.limits import BATCHES_KEPT_DECODED, MAX_SIGNER_KEYS, MAX_VALIDATORS, RECORDS_KEPT_DECODED
from fazhi_ledger.messages import MESSAGES, duration, printable, sentence
from fazhi_ledger.parameters import KNOWN, Parameters
from fazhi_ledger.record import Opening, Record, case_key, commitment
from fazhi_ledger.result import Finding, RecordResult, Result
from fazhi_ledger.submission import Item, SubmissionBody, sign_item
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_ledger.validators import Validator, ValidatorSet, faulty_of, quorum_of
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.builders import World, make_genesis, signer

WORLD = World()
ITEM = WORLD.items[0]
BLOCK = Block(WORLD.header, WORLD.items)
FILE = GenesisFile(
    dataclasses.replace(
        WORLD.genesis,
        rule_sets=(("penalty", genesis_format.rule_set_hash(ED25519_SHA256, b"rules")),),
        members=tuple(
            dataclasses.replace(member, tls_fingerprint=genesis_format.tls_fingerprint(member.org.encode()))
            for member in WORLD.genesis.members
        ),
    ).encode(),
    (b"rules",),
    tuple(member.org.encode() for member in WORLD.genesis.members),
)

SAMPLES: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "header": (WORLD.header.encode(), Header.decode),
    "body": (ITEM.body_bytes, SubmissionBody.decode),
    "item": (ITEM.encode(), Item.decode),
    "record": (WORLD.records[1], Record.decode),
    "opening": (WORLD.openings[0].encode(), Opening.decode),
    "result": (WORLD.results[0], Result.decode),
    "record result": (
        RecordResult(bytes(32), 1, (Finding("late", "P57", "grave", (("days", 91),)),)).encode(),
        RecordResult.decode,
    ),
    "block": (BLOCK.encode(), Block.decode),
    "certificate": (WORLD.certificate.encode(), CommitCertificate.decode),
    "validators": (WORLD.validators.encode(), ValidatorSet.decode),
    "genesis": (WORLD.genesis.encode(), Genesis.decode),
    "genesis file": (FILE.encode(), GenesisFile.decode),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_decoding_and_encoding_again_is_identity(name: str) -> None:
    data, decoder = SAMPLES[name]
    assert decoder(data).encode() == data


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_mutated_bytes_are_refused_by_name_or_mean_themselves(name: str, data: st.DataObject) -> None:
    """No decoder crashes, and whatever a decoder accepts re-encodes to the very bytes that it was given."""
    original, decoder = SAMPLES[name]
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(mutated) - 1))
        action = data.draw(st.sampled_from(["flip", "delete", "insert", "cut"]))
        if action == "flip":
            mutated[position] ^= data.draw(st.integers(1, 255))
        elif action == "delete":
            del mutated[position]
        elif action == "insert":
            mutated.insert(position, data.draw(st.integers(0, 255)))
        else:
            del mutated[position:]
        if not mutated:
            mutated.append(0)
    try:
        value = decoder(bytes(mutated))
    except FazhiError:
        return
    assert value.encode() == bytes(mutated)


@pytest.mark.parametrize("name", [n for n in SAMPLES if n not in ("genesis file", "opening")])
def test_unknown_versions_and_extra_fields_are_refused(name: str) -> None:
    data, decoder = SAMPLES[name]
    value = decode(data)
    assert isinstance(value, tuple)
    with pytest.raises(FazhiError):
        decoder(encode((*value, 0)))
    with pytest.raises(FazhiError):
        decoder(encode(value[:-1]))


def test_versions_are_checked() -> None:
    for data, decoder in (SAMPLES["header"], SAMPLES["body"], SAMPLES["record"], SAMPLES["result"], SAMPLES["genesis"]):
        value = decode(data)
        assert isinstance(value, tuple)
        with pytest.raises(EncodingError, match="unknown-version"):
            decoder(encode((2, *value[1:])))


class TestQuorum:
    """⌈2n/3⌉ and not 2f+1 (safety.md §0.1; celo-blockchain issue 117)."""

    @pytest.mark.parametrize("n", range(1, MAX_VALIDATORS + 1))
    def test_two_quorums_share_an_honest_validator_and_the_honest_make_one(self, n: int) -> None:
        q, f = quorum_of(n), faulty_of(n)
        assert 2 * q - n >= f + 1
        assert n - f >= q
        assert q == -(-2 * n // 3)

    def test_at_six_two_times_f_plus_one_would_be_disjoint(self) -> None:
        assert quorum_of(6) == 4
        assert 2 * faulty_of(6) + 1 == 3  # two sets of three of six need not meet

    def test_the_turn_passes_with_height_and_round(self) -> None:
        turns = [[WORLD.validators.proposer(h, r) for r in range(4)] for h in range(1, 5)]
        assert turns == [[1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2], [0, 1, 2, 3]]


class TestValidatorSet:
    def test_limits(self) -> None:
        seats = tuple(Validator(f"m{i}", i.to_bytes(32, "big")) for i in range(MAX_VALIDATORS + 1))
        ValidatorSet(0, 1, seats[:-1])
        for bad in ((), seats):
            with pytest.raises(EncodingError, match="bad-validators"):
                ValidatorSet(0, 1, bad)

    def test_member_or_key_twice(self) -> None:
        for seats in ((("a", b"k"), ("a", b"l")), (("a", b"k"), ("b", b"k"))):
            with pytest.raises(EncodingError, match="bad-validators"):
                ValidatorSet(0, 1, tuple(Validator(*seat) for seat in seats))


class TestSubmission:
    def test_signers_must_be_the_keys_of_the_body(self) -> None:
        body = WORLD.body(0, (1, bytes(32)))
        for signers in ([WORLD.first], [WORLD.second, WORLD.first], [WORLD.first, WORLD.second, signer("x")]):
            with pytest.raises(EncodingError, match="bad-signer-keys"):
                sign_item(body, signers)

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_one_signature_too_few_or_too_many(self, count: int) -> None:
        signatures = (*ITEM.signatures, ITEM.signatures[0])[:count]
        with pytest.raises(EncodingError, match="wrong-signature-count"):
            Item(ITEM.body_bytes, signatures, ITEM.records)

    def test_signatures_in_another_order(self) -> None:
        swapped = Item(ITEM.body_bytes, ITEM.signatures[::-1], ITEM.records)
        with pytest.raises(InvalidSignature, match="bad-submission-signature"):
            swapped.verify_signatures(ED25519_SHA256)

    def test_only_small_batches_and_the_last_large_ones_stay_decoded(self) -> None:
        """Decoded records take many times their bytes; what waits in a mempool is bounded by its bytes."""
        record = WORLD.records[0]
        small, large = (Item(ITEM.body_bytes, ITEM.signatures, (record,) * count) for count in (4, 5))
        assert RECORDS_KEPT_DECODED == 4
        assert small.record_runs() is small.record_runs()
        found = large.record_runs()
        assert large.record_runs() is found
        for count in range(6, 6 + BATCHES_KEPT_DECODED):
            Item(ITEM.body_bytes, ITEM.signatures, (record,) * count).record_runs()
        assert large.record_runs() is not found
        assert large.record_runs() == found

    def test_signer_keys_have_limits_on_both_sides_and_do_not_repeat(self) -> None:
        keys = tuple(i.to_bytes(32, "big") for i in range(MAX_SIGNER_KEYS + 1))
        body = WORLD.body(0, (1, bytes(32)))
        dataclasses.replace(body, signer_keys=keys[:-1])
        for bad in ((), keys, (keys[0], keys[0])):
            with pytest.raises(EncodingError, match="bad-signer-keys"):
                dataclasses.replace(body, signer_keys=bad)

    def test_the_id_is_of_the_body_alone(self) -> None:
        other = Item(ITEM.body_bytes, (bytes(64), bytes(64)), ())
        assert other.id(ED25519_SHA256) == ITEM.id(ED25519_SHA256)
        assert other.envelope() != ITEM.envelope()

    @pytest.mark.parametrize(
        "change",
        [
            {"org": "ZFJ"},
            {"org": "zfj.a.b"},
            {"org": "执法局"},
            {"lane": b"l" * 15},
            {"seq": -1},
            {"seq": 2**63 - 1},
            {"draft_id": b""},
            {"contract": "Cases"},
            {"action": ""},
            {"claimed_time_ms": -1},
            {"not_before": (0, bytes(32))},
            {"not_before": (1, bytes(31))},
            {"valid_until_ms": 2**60},
            {"genesis_hash": bytes(31)},
        ],
    )
    def test_fields_out_of_shape(self, change: dict[str, Any]) -> None:
        body = dataclasses.replace(WORLD.body(0, (1, bytes(32))), **change)
        with pytest.raises(EncodingError, match="bad-shape"):
            SubmissionBody.decode(body.encode())


class TestRecord:
    def test_commitment_is_bound_to_chain_key_draft_record_and_field(self) -> None:
        """It can be neither copied to another record nor moved to another field (design §4)."""
        opening, key, draft = WORLD.openings[1], WORLD.first.public_key, WORLD.draft_id

        def of(
            genesis: bytes = WORLD.genesis_hash,
            key: bytes = key,
            draft: bytes = draft,
            record: int = 1,
            opening: Opening = opening,
        ) -> bytes:
            return commitment(ED25519_SHA256, genesis, key, draft, record, opening)

        reference = of()
        others = [
            of(genesis=bytes(32)),
            of(key=WORLD.second.public_key),
            of(draft=b"e" * 16),
            of(record=2),
            of(opening=dataclasses.replace(opening, field="place2")),
            of(opening=dataclasses.replace(opening, salt=b"\x09" * 32)),
            of(opening=dataclasses.replace(opening, value="梧桐街道 ")),
        ]
        assert len({reference, *others}) == len(others) + 1

    def test_case_key_separates_its_parts(self) -> None:
        keys = {
            case_key(ED25519_SHA256, *parts)
            for parts in (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("a", "b", "c "), ("b", "a", "c"))
        }
        assert len(keys) == 5

    def test_clear_fields_are_sorted_and_distinct(self) -> None:
        record = WORLD.record
        dataclasses.replace(record, clear=(("mode", "direct"), ("outcome", "penalty")))
        for clear in ((("b", 1), ("a", 1)), (("a", 1), ("a", 2))):
            with pytest.raises(EncodingError, match="bad-record"):
                dataclasses.replace(record, clear=clear)

    @pytest.mark.parametrize("value", ["大额", "has space", "", "x" * 49, 2**63])
    def test_clear_values_are_tokens_or_integers(self, value: Any) -> None:
        data = encode((*decode(WORLD.records[1])[:6], (("mode", value),), ()))  # type: ignore[index]
        with pytest.raises(EncodingError):
            Record.decode(data)

    def test_file_fields_hold_file_values(self) -> None:
        with pytest.raises(EncodingError):
            Opening("file.2", bytes(32), "not a file")


class TestBlock:
    def test_body_must_be_what_the_header_commits_to(self) -> None:
        BLOCK.check_body(ED25519_SHA256)
        for items in (WORLD.items[:2], WORLD.items[::-1], (*WORLD.items, ITEM)):
            with pytest.raises(InvalidBlock, match="wrong-header-field"):
                Block(WORLD.header, items).check_body(ED25519_SHA256)

    def test_hash_without_decoding_the_items(self) -> None:
        assert block_hash_of(ED25519_SHA256, BLOCK.encode()) == BLOCK.hash(ED25519_SHA256)

    def test_first_difference_names_the_field(self) -> None:
        other = dataclasses.replace(WORLD.header, results_root=b"\x01" * 32, state_root=b"\x01" * 32)
        assert WORLD.header.first_difference(other) == "results_root"
        assert WORLD.header.first_difference(WORLD.header) is None


class TestCertificate:
    def verify(self, certificate: CommitCertificate) -> None:
        certificate.verify(ED25519_SHA256, WORLD.genesis_hash, WORLD.validators)

    def test_quorum_and_more(self) -> None:
        self.verify(WORLD.certify(WORLD.header, (0, 1, 2)))
        self.verify(WORLD.certify(WORLD.header, (0, 1, 2, 3)))

    def test_signer_index_is_bound(self) -> None:
        """A signature under another's index does not count (Tachyon, GHSA-c32p-wcqj-j677: votes tied to no known
        validator)."""
        certificate = WORLD.certificate
        shifted = dataclasses.replace(
            certificate, signatures=tuple((i, s) for i, (_, s) in zip((0, 1, 2), certificate.signatures, strict=True))
        )
        with pytest.raises(InvalidCertificate, match="bad-commit-signature"):
            self.verify(shifted)

    def test_unknown_signer(self) -> None:
        with pytest.raises(InvalidCertificate, match="unknown-signer"):
            self.verify(dataclasses.replace(WORLD.certificate, signatures=((0, b""), (1, b""), (4, b""))))

    def test_another_chain(self) -> None:
        with pytest.raises(InvalidCertificate):
            WORLD.certificate.verify(ED25519_SHA256, bytes(32), WORLD.validators)

    def test_unknown_kind(self) -> None:
        with pytest.raises(InvalidCertificate, match="unknown-certificate-kind"):
            dataclasses.replace(WORLD.certificate, kind="cometbft")


class TestGenesis:
    def test_file_round_trip(self) -> None:
        assert GenesisFile.decode(FILE.encode()).hash() == FILE.hash()

    def test_wrong_rule_set_or_certificate(self) -> None:
        with pytest.raises(InvalidGenesis, match="wrong-rule-set"):
            GenesisFile.decode(dataclasses.replace(FILE, rule_sets=(b"other",)).encode())
        with pytest.raises(InvalidGenesis, match="wrong-certificate"):
            GenesisFile.decode(dataclasses.replace(FILE, certificates=FILE.certificates[::-1]).encode())

    def test_possession_must_be_proven_for_these_very_roles(self) -> None:
        genesis, _, first, _ = make_genesis()
        proof = prove_possession(first, None, "zfj", ("officer",))
        for officer in (
            Officer("zfj", first.public_key, ("head",), proof),
            Officer("sfj", first.public_key, ("officer",), proof),
            Officer("zfj", signer("stranger").public_key, ("officer",), proof),
        ):
            with pytest.raises(InvalidGenesis, match="possession-not-proven"):
                dataclasses.replace(genesis, officers=(officer,)).check()

    def test_weak_key(self) -> None:
        genesis, *_ = make_genesis()
        weak = dataclasses.replace(genesis.members[0], key=(1).to_bytes(32, "little"))
        with pytest.raises(InvalidGenesis, match="possession-not-proven"):
            dataclasses.replace(genesis, members=(weak, *genesis.members[1:])).check()

    def test_officer_of_unknown_org_key_twice_unit_as_member(self) -> None:
        genesis, seats, first, _ = make_genesis()
        stranger = Officer("xxj", first.public_key, (), prove_possession(first, None, "xxj", ()))
        with pytest.raises(InvalidGenesis, match="officer-of-unknown-org"):
            dataclasses.replace(genesis, officers=(stranger,)).check()
        with pytest.raises(InvalidGenesis, match="key-stands-twice"):
            dataclasses.replace(genesis, officers=genesis.officers[:1] * 2).check()
        unit = dataclasses.replace(genesis.members[0], org="zfj.a")
        with pytest.raises(InvalidGenesis, match="member-is-a-unit"):
            dataclasses.replace(genesis, members=(unit, *genesis.members[1:])).check()
        with pytest.raises(InvalidGenesis, match="unknown-engine"):
            dataclasses.replace(genesis, engine="raft").check()
        for version in (1, PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1):
            with pytest.raises(InvalidGenesis, match="other-protocol"):
                dataclasses.replace(genesis, protocol_version=version).check()
        assert len(seats) == 4


class TestParameters:
    @pytest.mark.parametrize("name", sorted(KNOWN))
    def test_limits_on_both_sides(self, name: str) -> None:
        _, low, high = KNOWN[name]
        for value in (low, high):
            assert Parameters.defaults({name: value}).get(name) == value
        for value in (low - 1, high + 1):
            with pytest.raises(EncodingError, match="bad-parameter"):
                Parameters.defaults({name: value})

    def test_unknown_missing_and_unsorted(self) -> None:
        pairs = Parameters.defaults().pairs
        with pytest.raises(EncodingError, match="bad-parameter"):
            Parameters.defaults({"speed": 1})
        for bad in (pairs[1:], pairs[::-1], (*pairs, ("zzz", 1))):
            with pytest.raises(EncodingError, match="bad-parameter"):
                Parameters(bad)


class TestArchive:
    pairs = ((BLOCK.encode(), WORLD.certificate.encode()),) * 3

    def written(self) -> bytes:
        return b"".join(archive.write_archive(FILE.encode(), self.pairs))

    @pytest.mark.parametrize("size", [1, 7, 4096, 10**6])
    def test_read_in_chunks_of_any_size(self, size: int) -> None:
        data = self.written()
        genesis, pairs = archive.read_archive(data[i : i + size] for i in range(0, len(data), size))
        assert genesis == FILE
        assert tuple(pairs) == self.pairs

    def test_cut_short_is_found_at_every_length(self) -> None:
        data = self.written()
        for length in (*range(40), *range(40, len(data), 131), len(data) - 1):
            with pytest.raises(EncodingError):
                list(archive.read_archive([data[:length]])[1])

    def test_more_after_the_end_and_foreign_files(self) -> None:
        for data, code in ((self.written() + b"x", "archive-has-more"), (b"PK\x03\x04" * 99, "not-an-archive")):
            with pytest.raises(EncodingError, match=code):
                list(archive.read_archive([data])[1])

    def test_frame_too_large(self) -> None:
        with pytest.raises(EncodingError, match="archive-frame-too-large"):
            list(archive.read_frames([archive.MAGIC + b"\xff\xff\xff\xff"]))


class TestMessages:
    def test_both_languages_name_the_same_parameters(self) -> None:
        import re

        for code, (zh, en) in MESSAGES.items():
            assert set(re.findall(r"\{(\w+)\}", zh)) == set(re.findall(r"\{(\w+)\}", en)), code

    def test_parameters_are_put_in_once_and_made_harmless(self) -> None:
        """ANSI escapes, line breaks and bidirectional overrides in data must not steer a terminal or a log."""
        parameters = (("file", "{bytes}\x1b[2J\n\u202egpj.exe"), ("bytes", 3))
        text = sentence([MESSAGES], "file-does-not-match", parameters, "en")
        assert "{bytes}·[2J··gpj.exe (3 bytes)" in text

    @pytest.mark.parametrize(
        ("span_ms", "zh", "en"),
        [
            (0, "0 毫秒", "0 ms"),
            (999, "999 毫秒", "999 ms"),
            (1000, "1 秒", "1 s"),
            (86_399_999, "23 小时 59 分钟", "23 h 59 min"),
            (86_400_000, "1 天", "1 d"),
            (172_800_036, "2 天", "2 d"),
            (90 * 86_400_000 + 3_600_000, "90 天 1 小时", "90 d 1 h"),
            (-60_000, "-1 分钟", "-1 min"),
        ],
    )
    def test_spans_of_time_are_shown_in_units(self, span_ms: int, zh: str, en: str) -> None:
        assert (duration(span_ms, "zh"), duration(span_ms, "en")) == (zh, en)
        table = {"late": ("{late_ms}/{time_ms}", "{late_ms}/{time_ms}")}
        assert sentence([table], "late", (("late_ms", span_ms), ("time_ms", span_ms)), "en") == f"{en}/{span_ms}"

    def test_unknown_code_is_shown_as_it_is(self) -> None:
        assert sentence([MESSAGES], "no-such-code", (("a", 1),), "zh") == "no-such-code a=1"

    @given(st.text())
    def test_printable_has_no_controls(self, text: str) -> None:
        assert printable(text).isprintable() or not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in printable(text))

    @pytest.mark.parametrize(
        "char", "\x9b\xad\u061c\u115f\u200b\u200d\u202e\u2060\u2067\u3164\ufeff\uffa0\ufffb\U000e0041\udc80"
    )
    def test_nothing_unseen_stands_in_what_is_shown(self, char: str) -> None:
        """Two docket numbers that differ in it would look alike."""
        assert printable(f"桐综执罚〔2026〕0412{char}号") == "桐综执罚〔2026〕0412·号"

    def test_names_keep_the_variants_of_their_characters(self) -> None:
        assert printable("葛\U000e0101城 é️ 한글") == "葛\U000e0101城 é️ 한글"


def test_every_code_of_the_ledger_has_a_sentence() -> None:
    import re
    from pathlib import Path

    import fazhi_ledger

    folder = Path(fazhi_ledger.__file__).parent
    pattern = re.compile(r'(?:Error|Invalid\w+)\(\s*"([a-z][a-z-]*)"|^        return "([a-z]+(?:-[a-z]+)+)"', re.M)
    reasons = {"low-order", "non-canonical"}  # of weak-key: a parameter, no code
    codes = {a or b for file in folder.glob("*.py") for a, b in pattern.findall(file.read_text("utf-8"))}
    assert len(codes) > 50
    assert codes - reasons <= set(MESSAGES), sorted(codes - set(MESSAGES))


def test_invariant_survives_optimisation() -> None:
    invariant(True, "fine")
    with pytest.raises(InvariantBroken, match="broken"):
        invariant(False, "broken")


@pytest.mark.parametrize("name", HEADER_FIELDS)
def test_a_header_made_of_another_is_encoded_by_itself(name: str) -> None:
    header = Header.decode(WORLD.header.encode())
    others: dict[type, Any] = {int: header.height + 7, str: "other", bytes: bytes(31) + b"\x07"}
    other = others[type(getattr(header, name))]
    changed = dataclasses.replace(header, **{name: other})
    assert changed.encode() == encode(changed.to_value()) != header.encode() == encode(header.to_value())
    assert Header.decode(changed.encode()) == changed != header


def test_sets_of_validators_are_hashed_by_themselves() -> None:
    suite, validators = WORLD.genesis.suite, WORLD.genesis.validator_set()
    later = dataclasses.replace(validators, epoch=1)
    assert validators.hash(suite) == validators.hash(suite) == suite.tagged_hash("validators", validators.encode())
    assert later.hash(suite) == suite.tagged_hash("validators", later.encode()) != validators.hash(suite)
