"""Every reader of bytes in the packages, in one table. ``test_registry.py`` fails where one is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.conftest import ROOT

from . import reads_chain, reads_client, reads_ledger, reads_node, reads_trails
from .target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for part in (reads_ledger, reads_chain, reads_node, reads_client, reads_trails)
    for target in part.TARGETS
}

FOLDERS: Final = ("ledger", "consensus", "contracts", "client_sdk", "node", "cli")
READS: Final = re.compile(
    r"(decode\w*|decoded_\w+|\w*from_value\w*|from_json|from_pem|parse\w*|read_\w+|unpack\w*|replay|load\w*|unframe"
    r"|split_address|parts_of|row_openings|strings_of|block_parts|language_of|\w+_of_row|entry_of|kept_of|digest)"
)
"""Names of functions that make something of bytes or of text from elsewhere."""

ELSEWHERE: Final[dict[str, str]] = {
    "fazhi_contracts.builtin:load_builtin_rule_set": "reads a file of the package itself; its TOML is a target",
    "fazhi_contracts.builtin:load_builtin_versions": "reads files of the package itself; their TOML is a target",
    "fazhi_ledger.receipt_steps:decoded_genesis": "Genesis.decode, remembered",
    "fazhi_ledger.receipt_steps:decoded_handover": "targets 'receipt verified' and 'trail verified'",
    "fazhi_contracts.state:Overlay.load": "read_entry, remembered",
    "fazhi_sdk.aio.case:Draft.load": "DraftData.decode of a file",
    "fazhi_sdk.sync:Draft.load": "DraftData.decode of a file",
    "fazhi_sdk.drafts:load_draft": "DraftData.decode of a file",
    "fazhi_sdk.aio.gateways:Gateways.read_several": "asks gateways; their answers are targets",
    "fazhi_sdk.audit_checks:read_frame": "a pipe whose both ends are this code",
    "fazhi_sdk.files:read_bounded": "gives the bytes as they are",
    "fazhi_sdk.keys:FileSigner.load": "SoftwareSigner.from_pem of a file",
    "fazhi_sdk.outbox_rows:kept_of": "row_openings, and columns that SQLite gives as they are",
    "fazhi_sdk.receipts:Receipt.load": "check_receipt of a file: target 'receipt verified'",
    "fazhi_sdk.cases:Trail.load": "check_trail of a file: target 'trail verified'",
    "fazhi_sdk.trust:Fields.digest": "targets 'gateway's proof' and 'gateway's receipt' read with Fields",
    "fazhi_node.main:read_passphrase": "an operator's own pass phrase, any bytes are one",
    "fazhi_node.prepare:load_genesis": "GenesisFile.decode of a file",
    "fazhi_node.prepare:load_signer": "SoftwareSigner.from_pem of a file",
    "fazhi_node.private_files:read_bounded": "gives the bytes as they are",
    "fazhi_node.storage.files:read_file": "gives the bytes as they are",
    "fazhi_node.queries:CaseAnswer.decoded_head": "CaseHead.decode of what the state holds",
    "fazhi_cli.case_filing:load_signers": "SoftwareSigner.from_pem of a file",
    "fazhi_cli.rules:read_document": "the TOML of a file: target 'rule set of TOML'",
    "fazhi_cli.rules:read_rules": "compile_rule_set of a file: target 'rule set of TOML'",
    "fazhi_cli.inputs:read_file": "gives the bytes as they are",
    "fazhi_cli.language:language_of": "two fixed words out of the arguments and the environment",
}
"""Functions whose names match and that need no target of their own, and why."""


@cache
def readers() -> tuple[str, ...]:
    """Every function of the packages that reads by its name, as ``module:qualified.name``."""
    return tuple(
        name
        for folder in FOLDERS
        for path in sorted((ROOT / folder).glob("fazhi_*/**/*.py"))
        for name in readers_of(path.read_text(encoding="utf-8"), _module(path.relative_to(ROOT / folder)))
    )


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def readers_of(source: str, module: str) -> Iterator[str]:
    """:func:`readers` of one file."""

    def walk(node: ast.AST, before: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                yield from walk(child, f"{before}{child.name}.")
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and READS.fullmatch(child.name):
                yield f"{module}:{before}{child.name}"

    yield from walk(ast.parse(source), "")
