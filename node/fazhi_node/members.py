"""``fazhi-node init`` and ``fazhi-node genesis``: a member's keys and card, and the file that all members start from.

A card is what one member hands to the others: JSON that a person can read, holding nothing secret. Its keys prove
their possession, so that nobody can bring in a key that is not his; *whose* card it is, the members check with each
other when they meet.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fazhi_contracts.membership import seat_roles
from fazhi_ledger.errors import FazhiError, InvalidSignature
from fazhi_ledger.genesis import (
    Genesis,
    GenesisFile,
    Member,
    Officer,
    prove_possession,
    rule_set_hash,
    tls_fingerprint,
    verify_possession,
)
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.names import NAME, ORG
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.suites import Suite, suite_named

from .addresses import CONFIG_NAME, GENESIS_NAME, VOTES_NAME, GatewayUrl, is_loopback, join_address, split_address
from .certificates import MAX_CERTIFICATE_BYTES, check_certificate, make_certificate
from .config_file import config_text
from .exits import Exit, Misuse, Stop
from .private_files import make_private_directory, read_bounded, write_new
from .transport.identity import pem_of, server_name

MEMBER_FORMAT: Final = "fazhi-member-card/1"
OFFICER_FORMAT: Final = "fazhi-officer-card/1"
MAX_CARD_BYTES: Final = 64 * 1024
MAX_NAME_CHARS: Final = 120
MIN_PASSPHRASE_BYTES: Final = 8
_MEMBER_FIELDS: Final = frozenset(
    {
        "format",
        "org",
        "name_zh",
        "name_en",
        "roles",
        "suite",
        "key",
        "tls_certificate",
        "p2p_address",
        "gateway_url",
        "possession",
    }
)
_OFFICER_FIELDS: Final = frozenset({"format", "org", "key", "roles", "possession"})


@dataclass(frozen=True, slots=True)
class Identity:
    """What ``init`` is told: who the member is and where it can be reached."""

    org: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]
    url: GatewayUrl
    p2p: str
    suite: Suite

    def __post_init__(self) -> None:
        if ORG.fullmatch(self.org) is None or "." in self.org:
            raise Misuse("bad-org", org=self.org)
        for role in self.roles:
            if NAME.fullmatch(role) is None:
                raise Misuse("bad-role", role=role)
        for name in (self.name_zh, self.name_en):
            if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
                raise Misuse("bad-name", name=name[:40].encode("unicode_escape").decode("ascii"))
        if self.url.scheme == "http" and not is_loopback(self.url.host):
            raise Misuse("plain-http", address=str(self.url))


@dataclass(frozen=True, slots=True)
class Home:
    """Where ``init`` put things."""

    directory: Path
    card: Path
    public_key: bytes


def initialise(
    home: Path,
    identity: Identity,
    passphrase: bytes | None,
    *,
    open_reads: bool = False,
    language: Literal["zh", "en"] = "zh",
    genesis_file: bytes | None = None,
) -> Home:
    """Create the home directory of a new member: keys, guard, configuration, card. Nothing that exists is touched.
    The node will speak the ``language`` of whoever made it. With the genesis file of a chain that exists, the card asks
    for a seat on that one.

    Raises:
        Misuse: ``home-in-use``, ``passphrase-too-short`` or a bad name or address; nothing was written.
    """
    taken = [name for name in (CONFIG_NAME, "keys", "data") if (home / name).exists()]
    if taken:
        raise Misuse("home-in-use", path=str(home / taken[0]))
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise Misuse("passphrase-too-short", minimum=MIN_PASSPHRASE_BYTES)
    genesis_hash = None if genesis_file is None else _chain_to_join(genesis_file, identity.suite)
    signer = SoftwareSigner.generate(identity.suite)
    p2p_host, _ = split_address(identity.p2p)
    hosts = dict.fromkeys(["localhost", "127.0.0.1", identity.url.host, p2p_host])
    tls_key, certificate = make_certificate(server_name(identity.org), list(hosts))
    make_private_directory(home)
    make_private_directory(home / "keys")
    write_new(home / "keys" / "ledger.key", signer.to_pem(passphrase))
    write_new(home / "keys" / "tls.key", tls_key)
    write_new(home / "keys" / "tls.crt", pem_of(certificate), 0o644)
    write_new(home / "keys" / "read-tokens", secrets.token_urlsafe(32).encode("ascii") + b"\n")
    make_private_directory(home / "data")
    create_vote_log(home / "data" / VOTES_NAME, home / "keys" / "vote-guard", identity.suite, signer.public_key)
    card = home / f"{identity.org}.card"
    write_new(card, member_card(identity, signer, certificate, genesis_hash), 0o644)
    if genesis_file is not None:
        write_new(home / GENESIS_NAME, genesis_file, 0o644)
    listen = _listening(identity)
    plain = identity.url.scheme == "http"
    text = config_text(identity.org, *listen, plain=plain, open_reads=open_reads, language=language)
    write_new(home / CONFIG_NAME, text.encode("utf-8"))
    return Home(home, card, signer.public_key)


def _chain_to_join(genesis_file: bytes, suite: Suite) -> bytes:
    try:
        file = GenesisFile.decode(genesis_file)
    except FazhiError as error:
        raise Misuse("bad-genesis-file", path="--genesis", reason=str(error)) from None
    if file.genesis.suite_name != suite.name:
        raise Misuse("several-suites", suites=f"{file.genesis.suite_name}, {suite.name}")
    return file.hash()


def vote_owner(suite: Suite, public_key: bytes) -> bytes:
    """Whose vote log it is, for :class:`~fazhi_node.storage.vote_log.DiskVoteLog`.

    The key alone names it: the log is made with the key, before there is a chain. A key serves one membership of one
    chain, and every signed body carries its genesis hash.
    """
    return suite.tagged_hash("vote-owner", public_key)


def create_vote_log(directory: Path, guard: Path, suite: Suite, public_key: bytes) -> None:
    """The vote log of a key that was made a moment ago: nobody can have signed anything with it."""
    from .storage.errors import StorageError
    from .storage.vote_log import DiskVoteLog

    try:
        owner = vote_owner(suite, public_key)
        DiskVoteLog.create(directory, guard, owner, fresh=True)
    except StorageError as error:
        raise Stop(Exit.STORAGE, error.code, **dict(error.parameters)) from None


def _listening(identity: Identity) -> tuple[str, str]:
    """Addresses to listen on: a loopback address as it is, else every interface (names and addresses may be
    translated on the way).
    """
    p2p_host, p2p_port = split_address(identity.p2p)
    http = identity.url.host if is_loopback(identity.url.host) else "0.0.0.0"  # noqa: S104
    p2p = p2p_host if is_loopback(p2p_host) else "0.0.0.0"  # noqa: S104
    return join_address(http, identity.url.port), join_address(p2p, p2p_port)


def member_card(
    identity: Identity, signer: SoftwareSigner, certificate: bytes, genesis_hash: bytes | None = None
) -> bytes:
    """The card of a member, as JSON: for a genesis, or for a seat on the chain of that genesis hash."""
    proven = identity.roles if genesis_hash is None else seat_roles(identity.roles)
    card = {
        "format": MEMBER_FORMAT,
        "org": identity.org,
        "name_zh": identity.name_zh,
        "name_en": identity.name_en,
        "roles": list(identity.roles),
        "suite": identity.suite.name,
        "key": signer.public_key.hex(),
        "tls_certificate": base64.b64encode(certificate).decode("ascii"),
        "p2p_address": identity.p2p,
        "gateway_url": str(identity.url),
        "possession": prove_possession(signer, genesis_hash, identity.org, proven).hex(),
    }
    return (json.dumps(card, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def officer_card(org: str, signer: SoftwareSigner, roles: Sequence[str]) -> bytes:
    """The card of an officer's or a device's key, as JSON."""
    ordered = tuple(sorted(set(roles)))
    card = {
        "format": OFFICER_FORMAT,
        "org": org,
        "key": signer.public_key.hex(),
        "roles": list(ordered),
        "possession": prove_possession(signer, None, org, ordered).hex(),
    }
    return (json.dumps(card, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def read_member_card(path: Path, genesis_hash: bytes | None = None) -> tuple[Member, bytes, str]:
    """A member card: the member, its certificate (DER) and the name of its suite; everything in it is checked. It must
    have been made for a genesis, or for that chain.

    Raises:
        Misuse: ``bad-card``, ``card-of-another-chain``, ``bad-certificate``.
    """
    card = _read_card(path, MEMBER_FORMAT, _MEMBER_FIELDS)
    try:
        certificate = base64.b64decode(_text(card, "tls_certificate", 4 * MAX_CERTIFICATE_BYTES), validate=True)
        roles = _roles(card)
        suite = suite_named(_text(card, "suite"))
        member = Member(
            _text(card, "org"),
            _text(card, "name_zh"),
            _text(card, "name_en"),
            roles,
            bytes.fromhex(_text(card, "key")),
            tls_fingerprint(certificate),
            _text(card, "p2p_address"),
            _text(card, "gateway_url"),
            bytes.fromhex(_text(card, "possession")),
        )
        split_address(member.p2p_address)
        GatewayUrl.parse(member.gateway_url)
        Member.from_value(member.to_value())
        proven = roles if genesis_hash is None else seat_roles(roles)
        verify_possession(suite, genesis_hash, member.org, member.key, proven, member.possession)
    except (ValueError, FazhiError) as error:
        if genesis_hash is not None and isinstance(error, InvalidSignature):
            raise Misuse("card-of-another-chain", path=str(path)) from None
        raise Misuse("bad-card", path=str(path), reason=str(error)) from None
    check_certificate(certificate, server_name(member.org))
    return member, certificate, suite.name


def read_officer_card(path: Path, suite: Suite, genesis_hash: bytes | None = None) -> Officer:
    """An officer's card, checked; made for a genesis, or for that chain.

    Raises:
        Misuse: ``bad-card``, ``officer-card-of-another-chain``.
    """
    card = _read_card(path, OFFICER_FORMAT, _OFFICER_FIELDS)
    try:
        officer = Officer(
            _text(card, "org"),
            bytes.fromhex(_text(card, "key")),
            _roles(card),
            bytes.fromhex(_text(card, "possession")),
        )
        Officer.from_value(officer.to_value())
        verify_possession(suite, genesis_hash, officer.org, officer.key, officer.roles, officer.possession)
    except (ValueError, FazhiError) as error:
        if genesis_hash is not None and isinstance(error, InvalidSignature):
            raise Misuse("officer-card-of-another-chain", path=str(path)) from None
        raise Misuse("bad-card", path=str(path), reason=str(error)) from None
    return officer


def _read_card(path: Path, card_format: str, fields: frozenset[str]) -> dict[str, Any]:
    data = read_bounded(path, MAX_CARD_BYTES)
    try:
        card = json.loads(data.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise Misuse("bad-card", path=str(path), reason=str(error)) from None
    if not isinstance(card, dict) or card.get("format") != card_format:
        raise Misuse("bad-card", path=str(path), reason=f"format is not {card_format}")
    if set(card) != fields:
        odd = sorted(set(card) ^ fields)
        raise Misuse("bad-card", path=str(path), reason=f"missing or unknown field {odd[0]}")
    return card


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a field stands twice")
    return result


def _text(card: dict[str, Any], field: str, max_chars: int = 1024) -> str:
    value = card[field]
    if not isinstance(value, str) or len(value) > max_chars:
        raise ValueError(f"{field} is not a text of at most {max_chars} characters")
    return value


def _roles(card: dict[str, Any]) -> tuple[str, ...]:
    roles = card["roles"]
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise ValueError("roles is not a list of names")
    return tuple(roles)


def built_in_rule_sets(procedures: Sequence[str]) -> list[tuple[str, bytes]]:
    """Compiled rule sets of built-in procedures, each with its procedure: of every version of the law.

    Raises:
        Misuse: ``unknown-procedure``.
    """
    from fazhi_contracts.builtin import BUILTIN_PROCEDURES, load_builtin_versions

    for procedure in procedures:
        if procedure not in BUILTIN_PROCEDURES:
            raise Misuse("unknown-procedure", name=procedure, known=", ".join(BUILTIN_PROCEDURES))
    named = dict.fromkeys(procedures)
    return [(procedure, rules.encode()) for procedure in named for rules in load_builtin_versions(procedure)]


def assemble_genesis(
    cards: Sequence[Path],
    officers: Sequence[Path],
    rule_sets: Iterable[tuple[str, bytes]],
    *,
    name: str,
    time_ms: int,
    parameters: Mapping[str, int],
) -> GenesisFile:
    """The genesis file of a consortium: members in order of their organisation ids, whatever the order of the cards.

    ``rule_sets`` are compiled rule sets, each with its procedure. The same cards, time and parameters give the same
    file on every machine.

    Raises:
        Misuse: a bad card, cards of several suites, an organisation twice, or whatever else does not hold together.
    """
    read = sorted((read_member_card(path) for path in cards), key=lambda card: card[0].org)
    suites = sorted({suite for _, _, suite in read})
    if len(suites) != 1:
        raise Misuse("several-suites", suites=", ".join(suites))
    suite = suite_named(suites[0])
    known = sorted(
        (read_officer_card(path, suite) for path in officers), key=lambda officer: (officer.org, officer.key)
    )
    ordered = sorted((procedure, rule_set_hash(suite, data), data) for procedure, data in rule_sets)
    try:
        genesis = Genesis(
            name=name,
            suite_name=suite.name,
            time_ms=time_ms,
            parameters=Parameters.defaults(parameters),
            members=tuple(member for member, _, _ in read),
            officers=tuple(known),
            rule_sets=tuple((procedure, digest) for procedure, digest, _ in ordered),
        )
        file = GenesisFile(
            genesis.encode(), tuple(data for _, _, data in ordered), tuple(certificate for _, certificate, _ in read)
        )
        return GenesisFile.decode(file.encode())
    except FazhiError as error:
        raise Misuse("bad-genesis", reason=str(error)) from None
