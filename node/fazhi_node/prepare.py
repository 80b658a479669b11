"""Everything that ``run`` needs, read and checked before a socket or a store is opened, so that ``--check`` can stop
here.
"""

from __future__ import annotations

import contextlib
import functools
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fazhi_contracts.entries import MemberEntry
from fazhi_ledger.errors import FazhiError, InvalidKey
from fazhi_ledger.genesis import Genesis, GenesisFile, Member, tls_fingerprint
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.limits import MAX_GENESIS_FILE_BYTES

from .addresses import (
    NEXT_GUARD_NAME,
    NEXT_KEY_NAME,
    NEXT_TLS_CERTIFICATE_NAME,
    NEXT_TLS_KEY_NAME,
    NEXT_VOTES_NAME,
    PASSPHRASE_VARIABLE,
    STORE_NAME,
    VOTES_NAME,
)
from .config import Config, load
from .exits import Exit, Misuse, Stop
from .members import read_member_card
from .private_files import read_bounded
from .texts import Language
from .transport.identity import NotAMember, Peer, der_of

MAX_KEY_FILE_BYTES: Final = 16 * 1024
MAX_OWN_CARDS: Final = 64


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A TLS key and its certificate: PEM and DER, and the files that they stand in."""

    key: bytes
    certificate: bytes
    key_path: Path
    certificate_path: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A node that could be started: configuration, chain, keys.

    ``member`` is what the genesis says of it, or the card with which it asks for a seat. ``signers`` are its ledger key
    and, where there is one, the key that is to follow it; ``tls`` the like.
    """

    home: Path
    config: Config
    genesis_file: GenesisFile
    genesis: Genesis
    genesis_hash: bytes
    member: Member
    signers: tuple[SoftwareSigner, ...]
    tls: tuple[TlsPair, ...]

    @property
    def store_directory(self) -> Path:
        """Where the chain is kept."""
        return self.config.path(self.home, "data") / STORE_NAME

    @property
    def votes_directory(self) -> Path:
        """Where the vote log of the first key is kept."""
        return self.config.path(self.home, "data") / VOTES_NAME

    @property
    def guard(self) -> Path:
        """The guard of that vote log, beside the key."""
        return self.config.path(self.home, "guard")

    def vote_places(self) -> tuple[tuple[SoftwareSigner, Path, Path], ...]:
        """Each ledger key with its vote log and its guard."""
        later = (self.config.path(self.home, "data") / NEXT_VOTES_NAME, self.home / NEXT_GUARD_NAME)
        places = ((self.votes_directory, self.guard), later)
        return tuple((signer, *place) for signer, place in zip(self.signers, places, strict=False))

    def tls_for(self, certificate: bytes | None) -> TlsPair:
        """The pair of that certificate; the first one where there is none."""
        return next((pair for pair in self.tls if pair.certificate == certificate), self.tls[0])

    def peers(self, members: Iterable[MemberEntry]) -> tuple[Peer, ...]:
        """These members, as the transport sees them; an address of the configuration stands over that of the chain."""
        addresses = dict(self.config.peer_addresses)
        return tuple(
            Peer(member.org, addresses.get(member.org, member.p2p_address), member.certificate) for member in members
        )


def prepare(
    home: Path, genesis_path: Path | None, passphrase: Callable[[], bytes], language: Language | None
) -> Prepared:
    """Read and check everything of ``home``. ``passphrase`` is asked only where the key is encrypted.

    Raises:
        Misuse: with the one thing to correct.
        Stop: ``FOREIGN_DATA`` where key, certificate and genesis do not belong together.
    """
    changes: dict[str, Any] = {}
    if genesis_path is not None:
        changes["genesis"] = str(genesis_path.absolute())
    if language is not None:
        changes["lang"] = language
    config = load(home, changes)
    file, genesis, genesis_hash = load_genesis(config.path(home, "genesis"))
    cards = own_cards(home, config.org, genesis_hash)
    founding = genesis.member(config.org)
    if founding is None and not cards:
        raise Stop(Exit.FOREIGN_DATA, "not-a-member", org=config.org, genesis=genesis_hash.hex())
    known = (*cards, *((founding,) if founding is not None else ()))
    signers: list[SoftwareSigner] = []
    passphrase = functools.cache(passphrase)
    for key_path in (config.path(home, "key"), home / NEXT_KEY_NAME):
        if signers and not key_path.exists():
            continue
        _refuse_exposed(key_path)
        signers.append(load_signer(key_path, genesis, passphrase))
        if signers[-1].public_key not in {member.key for member in known}:
            raise Stop(Exit.FOREIGN_DATA, "other-key", path=str(key_path), org=config.org)
    places = tls_places(home, config)
    pairs = tuple(_load_tls(*place, config.org, known) for place in places)
    return Prepared(home, config, file, genesis, genesis_hash, founding or cards[0], tuple(signers), pairs)


def tls_places(home: Path, config: Config) -> list[tuple[Path, Path]]:
    """Where TLS keys and their certificates lie: those in use, and those that wait for their vote."""
    first = (config.path(home, "tls_key"), config.path(home, "tls_certificate"))
    following = (home / NEXT_TLS_KEY_NAME, home / NEXT_TLS_CERTIFICATE_NAME)
    if not following[1].exists():
        return [first]
    # `renew --finish` moves the key first: between the two the certificate belongs to the key that is in its place.
    return [first, following] if following[0].exists() else [(first[0], following[1])]


def own_cards(home: Path, org: str, genesis_hash: bytes) -> tuple[Member, ...]:
    """What the member has asked for on this chain: its sound cards in ``home``, by name. Whatever else is there is
    passed over, be it the cards of all others."""
    found = []
    cards = sorted(home.glob("*.card"), key=lambda path: (not path.name.startswith(org), path.name))
    for path in cards[:MAX_OWN_CARDS]:
        with contextlib.suppress(Misuse):
            member, _, _ = read_member_card(path, genesis_hash)
            if member.org == org:
                found.append(member)
    return tuple(found)


def load_genesis(path: Path) -> tuple[GenesisFile, Genesis, bytes]:
    """A genesis file and its hash.

    Raises:
        Misuse: ``no-genesis``, ``bad-genesis-file``.
    """
    if not path.exists():
        raise Misuse("no-genesis", path=str(path))
    data = read_bounded(path, MAX_GENESIS_FILE_BYTES)
    try:
        file = GenesisFile.decode(data)
        return file, file.genesis, file.hash()
    except FazhiError as error:
        raise Misuse("bad-genesis-file", path=str(path), reason=str(error)) from None


def load_signer(path: Path, genesis: Genesis, passphrase: Callable[[], bytes]) -> SoftwareSigner:
    """The signer of a key file.

    Raises:
        Misuse: ``wrong-passphrase``, ``bad-key-file``.
    """
    pem = read_bounded(path, MAX_KEY_FILE_BYTES)
    try:
        return SoftwareSigner.from_pem(genesis.suite, pem, passphrase() if b"ENCRYPTED" in pem else None)
    except InvalidKey as error:
        if error.code in ("wrong-passphrase", "needs-passphrase"):
            raise Misuse("wrong-passphrase", path=str(path), variable=PASSPHRASE_VARIABLE) from None
        raise Misuse("bad-key-file", path=str(path), reason=error.code) from None


def _load_tls(key_path: Path, certificate_path: Path, org: str, known: tuple[Member, ...]) -> TlsPair:
    import ssl

    _refuse_exposed(key_path)
    key = read_bounded(key_path, MAX_KEY_FILE_BYTES)
    pem = read_bounded(certificate_path, MAX_KEY_FILE_BYTES)
    try:
        certificate = der_of(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_path, key_path, password=lambda: b"")
    except (NotAMember, ssl.SSLError, ValueError) as error:
        raise Misuse("bad-tls", key=str(key_path), certificate=str(certificate_path), reason=str(error)) from None
    if tls_fingerprint(certificate) not in {member.tls_fingerprint for member in known}:
        raise Stop(Exit.FOREIGN_DATA, "other-certificate", path=str(certificate_path), org=org)
    return TlsPair(key, certificate, key_path, certificate_path)


def _refuse_exposed(path: Path) -> None:
    """A key that others on the machine can read is no secret (a container's mount shows here, not in an incident
    report).
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # the reading after this says it better
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise Misuse("exposed-key", path=str(path))
