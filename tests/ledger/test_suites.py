"""Suites, DSSE and key files. One verdict per signature, whatever the library (safety.md §0.2)."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature as OpenSslInvalid
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fazhi_ledger import dsse, suites
from fazhi_ledger.errors import InvalidKey, InvalidSignature
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.receipt_steps import VALID, check_receipt
from fazhi_ledger.suites import ED25519_SHA256, Suite, prefixed, suite_named
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError as NaclInvalid
from nacl.signing import VerifyKey

from tests.conftest import vector_path
from tests.ledger.builders import World, signer
from tests.ledger.suites import ToySuite
from tests.spec.independent_parts import Refused, check_signature

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
# SHA-256 over the 914 verdicts in order ("1" accepted, "0" not), as first computed with PyNaCl 1.6.
FROZEN_VERDICTS = "9111cd3acbe211e15031707588bc9d68cb7b0c2d8f500fad1ebfedfc4362ffab"


def accepted(key: bytes, message: bytes, signature: bytes, suite: Suite = ED25519_SHA256) -> bool:
    try:
        suite.verify(key, message, signature)
    except InvalidSignature:
        return False
    return True


def openssl_accepts(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (OpenSslInvalid, ValueError):
        return False
    return True


def libsodium_accepts(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (NaclInvalid, ValueError):
        return False
    return True


def independently_accepted(key: bytes, message: bytes, signature: bytes) -> bool:
    """By the verifier that was written from the pages alone (over OpenSSL)."""
    try:
        check_signature(key, message, signature)
    except Refused:
        return False
    return True


def test_cctv_vectors_have_one_frozen_verdict_each() -> None:
    """C2SP/CCTV ed25519: 914 vectors on which libraries disagree; ours must never change, else an upgrade forks the
    chain."""
    vectors = json.loads(vector_path("ed25519-cctv-914.json").read_text())
    verdicts = []
    for vector in vectors:
        key, signature = bytes.fromhex(vector["key"]), bytes.fromhex(vector["sig"])
        verdict = accepted(key, vector["msg"].encode(), signature)
        weak = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R"} & set(vector["flags"] or ())
        assert not (verdict and weak), vector["number"]
        if not weak:
            for library in (openssl_accepts, libsodium_accepts):
                assert verdict == library(key, vector["msg"].encode(), signature), (library, vector["number"])
        assert verdict == independently_accepted(key, vector["msg"].encode(), signature), vector["number"]
        verdicts.append("1" if verdict else "0")
    assert len(verdicts) == 914
    assert verdicts.count("1") == 43
    assert hashlib.sha256("".join(verdicts).encode()).hexdigest() == FROZEN_VERDICTS


def test_wycheproof_vectors() -> None:
    data = json.loads(vector_path("ed25519-wycheproof.json").read_text())
    count = 0
    for group in data["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            verdict = accepted(key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            assert verdict == (case["result"] == "valid"), case["tcId"]
            count += 1
    assert count == 151


def on_curve(y: int) -> int | None:
    """x of a point with this y, if there is one (RFC 8032 §5.1.3)."""
    d = -121665 * pow(121666, P - 2, P) % P
    square = (y * y - 1) * pow(d * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if (x * x - square) % P == 0 else None


@pytest.mark.parametrize("y", suites._LOW_ORDER_Y)
@pytest.mark.parametrize("sign", [0, 1])
def test_low_order_keys_are_refused_at_registration(y: int, sign: int) -> None:
    key = (y | sign << 255).to_bytes(32, "little")
    with pytest.raises(InvalidKey, match="weak-key"):
        ED25519_SHA256.check_public_key(key)
    with pytest.raises(InvalidSignature, match="weak-point"):
        ED25519_SHA256.verify(key, b"m", bytes(64))


def test_the_list_of_low_order_points_is_right() -> None:
    """Each y doubles to the identity within three doublings, computed here from the curve's equation."""
    d = -121665 * pow(121666, P - 2, P) % P
    for y in suites._LOW_ORDER_Y:
        x = on_curve(y)
        assert x is not None
        for _ in range(3):
            t = d * x * x * y * y % P
            x, y = (  # noqa: PLW2901
                2 * x * y * pow(1 + t, P - 2, P) % P,
                (y * y + x * x) * pow(1 - t, P - 2, P) % P,
            )
        assert (x, y) == (0, 1)


@pytest.mark.parametrize("y", [P, P + 1, P + 18, 2**255 - 1])
def test_non_canonical_points_are_refused(y: int) -> None:
    with pytest.raises(InvalidKey):
        ED25519_SHA256.check_public_key(y.to_bytes(32, "little"))
    with pytest.raises(InvalidSignature, match="weak-point"):
        ED25519_SHA256.verify(signer("a").public_key, b"m", y.to_bytes(32, "little") + bytes(32))


def test_key_of_mixed_order_is_refused_at_registration() -> None:
    """A point of order 8·L signs consistently under the cofactorless equation but splits cofactored verifiers from
    the rest."""
    from nacl.bindings import crypto_core_ed25519_add

    torsion = suites._LOW_ORDER_Y[3].to_bytes(32, "little")
    mixed = crypto_core_ed25519_add(signer("a").public_key, torsion)
    with pytest.raises(InvalidKey, match="weak-key"):
        ED25519_SHA256.check_public_key(mixed)


def plain_reason(encoded: bytes) -> str | None:
    """:func:`suites._check_point` without a look at the last byte first."""
    if encoded in suites._LOW_ORDER:
        return "low-order"
    return "non-canonical" if int.from_bytes(encoded, "little") % 2**255 >= P else None


@given(st.binary(min_size=31, max_size=31) | st.sampled_from([b"\xff" * 31, bytes(31)]), st.integers(0, 255))
def test_points_are_refused_for_what_they_are(low: bytes, high: int) -> None:
    encoded = low + bytes([high])
    assert suites._check_point(encoded) == plain_reason(encoded)


def test_every_point_near_the_bounds() -> None:
    for y in (*suites._LOW_ORDER_Y, P, 2**255):
        for near in range(max(y - 3, 0), min(y + 22, 2**255)):
            for sign_bit in (0, 1):
                encoded = (near | sign_bit << 255).to_bytes(32, "little")
                assert suites._check_point(encoded) == plain_reason(encoded)


@pytest.mark.parametrize("scalar", [L - 1, L, L + 1, 2**252 - 1, 2**252, 2**252 + 1, 2**253, 2**256 - 1, 0])
def test_scalars_near_the_bound(scalar: int) -> None:
    key = signer("a")
    signature = key.sign(b"m")[:32] + scalar.to_bytes(32, "little")
    with pytest.raises(InvalidSignature) as caught:
        ED25519_SHA256.verify(key.public_key, b"m", signature)
    assert caught.value.code == ("bad-scalar" if scalar >= L else "bad-signature")


def test_signatures_are_those_of_the_standard() -> None:
    """RFC 8032 §7.1, test 2; made ready once, many messages are signed as one by one."""
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    expected = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    sign = ED25519_SHA256.signing(secret)
    assert sign(b"\x72").hex() == ED25519_SHA256.sign(secret, b"\x72").hex() == expected
    assert [sign(m) for m in (b"", b"a", b"")] == [ED25519_SHA256.sign(secret, m) for m in (b"", b"a", b"")]
    for size in (0, 31, 33, 64):
        with pytest.raises(InvalidKey, match="bad-secret-length"):
            ED25519_SHA256.signing(bytes(size))


def test_malleated_scalar_is_refused() -> None:
    key = signer("a")
    signature = key.sign(b"m")
    ED25519_SHA256.verify(key.public_key, b"m", signature)
    scalar = int.from_bytes(signature[32:], "little") + L
    assert not accepted(key.public_key, b"m", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_lengths_of_keys_and_signatures(size: int) -> None:
    with pytest.raises(InvalidKey, match="bad-key-length"):
        ED25519_SHA256.check_public_key(bytes(size))
    with pytest.raises(InvalidSignature, match="bad-signature-length"):
        ED25519_SHA256.verify(bytes(size), b"m", bytes(64))
    with pytest.raises(InvalidSignature, match="bad-signature-length"):
        ED25519_SHA256.verify(signer("a").public_key, b"m", bytes(size + 1))


@pytest.mark.parametrize("suite", [ED25519_SHA256, ToySuite()])
@given(prefix=st.binary(max_size=80), entries=st.lists(st.binary(max_size=80), max_size=3))
def test_prefixed_hashing_is_hashing(suite: Suite, prefix: bytes, entries: list[bytes]) -> None:
    hash_ = prefixed(suite, prefix)
    assert [hash_(data) for data in entries] == [suite.hash(prefix + data) for data in entries]


@given(data=st.binary(max_size=200))
def test_tagged_hashing_is_hashing(data: bytes) -> None:
    for tag in ("case", "case-id", "case"):
        assert ED25519_SHA256.tagged_hash(tag, data) == hashlib.sha256(b"fazhi/" + tag.encode() + b"\0" + data).digest()


def test_unknown_suite() -> None:
    with pytest.raises(InvalidKey, match="unknown-suite"):
        suite_named("rot13")


def test_a_second_suite_carries_a_whole_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seam holds: other hash, key and signature sizes, and signatures that differ each time."""
    toy = ToySuite()
    monkeypatch.setitem(suites._SUITES, toy.name, toy)
    world = World(suite=toy)
    report = check_receipt(world.receipt().to_json(), world.genesis_hash)
    assert report.verdict == VALID, report.failed
    assert world.items[0].signatures != world.items[1].signatures


def test_pae_is_that_of_the_protocol() -> None:
    """The example of the DSSE protocol text."""
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_signature_of_one_kind_is_none_of_another() -> None:
    """Each kind has a payload type of its own: a PREPARE can never be read as a COMMIT (safety.md §2, Identity)."""
    key = signer("a")
    for kind in dsse.PAYLOAD_TYPES:
        signature = dsse.sign(key, kind, b"body")
        dsse.verify(ED25519_SHA256, key.public_key, kind, b"body", signature)
        for other in dsse.PAYLOAD_TYPES:
            if other != kind:
                with pytest.raises(InvalidSignature):
                    dsse.verify(ED25519_SHA256, key.public_key, other, b"body", signature)
    assert len(set(dsse.PAYLOAD_TYPES)) == len(dsse.PAYLOAD_TYPES)


class TestKeyFiles:
    def test_encrypted_round_trip(self) -> None:
        key = signer("a")
        pem = key.to_pem(b"a long pass phrase")
        assert b"ENCRYPTED" in pem
        assert SoftwareSigner.from_pem(ED25519_SHA256, pem, b"a long pass phrase").public_key == key.public_key

    @pytest.mark.parametrize(
        ("passphrase", "given", "code"),
        [
            (b"right", b"wrong", "wrong-passphrase"),
            (b"right", None, "needs-passphrase"),
            (b"right", b"", "needs-passphrase"),
            (None, b"any", "not-encrypted"),
        ],
    )
    def test_wrong_passphrases(self, passphrase: bytes | None, given: bytes | None, code: str) -> None:
        pem = signer("a").to_pem(passphrase)
        with pytest.raises(InvalidKey) as caught:
            SoftwareSigner.from_pem(ED25519_SHA256, pem, given)
        assert caught.value.code == code

    def test_empty_passphrase_is_refused(self) -> None:
        with pytest.raises(InvalidKey, match="empty-passphrase"):
            signer("a").to_pem(b"")

    @pytest.mark.parametrize(
        "pem", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
    )
    def test_damaged_files(self, pem: bytes) -> None:
        with pytest.raises(InvalidKey, match="malformed-key-file"):
            SoftwareSigner.from_pem(ED25519_SHA256, pem, None)

    def test_key_of_another_type(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(InvalidKey, match="wrong-key-type"):
            SoftwareSigner.from_pem(ED25519_SHA256, pem, None)

    def test_openssl_reads_it(self, tmp_path: Path) -> None:
        key = signer("a")
        file = tmp_path / "key.pem"
        file.write_bytes(key.to_pem(b"word"))
        command = ["openssl", "pkey", "-in", str(file), "-passin", "pass:word", "-pubout", "-outform", "DER"]
        try:
            public = subprocess.run(command, capture_output=True, check=True).stdout
        except FileNotFoundError:
            pytest.skip("openssl is not installed")
        assert public[-32:] == key.public_key

    def test_secret_is_not_in_the_representation(self) -> None:
        key = SoftwareSigner.generate(ED25519_SHA256)
        assert key._secret.hex() not in repr(key)
        assert repr(key._secret) not in repr(key)
