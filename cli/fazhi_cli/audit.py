"""``fazhi audit``: a whole chain recomputed from its genesis, out of an archive or from a node that is not trusted."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.errors import FazhiError

from . import connection, labels, progress, terminal
from .exits import Exit, Misuse
from .language import Language
from .messages import AUDIT
from .parser import Parser

if TYPE_CHECKING:
    from fazhi_contracts.chain import ExecutedBlock
    from fazhi_sdk.audit import AuditProgress, AuditReport, Fault

FORMAT: Final = "fazhi-audit/1"
CLEAN: Final = "CLEAN"
FAULTY: Final = "FAULTY"


def configure(parser: Parser) -> None:
    """Declare the options."""
    declare_source(parser)
    parser.option("--processes", type=int, metavar="N", help=parser.text("audit-processes"))
    parser.option("--json", action="store_true", help=parser.text("json"))
    parser.set_defaults(run=run)


def declare_source(parser: Parser) -> None:
    """Declare where the chain comes from."""
    parser.option("--archive", metavar="FILE", help=parser.text("audit-archive"))
    connection.declare(parser, outbox=False)


def run(options: argparse.Namespace, language: Language) -> int:
    """Audit and print; the exit code is the verdict."""
    report = audited(options, language)
    prose = sys.stdout
    if options.json:
        print(terminal.json_text(document(report, language)))
        prose = sys.stderr
    style = "good" if report.clean else "bad"
    first, *rest = lines(report, language)
    print(terminal.paint(first, style, prose), file=prose)
    for line in rest:
        print(line, file=prose)
    return Exit.OK if report.clean else Exit.NOT_VALID


def audited(
    options: argparse.Namespace, language: Language, observe: Callable[[ExecutedBlock], None] | None = None
) -> AuditReport:
    """Carry out the audit that the options ask for, with a progress bar.

    Raises:
        Misuse: no source or two, or an archive that cannot be opened.
        FazhiError: the node could not be reached, or broke off: nothing is decided then.
    """
    source = _Source(options)
    from fazhi_sdk.audit import audit

    with progress.bar("auditing", language, least=0) as counted:

        def show(now: AuditProgress) -> None:
            if counted is not None and source.total:
                counted(now.bytes_read, source.total)

        report = audit(
            source, source.genesis_hash, processes=getattr(options, "processes", None), progress=show, observe=observe
        )
    if source.broke_off is not None:
        raise source.broke_off
    return report


class _Source:
    """The bytes of the chain. What went wrong on the way to them is no fault of the chain, and is kept apart."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.broke_off: FazhiError | None = None
        self.genesis_hash = connection.genesis_hash(options)
        self.total = 0
        self._path: str | None = options.archive
        if self._path is None:
            try:
                self._nodes, self._tokens = connection.nodes(options), connection.tokens(options)
            except Misuse as error:
                raise Misuse("no-source", variable=connection.NODES) if error.code == "no-node" else error from None
        elif options.node:
            raise Misuse("archive-or-node")
        else:
            self.total = _size(self._path)

    def __iter__(self) -> Iterator[bytes]:
        from fazhi_sdk.errors import Outcome, SdkError

        try:
            yield from self._chunks()
        except SdkError as error:
            error.outcome = Outcome.READ
            self.broke_off = error
            raise
        except OSError as error:
            self.broke_off = Misuse("input-unreadable", path=str(self._path), reason=os.strerror(error.errno or 0))
            raise self.broke_off from None

    def _chunks(self) -> Iterator[bytes]:
        if self._path is None:
            from fazhi_sdk.sync import archive_chunks

            return archive_chunks(self._nodes, self.genesis_hash, token=self._tokens)
        from fazhi_sdk.audit import file_chunks

        return file_chunks(self._path)


def _size(path: str) -> int:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        raise Misuse("input-missing", path=path) from None
    if not stat.S_ISREG(found.st_mode):
        raise Misuse("input-directory" if stat.S_ISDIR(found.st_mode) else "input-not-a-file", path=path)
    return found.st_size


def _text(code: str, language: Language, **values: str | int) -> str:
    return ledger_messages.sentence((AUDIT,), code, values.items(), language)


def no_findings(language: Language) -> str:
    """That there are none, said rather than left out."""
    return _text("no-findings", language)


def reason(fault: Fault, language: Language) -> str:
    """Why the chain does not hold, as a sentence."""
    from fazhi_contracts.messages import explain
    from fazhi_sdk.messages import SENTENCES

    if fault.code in ledger_messages.MESSAGES:
        return ledger_messages.sentence((ledger_messages.MESSAGES,), fault.code, fault.parameters, language)
    happened = {code: pair for code, (pair, _) in SENTENCES.items()}
    if fault.code in happened:
        return ledger_messages.sentence((happened,), fault.code, fault.parameters, language)
    return ledger_messages.printable(explain(fault.code, fault.parameters, language))


def lines(report: AuditReport, language: Language) -> Iterator[str]:
    """The verdict, then what was counted."""
    height = terminal.number(report.height)
    if report.fault is None:
        yield _text("clean", language, height=height)
    else:
        at = terminal.number(report.fault.height)
        yield _text("faulty", language, height=at, reason=reason(report.fault, language))
        if report.height:
            yield "  " + _text("until", language, height=height)
        yield "  " + _text("genesis", language, hash=report.genesis_hash.hex())
        return
    yield "  " + _text(
        "counts",
        language,
        submissions=terminal.number(report.submissions),
        refused=terminal.number(report.refused),
        records=terminal.number(report.records),
        changes=report.membership_changes,
    )
    findings = " · ".join(f"{code} {terminal.number(count)}" for code, count in report.findings.items())
    if findings:
        yield "  " + _text("findings", language, count=terminal.number(report.finding_count), findings=findings)
    else:
        yield "  " + no_findings(language)
    time = labels.moment(report.head_time_ms, report.utc_offset_min)
    yield "  " + _text("head", language, hash=report.head_hash.hex(), root=report.state_root.hex(), time=time)
    yield "  " + _text(
        "effort",
        language,
        signatures=terminal.number(report.signatures),
        rate=terminal.number(round(report.signatures_per_s)),
        seconds=f"{report.seconds:.1f}",
    )
    yield "  " + _text("not-proven", language)
    yield "  " + _text("genesis", language, hash=report.genesis_hash.hex())


def document(report: AuditReport, language: Language) -> dict[str, Any]:
    """The outcome as JSON; keys are stable."""
    fault = report.fault
    return {
        "format": FORMAT,
        "verdict": CLEAN if fault is None else FAULTY,
        "fault": None
        if fault is None
        else {
            "height": fault.height,
            "code": fault.code,
            "parameters": dict(fault.parameters),
            "sentence": reason(fault, language),
        },
        "genesis_hash": report.genesis_hash.hex(),
        "genesis_hash_from": "user",
        "height": report.height,
        "head_hash": report.head_hash.hex(),
        "head_time_ms": report.head_time_ms,
        "state_root": report.state_root.hex(),
        "submissions": report.submissions,
        "refused": report.refused,
        "records": report.records,
        "membership_changes": report.membership_changes,
        "findings": report.findings,
        "signatures": report.signatures,
        "seconds": round(report.seconds, 3),
    }
