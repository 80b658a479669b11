"""``fazhi-node renew``: another ledger key, TLS certificate or address for a member that exists, and the card on which
the others vote. Nothing is used before they have.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fazhi_contracts.queries import member_entry, validator_sets
from fazhi_contracts.state import StateView
from fazhi_ledger.keys import SoftwareSigner

from .addresses import (
    NEXT_GUARD_NAME,
    NEXT_KEY_NAME,
    NEXT_TLS_CERTIFICATE_NAME,
    NEXT_TLS_KEY_NAME,
    NEXT_VOTES_NAME,
    GatewayUrl,
    split_address,
)
from .certificates import make_certificate
from .exits import Misuse
from .members import Identity, create_vote_log, member_card
from .offline import open_stopped
from .prepare import Prepared, prepare
from .private_files import write_new
from .service_stops import stop_of
from .storage.errors import StorageError, from_os_error
from .storage.files import RealFiles
from .texts import Language
from .transport.identity import pem_of, server_name


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is to change; ``url`` and ``p2p`` where they do."""

    key: bool
    tls: bool
    url: GatewayUrl | None
    p2p: str | None


def renew(home: Path, passphrase: Callable[[], bytes], language: Language | None, what: Renewal) -> Path:
    """Make what is asked for, and the card that names it; the card's path.

    Raises:
        Misuse: ``nothing-to-renew``, ``renewal-not-finished``; see ``prepare``.
    """
    if not (what.key or what.tls or what.url or what.p2p):
        raise Misuse("nothing-to-renew")
    prepared = prepare(home, None, passphrase, language)
    member = prepared.member
    url = what.url or GatewayUrl.parse(member.gateway_url)
    p2p = what.p2p or member.p2p_address
    split_address(p2p)
    suite = prepared.genesis.suite
    identity = Identity(member.org, member.name_zh, member.name_en, (), url, p2p, suite)
    key_path, certificate_path = home / NEXT_KEY_NAME, home / NEXT_TLS_CERTIFICATE_NAME
    for wanted, path in ((what.key, key_path), (what.tls, certificate_path)):
        if wanted and path.exists():
            raise Misuse("renewal-not-finished", path=str(path))
    signer = SoftwareSigner.generate(suite) if what.key else prepared.signers[-1]
    tls_key, certificate = _new_tls(identity) if what.tls else (b"", prepared.tls[-1].certificate)
    card = next(path for number in range(1, 10_000) if not (path := home / f"{member.org}-{number}.card").exists())
    # The card first: a key that no card accounts for would keep the node from starting.
    write_new(card, member_card(identity, signer, certificate, prepared.genesis_hash), 0o644)
    if what.tls:
        (home / NEXT_TLS_KEY_NAME).unlink(missing_ok=True)  # of a renewal cut short: no certificate speaks of it
        write_new(home / NEXT_TLS_KEY_NAME, tls_key)
        write_new(certificate_path, pem_of(certificate), 0o644)
    if what.key:
        votes = prepared.config.path(home, "data") / NEXT_VOTES_NAME
        create_vote_log(votes, home / NEXT_GUARD_NAME, suite, signer.public_key)
        encrypted = b"ENCRYPTED" in prepared.config.path(home, "key").read_bytes()
        write_new(key_path, signer.to_pem(passphrase() if encrypted else None))
    return card


def _new_tls(identity: Identity) -> tuple[bytes, bytes]:
    host, _ = split_address(identity.p2p)
    hosts = dict.fromkeys(["localhost", "127.0.0.1", identity.url.host, host])
    return make_certificate(server_name(identity.org), list(hosts))


def finish(home: Path, passphrase: Callable[[], bytes], language: Language | None) -> tuple[str, ...]:
    """Put what a vote has brought into force in the place of what it replaced, which is deleted: a retired key is to be
    destroyed (design §5). The node is stopped, and cannot start meanwhile. What a crash cut short is gone on with; what
    was done before it is not done again.

    Raises:
        Misuse: ``nothing-to-finish``: the chain in this node's store does not hold the new key or certificate yet.
        Stop: the node runs, or the disk fails.
    """
    prepared = prepare(home, None, passphrase, language)
    try:
        chain = open_stopped(prepared.store_directory, prepared.config.store)
        try:
            done = put_in_place(prepared, chain)
        finally:
            chain.close()
    except StorageError as error:
        raise stop_of(error) from None
    except OSError as error:
        raise stop_of(from_os_error(error, "rename", home)) from None
    if not done:
        raise Misuse("nothing-to-finish")
    return tuple(done)


def put_in_place(prepared: Prepared, state: StateView) -> list[str]:
    """Carry out what the state at the tip says; the paths that hold something new. Each step is durable before the next
    one, and no harm is done where the last of them is never reached."""
    home, config, org = prepared.home, prepared.config, prepared.member.org
    (current, pending), member = validator_sets(state), member_entry(state, org)
    done = []
    in_force = [signer for signer in prepared.signers[1:] if current.index_of_key(signer.public_key) is not None]
    if in_force and pending is None:
        votes = config.path(home, "data") / NEXT_VOTES_NAME
        if votes.exists():
            shutil.rmtree(prepared.votes_directory, ignore_errors=True)
            _move(votes, prepared.votes_directory)
        if (home / NEXT_GUARD_NAME).exists():
            _move(home / NEXT_GUARD_NAME, prepared.guard)
        _move(home / NEXT_KEY_NAME, config.path(home, "key"))
        done.append(str(config.path(home, "key")))
    newest = prepared.tls[-1]
    waits = newest.certificate_path == home / NEXT_TLS_CERTIFICATE_NAME
    if waits and member is not None and member.certificate == newest.certificate:
        key, certificate = config.path(home, "tls_key"), config.path(home, "tls_certificate")
        if newest.key_path != key:
            _move(newest.key_path, key)
        _move(newest.certificate_path, certificate)
        done.append(str(certificate))
    return done


def _move(old: Path, new: Path) -> None:
    files = RealFiles()
    files.rename(old, new)
    files.sync_directory(new.parent)
    if old.parent != new.parent:
        files.sync_directory(old.parent)
