"""init, cards and the genesis file: what members make and hand to each other before there is a chain."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fazhi_contracts.entries import MemberEntry
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.suites import ED25519_SHA256
from fazhi_node.certificates import check_certificate, make_certificate
from fazhi_node.config import load
from fazhi_node.exits import Exit, Misuse, Stop
from fazhi_node.main import main, read_parameters
from fazhi_node.members import officer_card, read_member_card, vote_owner
from fazhi_node.prepare import prepare
from fazhi_node.storage.vote_log import DiskVoteLog
from fazhi_sdk.devnet import free_ports


def init(home: Path, org: str, *more: str) -> int:
    return main(["init", "--org", org, "--name", f"{org}局", "--home", str(home), "--no-passphrase", *more])


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    found = []
    for number, org in enumerate(("delta", "alpha", "charlie", "bravo")):
        url = f"https://127.0.0.1:{7000 + number}"
        assert init(tmp_path / org, org, "--url", url, "--p2p", f"127.0.0.1:{8000 + number}", "--role", "notary") == 0
        found.append(tmp_path / org / f"{org}.card")
    return found


def genesis(cards: list[Path], output: Path, *more: str) -> int:
    return main(["genesis", *map(str, cards), "-o", str(output), *more])


def test_init_makes_private_files_and_never_touches_existing_ones(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert init(home, "notary") == 0
    for directory in (home, home / "keys", home / "data"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("ledger.key", "tls.key", "read-tokens", "vote-guard"):
        assert stat.S_IMODE((home / "keys" / name).stat().st_mode) == 0o600
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert init(home, "notary") == Exit.USAGE
    assert before == {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_init_speaks_the_locale_and_warns_of_an_address_that_none_can_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "FAZHI_NODE_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    given = ["init", "--org", "gzc", "--name", "公证处", "--no-passphrase", "--home"]
    assert main([*given, str(tmp_path / "here")]) == 0
    said = capsys.readouterr()
    assert "is ready" in said.out
    assert "https://localhost:7443" in said.err
    assert load(tmp_path / "here").lang == "en"
    assert main([*given, str(tmp_path / "there"), "--url", "https://notary.example:7443", "--lang", "zh"]) == 0
    assert "localhost" not in capsys.readouterr().err
    assert load(tmp_path / "there").lang == "zh"


def test_there_is_no_archive_of_a_node_that_never_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    url = ["--url", f"https://127.0.0.1:{free_ports(1)[0]}"]
    assert main(["init", "--home", str(home), "--org", "gzc", "--name", "x", "--no-passphrase", *url]) == 0
    capsys.readouterr()
    assert main(["export", "--home", str(home), "-o", str(tmp_path / "x.fazhi"), "--lang", "en"]) == Exit.FOREIGN_DATA
    assert "never run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [home]


def test_the_vote_log_begins_with_the_key(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert init(home, "notary") == 0
    key = SoftwareSigner.from_pem(ED25519_SHA256, (home / "keys" / "ledger.key").read_bytes(), None).public_key
    log = DiskVoteLog(home / "data" / "votes", home / "keys" / "vote-guard", vote_owner(ED25519_SHA256, key))
    try:
        assert not log.amnesiac
    finally:
        log.close()


def test_a_passphrase_comes_from_environment_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["init", "--org", "a", "--name", "甲", "--home"]
    monkeypatch.setenv("FAZHI_PASSPHRASE", "correct horse")
    assert main([*arguments, str(tmp_path / "one")]) == 0
    pem = (tmp_path / "one/keys/ledger.key").read_bytes()
    assert b"ENCRYPTED" in pem
    SoftwareSigner.from_pem(ED25519_SHA256, pem, b"correct horse")
    monkeypatch.delenv("FAZHI_PASSPHRASE")
    (tmp_path / "secret").write_text("battery staple\r\nanything\n")
    assert main([*arguments, str(tmp_path / "two"), "--passphrase-file", str(tmp_path / "secret")]) == 0
    SoftwareSigner.from_pem(ED25519_SHA256, (tmp_path / "two/keys/ledger.key").read_bytes(), b"battery staple")


def test_without_a_passphrase_or_with_a_short_one_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FAZHI_PASSPHRASE", raising=False)
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    arguments = ["init", "--org", "a", "--name", "甲", "--home", str(tmp_path / "home"), "--lang", "en"]
    assert main(arguments) == Exit.USAGE
    assert "FAZHI_PASSPHRASE" in capsys.readouterr().err
    monkeypatch.setenv("FAZHI_PASSPHRASE", "short")
    assert main(arguments) == Exit.USAGE
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--org", "Upper"],
        ["--org", "a.unit"],
        ["--org", "a", "--role", "Not A Role"],
        ["--org", "a", "--url", "ftp://x"],
        ["--org", "a", "--url", "http://10.0.0.1:80"],
        ["--org", "a", "--p2p", "nowhere"],
        ["--org", "a", "--suite", "rot13"],
        ["--org", "a", "--name", "bad\nname"],
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path: Path, arguments: list[str]) -> None:
    home = tmp_path / "home"
    assert main(["init", "--name", "甲", "--no-passphrase", "--home", str(home), *arguments]) == Exit.USAGE
    assert not home.exists()


def test_the_genesis_is_the_same_whatever_the_order_of_the_cards(
    tmp_path: Path, cards: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.fazhi", tmp_path / "two.fazhi"
    capsys.readouterr()
    assert genesis(cards, one, "--time-ms", "1700000000000", "--parameter", "heartbeat_ms=5000") == 0
    published = capsys.readouterr().out.strip()
    assert genesis(cards[::-1], two, "--time-ms", "1700000000000", "--parameter", "heartbeat_ms=5000") == 0
    assert one.read_bytes() == two.read_bytes()
    file = GenesisFile.decode(one.read_bytes())
    assert file.hash().hex() == published
    assert [member.org for member in file.genesis.members] == ["alpha", "bravo", "charlie", "delta"]
    assert file.genesis.parameters.get("heartbeat_ms") == 5000
    # the law before and after 2021-07-15
    assert [procedure for procedure, _ in file.genesis.rule_sets] == ["penalty", "penalty"]
    assert genesis(cards, one) == Exit.USAGE, "never overwritten"


def test_officers_come_in_with_their_cards(tmp_path: Path, cards: list[Path]) -> None:
    signer = SoftwareSigner.generate(ED25519_SHA256)
    card = tmp_path / "officer.card"
    card.write_bytes(officer_card("alpha", signer, ["officer"]))
    assert genesis(cards, tmp_path / "g", "--officer", str(card)) == 0
    (officer,) = GenesisFile.decode((tmp_path / "g").read_bytes()).genesis.officers
    assert (officer.org, officer.key, officer.roles) == ("alpha", signer.public_key, ("officer",))


def changed(card: Path, **fields: Any) -> None:
    content = json.loads(card.read_text())
    content.update(fields)
    card.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "fields",
    [
        {"org": "zulu"},
        {"roles": []},
        {"key": "00" * 32},
        {"possession": "00" * 64},
        {"tls_certificate": "AAAA"},
        {"tls_certificate": "not base64"},
        {"p2p_address": "nowhere"},
        {"gateway_url": "ftp://x"},
        {"format": "other"},
        {"unknown": 1},
        {"roles": "notary"},
        {"suite": "rot13"},
    ],
)
def test_a_changed_card_is_refused(tmp_path: Path, cards: list[Path], fields: dict[str, Any]) -> None:
    changed(cards[0], **fields)
    assert genesis(cards, tmp_path / "g") == Exit.USAGE
    assert not (tmp_path / "g").exists()


def test_a_doubled_field_a_card_twice_and_no_json_are_refused(tmp_path: Path, cards: list[Path]) -> None:
    assert genesis([*cards, cards[0]], tmp_path / "g") == Exit.USAGE
    text = cards[0].read_text()
    cards[0].write_text(text.replace('"roles"', '"org": "delta", "roles"', 1))
    assert genesis(cards, tmp_path / "g") == Exit.USAGE
    cards[0].write_bytes(b"\xff{")
    assert genesis(cards, tmp_path / "g") == Exit.USAGE


def test_certificates_that_could_not_be_pinned_are_refused() -> None:
    _, good = make_certificate("fazhi-a", ["localhost"])
    check_certificate(good, "fazhi-a")
    with pytest.raises(Misuse):
        check_certificate(good, "fazhi-b")
    for cut in (0, 10, len(good) - 1):
        with pytest.raises(Misuse):
            check_certificate(good[:cut], "fazhi-a")


@pytest.mark.parametrize(
    ("found", "odd"),
    [
        (bytes.fromhex("a003020102"), bytes.fromhex("a003020104")),  # version 5: InvalidVersion, no ValueError
        (bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d9001")),  # another kind of key
    ],
)
def test_certificates_of_a_kind_that_the_library_does_not_know_are_refused(found: bytes, odd: bytes) -> None:
    """Found by fuzzing: its exceptions for these are no ValueError, and ended ``fazhi-node genesis`` in a traceback."""
    _, good = make_certificate("fazhi-a", ["localhost"])
    assert good.count(found) == 1
    with pytest.raises(Misuse):
        check_certificate(good.replace(found, odd), "fazhi-a")


def signed_again(pem: bytes, tbs: bytes) -> bytes:
    """The certificate (DER) of that body, signed by its own key."""
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = b"\0" + key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    body = tbs + bytes.fromhex("300a06082a8648ce3d040302") + bytes([3, len(signature)]) + signature
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    "odd", [b"\x0c\x07\xff\xffzhi-a", b"\x1e\x07fazhi-a", b"\x04\x07fazhi-a", b"\x1a\x07fazhi-a", b"\x02\x07fazhi-a"]
)
def test_a_certificate_that_tls_cannot_read_is_refused_before_it_shuts_out_all(odd: bytes) -> None:
    """gRPC reads the members' certificates as one list and stops at the first that it cannot read: one vote for a
    member's new certificate would have cut every connection of the chain, for good."""
    pem, good = make_certificate("fazhi-a", ["localhost"])
    body = x509.load_der_x509_certificate(good).tbs_certificate_bytes
    check_certificate(signed_again(pem, body), "fazhi-a")
    name = b"\x0c\x07fazhi-a"
    assert body.count(name) == 2  # issuer and subject
    with pytest.raises(Misuse):
        check_certificate(signed_again(pem, body.replace(name, odd)), "fazhi-a")


def test_a_certificate_serves_as_its_own_root_also_under_strict_rules(tmp_path: Path) -> None:
    """Clients pin it as the only root; Python 3.13 checks RFC 5280 strictly by default."""
    key, certificate = make_certificate("fazhi-a", ["localhost", "127.0.0.1", "node.example"])
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "crt").write_text(ssl.DER_cert_to_PEM_cert(certificate))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    client = ssl.create_default_context(cafile=str(tmp_path / "crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("fazhi-a", "localhost", "127.0.0.1", "node.example"):
        shake_hands(server, client, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client, "other.example")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (here, there):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert here.version() == "TLSv1.3"
    assert here.getpeercert() is not None


def ready(tmp_path: Path, cards: list[Path]) -> Path:
    assert genesis(cards, tmp_path / "g") == 0
    home = tmp_path / "alpha"
    (home / "genesis.fazhi").write_bytes((tmp_path / "g").read_bytes())
    return home


def test_a_home_is_prepared_and_everything_foreign_is_refused(
    tmp_path: Path, cards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ready(tmp_path, cards)
    prepared = prepare(home, None, lambda: b"", None)
    assert prepared.member.org == "alpha"
    members = [
        MemberEntry(each.org, each.org.encode(), each.p2p_address, each.gateway_url)
        for each in prepared.genesis.members
    ]
    assert [peer.org for peer in prepared.peers(members)] == ["alpha", "bravo", "charlie", "delta"]
    monkeypatch.setenv("FAZHI_NODE_PEER_ADDRESSES", "bravo=10.0.0.7:7444, charlie=[::1]:9")
    addresses = {peer.org: peer.address for peer in prepare(home, None, lambda: b"", None).peers(members)}
    assert (addresses["bravo"], addresses["charlie"]) == ("10.0.0.7:7444", "[::1]:9")
    assert addresses["delta"] == prepared.genesis.member("delta").p2p_address  # type: ignore[union-attr]
    monkeypatch.delenv("FAZHI_NODE_PEER_ADDRESSES")

    def refusal() -> Stop:
        with pytest.raises(Stop) as stopped:
            prepare(home, None, lambda: b"", None)
        return stopped.value

    own = {name: (home / "keys" / name).read_bytes() for name in ("ledger.key", "tls.key", "tls.crt")}
    other = tmp_path / "bravo" / "keys"
    (home / "keys/ledger.key").write_bytes((other / "ledger.key").read_bytes())
    assert refusal().code == "other-key"
    (home / "keys/ledger.key").write_bytes(own["ledger.key"])
    (home / "keys/tls.crt").write_bytes((other / "tls.crt").read_bytes())
    assert refusal().code == "bad-tls"
    (home / "keys/tls.key").write_bytes((other / "tls.key").read_bytes())
    assert refusal().code == "other-certificate"
    (home / "keys/tls.key").write_bytes(own["tls.key"])
    (home / "keys/tls.crt").write_bytes(own["tls.crt"])
    (home / "keys/tls.key").chmod(0o644)
    assert refusal().code == "exposed-key"
    (home / "keys/tls.key").chmod(0o600)
    (home / "keys/ledger.key").write_bytes(b"nonsense")
    assert refusal().code == "bad-key-file"
    (home / "keys/ledger.key").write_bytes(own["ledger.key"])
    data = bytearray((home / "genesis.fazhi").read_bytes())
    data[200] ^= 1
    (home / "genesis.fazhi").write_bytes(bytes(data))
    assert refusal().code == "bad-genesis-file"
    (home / "genesis.fazhi").unlink()
    assert refusal().code == "no-genesis"


def test_a_wrong_passphrase_is_said_so(tmp_path: Path, cards: list[Path]) -> None:
    home = ready(tmp_path, cards)
    path = home / "keys/ledger.key"
    path.write_bytes(SoftwareSigner.from_pem(ED25519_SHA256, path.read_bytes(), None).to_pem(b"open sesame"))
    with pytest.raises(Misuse) as caught:
        prepare(home, None, lambda: b"wrong", None)
    assert caught.value.code == "wrong-passphrase"


def test_a_card_reads_back(cards: list[Path]) -> None:
    member, certificate, suite = read_member_card(cards[0])
    assert (member.org, member.name_zh, member.name_en, suite) == ("delta", "delta局", "delta", "ed25519-sha256")
    assert b"fazhi-delta" in certificate


@pytest.mark.parametrize(
    "given", ["heartbeat_ms=" + "9" * 5000, "heartbeat_ms=--5", "heartbeat_ms=５", "heartbeat_ms=", "x=1"]
)
def test_parameters_that_are_no_numbers_are_refused(given: str) -> None:
    """Found by fuzzing: the interpreter reads no more than 4300 digits, and what it raised was no refusal."""
    with pytest.raises(Misuse):
        read_parameters([given])
    assert read_parameters(["heartbeat_ms=-5"]) == {"heartbeat_ms": -5}
