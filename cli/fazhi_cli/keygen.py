"""``fazhi keygen``: a key for an officer or a device in an encrypted file, and the card that asks for its place.

The card proves that whoever holds the key asks for this organisation and these roles: for a genesis, or, with the
hash of a running chain, for that chain (where a member registers it).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fazhi_ledger.names import NAME, ORG
from fazhi_ledger.suites import ED25519_SHA256

from . import passphrases
from .exits import Exit, Misuse
from .inputs import digest
from .keygen_texts import KEYGEN
from .language import Language, choose
from .parser import Parser


def configure(parser: Parser) -> None:
    """Declare the options."""
    parser.argument("path", metavar="FILE", help=parser.text("keygen-file"))
    parser.option("--org", metavar="ORG", help=parser.text("keygen-org"))
    parser.option("--role", action="append", default=[], metavar="ROLE", help=parser.text("keygen-role"))
    parser.option("--genesis-hash", metavar="HEX", help=parser.text("keygen-genesis"))
    parser.option("--no-passphrase", action="store_true", help=parser.text("no-passphrase"))
    passphrases.declare(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, language: Language) -> int:
    """Make the key; nothing that exists is overwritten."""
    roles = _roles(options)
    genesis_hash = None if options.genesis_hash is None else digest(options.genesis_hash, "--genesis-hash")
    path, card = Path(options.path), Path(options.path).with_suffix(".card")
    for target in (path, card) if roles else (path,):
        if target.exists() or target.is_symlink():
            raise Misuse("file-exists", path=str(target))
    if not path.parent.is_dir():
        raise Misuse("no-folder", path=str(path.parent))
    from fazhi_sdk.files import write_atomically
    from fazhi_sdk.keys import FileSigner, officer_card

    passphrase = None if options.no_passphrase else passphrases.new(options, language)
    signer = FileSigner.create(path, passphrase)
    _say("made", language, path=path, suite=ED25519_SHA256.name)
    if passphrase is None:
        _say("clear", language)
    if roles:
        write_atomically(card, officer_card(signer, options.org, roles, genesis_hash))
        where = "card-chain" if genesis_hash is not None else "card-genesis"
        _say(where, language, path=card, org=options.org, roles=", ".join(roles))
    print(signer.public_key.hex())
    return Exit.OK


def _roles(options: argparse.Namespace) -> tuple[str, ...]:
    """The roles asked for, sorted; none where only a key is wanted.

    Raises:
        Misuse: an organisation without roles, roles without organisation, or names out of the grammar.
    """
    if (options.org is None) != (not options.role):
        raise Misuse("org-and-roles")
    if options.org is None and options.genesis_hash is not None:
        raise Misuse("org-and-roles")
    if options.org is not None and ORG.fullmatch(options.org) is None:
        raise Misuse("bad-org", org=options.org)
    for role in options.role:
        if NAME.fullmatch(role) is None:
            raise Misuse("bad-role", role=role)
    return tuple(sorted(set(options.role)))


def _say(code: str, language: Language, **values: object) -> None:
    print(choose(KEYGEN[code], language).format(**values), file=sys.stderr)
