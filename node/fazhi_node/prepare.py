"""Everything that ``run`` needs, read and checked before a socket or a store is opened, so that ``--check`` can stop
here.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fazhi_ledger.errors import FazhiError, InvalidKey
from fazhi_ledger.genesis import Genesis, GenesisFile, Member
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.limits import MAX_GENESIS_FILE_BYTES

from .addresses import PASSPHRASE_VARIABLE, STORE_NAME, VOTES_NAME
from .config import Config, load
from .exits import Exit, Misuse, Stop
from .private_files import read_bounded
from .texts import Language
from .transport.identity import NotAMember, Peer, der_of

MAX_KEY_FILE_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A node that could be started: configuration, chain, keys. ``tls_key`` is PEM, ``tls_certificate`` DER."""

    home: Path
    config: Config
    genesis_file: GenesisFile
    genesis: Genesis
    genesis_hash: bytes
    member: Member
    signer: SoftwareSigner
    tls_key: bytes
    tls_certificate: bytes

    @property
    def store_directory(self) -> Path:
        """Where the chain is kept."""
        return self.config.path(self.home, "data") / STORE_NAME

    @property
    def votes_directory(self) -> Path:
        """Where the vote log is kept."""
        return self.config.path(self.home, "data") / VOTES_NAME

    @property
    def guard(self) -> Path:
        """The guard of the vote log, beside the key."""
        return self.config.path(self.home, "guard")

    def peers(self) -> tuple[Peer, ...]:
        """All members, as the transport sees them; an address of the configuration stands over that of the genesis."""
        addresses = dict(self.config.peer_addresses)
        return tuple(
            Peer(member.org, addresses.get(member.org, member.p2p_address), certificate)
            for member, certificate in zip(self.genesis.members, self.genesis_file.certificates, strict=True)
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
    member = genesis.member(config.org)
    if member is None:
        raise Stop(Exit.FOREIGN_DATA, "not-a-member", org=config.org, genesis=genesis_hash.hex())
    for org, _ in config.peer_addresses:
        if genesis.member(org) is None:
            raise Misuse("unknown-peer", org=org, known=", ".join(each.org for each in genesis.members))
    key_path = config.path(home, "key")
    _refuse_exposed(key_path)
    signer = load_signer(key_path, genesis, passphrase)
    if signer.public_key != member.key:
        raise Stop(Exit.FOREIGN_DATA, "other-key", path=str(key_path), org=config.org)
    tls_key, certificate = _load_tls(config, home, member)
    return Prepared(home, config, file, genesis, genesis_hash, member, signer, tls_key, certificate)


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


def _load_tls(config: Config, home: Path, member: Member) -> tuple[bytes, bytes]:
    import ssl

    key_path, certificate_path = config.path(home, "tls_key"), config.path(home, "tls_certificate")
    _refuse_exposed(key_path)
    key = read_bounded(key_path, MAX_KEY_FILE_BYTES)
    pem = read_bounded(certificate_path, MAX_KEY_FILE_BYTES)
    try:
        certificate = der_of(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_path, key_path, password=lambda: b"")
    except (NotAMember, ssl.SSLError, ValueError) as error:
        raise Misuse("bad-tls", key=str(key_path), certificate=str(certificate_path), reason=str(error)) from None
    if Peer(member.org, "", certificate).fingerprint != member.tls_fingerprint:
        raise Stop(Exit.FOREIGN_DATA, "other-certificate", path=str(certificate_path), org=member.org)
    return key, certificate


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
