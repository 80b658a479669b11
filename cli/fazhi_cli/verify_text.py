"""The outcome of a verification as text: the verdict first, then what is recorded, the steps, and what is not proven.

The ledger shows that something was so recorded, by whom and when, and is unaltered since; never that it is true. All
that comes out of receipts and file names is shown through :func:`printable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.block_signers import block_signers
from fazhi_ledger.messages import printable
from fazhi_ledger.receipt_steps import Facts, PresentedFile, Report, StepOutcome
from fazhi_ledger.record import member_of
from fazhi_ledger.result import Finding

from . import labels, terminal
from .language import Language
from .messages import VERIFY

if TYPE_CHECKING:
    from fazhi_contracts.procedures.ruleset import RuleSet
    from fazhi_ledger.canonical import Value

WRAP_COLUMNS: Final = 100
_ALWAYS_UNPROVEN: Final = ("content-truth", "before-chain", "declared-times", "whole-case", "roles-since", "old-keys")

SHOWN_CHARS: Final = 200
"""Of a disclosed value; `--json` has all of it."""


def _text(code: str, language: Language, **values: str | int) -> str:
    return ledger_messages.sentence((VERIFY,), code, values.items(), language)


def reason(step: StepOutcome, language: Language) -> str:
    """Why a step did not pass, as a sentence; nothing where it passed."""
    if not step.code:
        return ""
    return ledger_messages.sentence((ledger_messages.MESSAGES,), step.code, step.parameters, language)


def step_name(step: StepOutcome, language: Language) -> str:
    """The step's name."""
    return ledger_messages.sentence((ledger_messages.MESSAGES,), f"step-{step.name}", (), language)


def summary(report: Report[Facts], language: Language) -> str:
    """The verdict in one line."""
    failed = report.failed
    if failed is None:
        return _text("valid", language)
    where = _text("failed-at", language, number=failed.number, step=step_name(failed, language))
    return f"{_text('invalid', language)}  {where}{reason(failed, language)}"


def not_a_party(facts: Facts) -> tuple[str, ...]:
    """The signing members whose own affair the record is not."""
    return tuple(one.org for one in block_signers(facts) if not one.is_party)


def not_proven(facts: Facts | None) -> tuple[str, ...]:
    """Codes of what the verdict does not say."""
    if facts is None:
        return ()
    if any(file.presented_as is None for file in facts.files):
        return ("files-not-given", *_ALWAYS_UNPROVEN)
    return _ALWAYS_UNPROVEN


def finding_sentence(finding: Finding, language: Language) -> str:
    """A finding's sentence."""
    from fazhi_contracts.messages import explain

    return printable(explain(finding.code, finding.parameters, language))


def lines(
    report: Report[Facts], genesis_hash: bytes, files: Sequence[PresentedFile], language: Language, stream: TextIO
) -> Iterator[str]:
    """The whole text."""
    facts = report.facts
    if facts is None:
        yield terminal.paint(summary(report, language), "bad", stream)
    else:
        yield from _verdict(files, language, stream)
        yield from _facts(facts, language)
    yield ""
    yield from _steps(report, language)
    if facts is not None:
        yield from _unproven(facts, language)
    yield "  " + _text("genesis", language, hash=genesis_hash.hex())


def _verdict(files: Sequence[PresentedFile], language: Language, stream: TextIO) -> Iterator[str]:
    verdict = _text("valid", language)
    shown = [_presented(file, language) for file in files] or [_text("no-file-given", language)]
    yield f"{terminal.paint(verdict, 'good', stream)}    {shown[0]}"
    for line in shown[1:]:
        yield " " * (terminal.width(verdict) + 4) + line


def _presented(file: PresentedFile, language: Language) -> str:
    """A presented file, with the digests under which it was compared."""
    digests = ", ".join(f"{name} {value.hex()[:16]}…" for name, value in sorted(file.digests.items()))
    return _text("file", language, name=file.label, bytes=terminal.number(file.length), digests=digests)


def _facts(facts: Facts, language: Language) -> Iterator[str]:
    genesis, record = facts.genesis, facts.record
    offset = genesis.parameters.get("utc_offset_min")
    rules = labels.rule_set_of(genesis, record.procedure)
    docket = facts.docket_number
    yield "  " + _text(
        "case",
        language,
        number=_text("undisclosed", language) if docket is None else contained(docket, 64),
        step=labels.step_label(rules, record.step, language),
        place=facts.number_in_case,
        org=labels.organisation(genesis, facts.org, language),
    )
    if facts.case_member != member_of(facts.org):
        yield "  " + _text("case-of", language, org=labels.organisation(genesis, facts.case_member, language))
    signers = [
        _text("signer", language, roles=labels.roles(one.roles, language), key=labels.key(one.key))
        for one in facts.signers
    ]
    yield "  " + _text("signers", language, count=len(signers), signers=labels.joined(signers, language))
    yield "  " + _text("occurred", language, time=labels.moment(record.occurred_at_ms, offset))
    yield "  " + _text("claimed", language, time=labels.moment(facts.claimed_time_ms, offset))
    height = terminal.number(facts.block_height)
    yield "  " + _text("block-time", language, time=labels.moment(facts.block_time_ms, offset), height=height)
    yield "  " + _members(facts, language)
    yield from _content(facts, language)
    yield from _findings(facts, rules, language)


def _members(facts: Facts, language: Language) -> str:
    def names(orgs: tuple[str, ...]) -> str:
        return labels.joined((labels.organisation(facts.genesis, org, language) for org in orgs), language)

    others = not_a_party(facts)
    signed = (labels.member_and_roles(facts.genesis, org, language) for org in facts.certified_by)
    text = _text(
        "members",
        language,
        members=labels.joined(signed, language),
        signed=len(facts.certified_by),
        all=len(facts.validators),
        others=names(others) if others else _text("nobody", language),
    )
    if facts.anchor_height != facts.block_height:
        text += _text("anchored", language, height=terminal.number(facts.anchor_height))
    return text


def _content(facts: Facts, language: Language) -> Iterator[str]:
    """Clear fields, opened fields, and files that the receipt opens but nobody presented."""
    pairs = [*facts.record.clear, *((opening.field, opening.value) for opening in facts.fields)]
    if pairs:
        shown = " · ".join(f"{name} = {_value(value)}" for name, value in pairs)
        yield "  " + _text("fields", language, fields=shown)
    for file in facts.files:
        if file.presented_as is None:
            digests = ", ".join(f"{name} {digest.hex()}" for name, digest in file.value.digests)
            size = terminal.number(file.value.length)
            kind = file.value.media_type
            yield "  " + _text("file-not-given", language, field=file.field, bytes=size, kind=kind, digests=digests)


def _value(value: Value) -> str:
    return f"「{contained(value, SHOWN_CHARS)}」" if isinstance(value, str) else contained(repr(value), SHOWN_CHARS)


def contained(text: str, limit: int) -> str:
    """Text from a receipt as part of a line: single spaces and a bounded length, so that no terminal wraps it into what
    looks like a line of ours.
    """
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)})"


def _findings(facts: Facts, rules: RuleSet | None, language: Language) -> Iterator[str]:
    findings = facts.record_result.findings
    if not findings:
        yield "  " + _text("no-findings", language)
        return
    yield "  " + _text("findings", language, count=len(findings))
    for finding in findings:
        yield f"    {labels.finding(finding, language, rules)}"


def _steps(report: Report[Facts], language: Language) -> Iterator[str]:
    rows = []
    for step in report.steps:
        name = f"{step.number:2d} {step_name(step, language)}"
        if step.code == "not-reached":
            rows.append((name, _text("not-reached", language), ""))
            continue
        status = ledger_messages.sentence((ledger_messages.MESSAGES,), step.status, (), language)
        rows.append((name, status, reason(step, language)))
    yield from terminal.table(rows)


def _unproven(facts: Facts, language: Language) -> Iterator[str]:
    said = _text("semicolon", language).join(_text(code, language) for code in not_proven(facts))
    first, *rest = terminal.wrap(_text("not-proven", language) + said, WRAP_COLUMNS)
    yield "  " + first
    for line in rest:
        yield "    " + line
