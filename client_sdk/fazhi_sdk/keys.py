"""Keys of officers and devices: encrypted files (PKCS#8, RFC 5958), and the card by which a key asks to be registered.

Anything with ``public_key`` and ``sign(message)`` is a signer (:class:`fazhi_ledger.keys.Signer`): a token or an HSM
fits where :class:`FileSigner` does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Final

from fazhi_ledger.genesis import prove_possession
from fazhi_ledger.keys import Signer, SoftwareSigner
from fazhi_ledger.suites import ED25519_SHA256, suite_named

from .errors import InputError
from .files import read_bounded, write_private

Passphrase = bytes | str | Callable[[], bytes | str] | None
"""A passphrase, something that asks for it, or None for a key in the clear (test networks only)."""

MAX_KEY_FILE_BYTES: Final = 64 * 1024
OFFICER_FORMAT: Final = "fazhi-officer-card/1"


class FileSigner(SoftwareSigner):
    """A signer whose key lies in an encrypted file."""

    __slots__ = ()

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], passphrase: Passphrase = None, *, suite: str = ED25519_SHA256.name
    ) -> FileSigner:
        """Open a key file; ``passphrase`` may be a function that asks for it.

        Raises:
            InputError: ``bad-key-file`` where the file cannot be read.
            InvalidKey: ``wrong-passphrase`` and the like.
        """
        try:
            pem = read_bounded(path, MAX_KEY_FILE_BYTES)
        except OSError as error:
            raise InputError("bad-key-file", path=os.fspath(path), reason=os.strerror(error.errno or 0)) from None
        loaded = SoftwareSigner.from_pem(suite_named(suite), pem, _bytes(passphrase))
        return cls(suite_named(suite), loaded._secret)

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], passphrase: Passphrase, *, suite: str = ED25519_SHA256.name
    ) -> FileSigner:
        """Make a new key and write its file, mode 0600; a file that exists is left alone.

        Raises:
            InputError: ``file-exists``.
        """
        if os.path.lexists(path):
            raise InputError("file-exists", path=os.fspath(path))
        signer = cls(suite_named(suite), suite_named(suite).generate_secret())
        write_private(path, signer.to_pem(_bytes(passphrase)))
        return signer


def _bytes(passphrase: Passphrase) -> bytes | None:
    given = passphrase() if callable(passphrase) else passphrase
    return given.encode() if isinstance(given, str) else given


def officer_card(signer: Signer, org: str, roles: Iterable[str], genesis_hash: bytes | None = None) -> bytes:
    """The card by which a key asks to be registered for ``org``, as JSON.

    Without ``genesis_hash`` it is for a genesis (``fazhi-node genesis --officer CARD``); the possession that it proves
    is bound to organisation, roles and, where given, the chain.
    """
    ordered = tuple(sorted(set(roles)))
    card = {
        "format": OFFICER_FORMAT,
        "org": org,
        "key": signer.public_key.hex(),
        "roles": list(ordered),
        "possession": prove_possession(signer, genesis_hash, org, ordered).hex(),
    }
    return (json.dumps(card, ensure_ascii=False, indent=2) + "\n").encode()
