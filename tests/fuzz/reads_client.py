"""The readers of the SDK and of the command: drafts, addresses, a gateway's answers, rows of the outbox, arguments."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fazhi_cli import inputs
from fazhi_cli.complaints import complaint
from fazhi_cli.exits import Exit, Misuse, exit_of
from fazhi_cli.main import build
from fazhi_ledger.archive import write_archive
from fazhi_ledger.canonical import encode
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.receipt import RecordReceipt
from fazhi_ledger.receipt_steps import VALID, check_receipt
from fazhi_sdk import trust
from fazhi_sdk.aio.delivery import Word, _words
from fazhi_sdk.aio.filing import digest_of, genesis_file
from fazhi_sdk.aio.gateways import Answer, parse_url
from fazhi_sdk.audit import audit
from fazhi_sdk.drafts import MAGIC, DraftData
from fazhi_sdk.errors import DraftError, InputError, OutboxError, SdkError
from fazhi_sdk.outbox_rows import Entry, entry_of, openings_row, row_openings
from fazhi_sdk.receipts import build_receipt
from fazhi_sdk.trust import Trust

from tests.client_sdk.chains import build_chain
from tests.client_sdk.parts import draft, signer
from tests.ledger.builders import World
from tests.ledger.test_formats import FILE

from .reads_ledger import ARCHIVE_PARTS, GENESIS_HASH, RECEIPT_FILES, proves_the_same
from .scratch import in_a_file
from .target import Parts, Target, Violation

_URL: Final = "https://gateway"
_WORLD: Final = World()
_FILE: Final = GenesisFile(_WORLD.genesis.encode(), (), ())
_DRAFT: Final = draft().at(bytes(16), 7)
_DRAFTS: Final = [
    _DRAFT.encode(),
    _DRAFT.signed().encode(),
    draft().cosign(signer(2)).at(b"l" * 16, 0).signed().encode(),
]
_ROW: Final = encode(tuple(opening.to_value() for opening in _WORLD.openings))
_CHAIN_FILE, _BLOCKS = build_chain(blocks=3, items_a_block=4)
_ARCHIVE: Final = b"".join(write_archive(_CHAIN_FILE.encode(), _BLOCKS))
_CLEAN: Final = {
    height: audit(write_archive(_CHAIN_FILE.encode(), _BLOCKS[:height]), _CHAIN_FILE.hash(), processes=0)
    for height in range(len(_BLOCKS) + 1)
}


def _proof() -> bytes:
    """What a gateway answers when it is asked for the proof of a submission."""
    receipt = _WORLD.receipt()
    given = json.loads(receipt.to_json())
    kept = {
        name: given[name]
        for name in given
        if name not in ("format", "version", "genesis", "docket", "openings", "anchor")
    }
    return json.dumps(kept).encode()


_PROOF: Final = _proof()
_WORDS: Final = json.dumps(
    {
        "results": [
            {
                "id": _WORLD.items[1].id(_WORLD.suite).hex(), "status": "invalid", "height": None, "index": None,
                "code": "bad-seq", "parameters": {"expected": 7, "what": "seq"}, "error": None, "proof": {},
            }
        ]
    }
).encode()  # fmt: skip


def _answer(data: bytes) -> trust.Fields:
    return trust.Fields(Answer(_URL, 200, data, None).json(), _URL)


def _decided(data: bytes) -> tuple[bytes, bytes]:
    """What the SDK believes of a gateway's proof; what it believes is what was decided."""
    decided = Trust(_FILE).decided(_answer(data), _WORLD.items[1].id(_WORLD.suite))
    return decided.header_bytes, decided.result_bytes


def _truly(data: bytes, found: tuple[bytes, bytes]) -> None:
    if found != (_WORLD.header.encode(), _WORLD.results[1]):
        raise Violation("the SDK believes what nobody decided")


def _told(data: bytes) -> list[Word]:
    return _words(Answer(_URL, 200, data, None), [_WORLD.items[1].id(_WORLD.suite)])


def _can_be_kept(_: bytes, words: list[Word]) -> None:
    """What the outbox keeps of a gateway's word, it can read again."""
    for word in words:
        word.code.encode("utf-8")
        if _entry(encode(word.parameters)).parameters != word.parameters:
            raise Violation("a gateway's word does not come back out of the outbox")


def _receipted(data: bytes) -> bytes:
    return build_receipt(Trust(_FILE), _answer(data), None).data


def _entry(data: bytes) -> Entry:
    """A row of the outbox whose parameters are these bytes."""
    row = dict.fromkeys((one.name for one in dataclasses.fields(Entry)), 0)
    return entry_of({**row, "parameters": data})


def _problem(data: bytes) -> tuple[str, str]:
    return Answer(_URL, 400, data, None).problem()


def _audited(data: bytes) -> Any:
    report = audit([data], _CHAIN_FILE.hash(), processes=0)
    return report if report.clean else None


def _a_part_of_the_chain(data: bytes, report: Any) -> None:
    """What audits as clean is the chain, or its beginning (SECURITY.md): the same blocks up to the height."""
    if report is None:
        return
    right = _CLEAN.get(report.height)
    if right is None or (report.head_hash, report.state_root) != (right.head_hash, right.state_root):
        raise Violation("another chain audits as clean")


def _commanded(path: Path) -> bytes | None:
    """``fazhi verify`` of a file: exit codes as documented, nothing but sentences or JSON printed; what it called
    valid.
    """
    data = path.read_bytes()
    given = ["verify", str(path), "--genesis-hash", GENESIS_HASH.hex(), *(["--json"] if len(data) % 2 else [])]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            options = build(given, "en").parse_args(given)
            code = int(options.run(options, "en"))
    except FazhiError as error:
        code = int(exit_of(error))
        complaint(error, "en")
    if code not in (Exit.OK, Exit.NOT_VALID, Exit.UNDECIDED):
        raise Violation(f"exit code {code}")
    if len(data) % 2:
        told = json.loads(printed.getvalue())
        if (told["verdict"] == "VALID") != (code == Exit.OK):
            raise Violation("the exit code says something else than the JSON")
    return data if code == Exit.OK else None


def _truly_valid(data: bytes, found: bytes | None) -> None:
    if (found is not None) != (check_receipt(data, GENESIS_HASH).verdict == VALID):
        raise Violation("the command says something else than the ledger")
    if found is not None:
        proves_the_same(data, RecordReceipt.from_json(found))


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


TARGETS: Final = (
    Target(
        "draft", _DRAFTS, DraftData.decode,
        ("fazhi_sdk.drafts:DraftData.decode", "fazhi_sdk.drafts:RecordDraft.from_value"), refuses=(DraftError,),
        again=lambda found: found.encode(),
        parts=Parts(lambda data: [data[len(MAGIC) :]], lambda parts: MAGIC + b"".join(parts)),
    ),
    Target(
        "gateway's address", [b"https://127.0.0.1:7443", b"http://localhost", b"https://[::1]:1/"], _text(parse_url),
        ("fazhi_sdk.aio.gateways:parse_url",), refuses=(InputError,), form="text",
        holds=lambda _, found: parse_url(found) == found,
    ),
    Target("gateway's problem", [b'{"code": "busy", "detail": "x"}', b"[1]"], _problem, (), refuses=(), form="json"),
    Target(
        "gateway's proof", [_PROOF], _decided, (), refuses=(SdkError,), holds=_truly, form="json",
    ),
    Target("gateway's words", [_WORDS], _told, (), refuses=(SdkError,), holds=_can_be_kept, form="json"),
    Target("gateway's receipt", [_PROOF], _receipted, (), refuses=(SdkError,), form="json"),
    Target(
        "served genesis", [FILE.encode()], lambda data: genesis_file(data, FILE.hash(), _URL), (),
        refuses=(SdkError,), again=lambda found: found.encode(),
    ),
    Target(
        "row of openings", [_ROW], row_openings, ("fazhi_sdk.outbox_rows:row_openings",),
        refuses=(OutboxError,), again=openings_row,
    ),
    Target(
        "row of an entry", [encode((("days", 3), ("step", "INVEST"))), encode(())], _entry,
        ("fazhi_sdk.outbox_rows:entry_of",), refuses=(OutboxError,), again=lambda found: encode(found.parameters),
    ),
    Target("digest given", [b"ab" * 32], _text(digest_of), (), refuses=(InputError,), form="text"),
    Target(
        "digest on the command line", [b"ab" * 32], _text(lambda text: inputs.digest(text, "--genesis-hash")),
        ("fazhi_cli.inputs:digest",), refuses=(Misuse,), form="text",
    ),
    Target("fazhi verify", RECEIPT_FILES, in_a_file(_commanded), (), refuses=(), holds=_truly_valid, form="receipt"),
    Target("audit", [_ARCHIVE], _audited, (), refuses=(), holds=_a_part_of_the_chain, parts=ARCHIVE_PARTS),
)  # fmt: skip
