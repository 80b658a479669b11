"""Recording a step: seal, sign, keep, deliver; or a draft for another officer's device."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fazhi_contracts.attestation import ATTEST, SCOPE, THROUGH, TRAIL
from fazhi_contracts.procedures.ruleset import Step
from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.names import FIELD

from . import connection, labels, passphrases, progress
from .attest_texts import attested
from .complaints import explained
from .exits import Exit, Misuse
from .inputs import digest
from .language import Language
from .messages import CASE

if TYPE_CHECKING:
    from fazhi_sdk import Case, Chain, Draft, FileSigner, Receipt, Submitted

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def text(code: str, language: Language, **values: str | int) -> str:
    """A sentence of the ``case`` commands; parameters are escaped."""
    return ledger_messages.sentence((CASE,), code, values.items(), language)


def record(step: Step, options: argparse.Namespace, language: Language) -> int:
    """Record a step of a case, or write the draft of it."""
    occurred_at = None if options.occurred_at is None else moment(options.occurred_at)
    fields = dict(map(_field, options.field))
    refs = [digest(ref, "--ref") for ref in options.ref]
    cosigners = [digest(key, "--cosigner") for key in options.cosigner]
    if cosigners and options.draft is None:
        raise Misuse("cosigner-needs-draft")
    target = _new_file(options.receipt)
    signers = load_signers(options, language)
    clear = {
        known.name: value for known in step.clear if (value := getattr(options, f"clear_{known.name}")) is not None
    }
    with connection.connected(options) as chain, progress.bar("sealing", language) as counted:
        case = chain.case(options.procedure, options.number, signers[0], org=getattr(options, "org", None))
        given: dict[str, Any] = {"occurred_at": occurred_at, "fields": fields, "cosigners": [*signers[1:], *cosigners]}
        if step.code == ATTEST and not refs:
            draft = _attestation(case, options.file, clear, {**given, "progress": counted}, language)
        else:
            draft = case.draft(step.code, options.file, clear=clear, refs=refs, progress=counted, **given)
        if options.draft is not None:
            require_new(options.draft)
            saved = draft.save(options.draft)
            missing = labels.joined((labels.key(key) for key in saved.missing), language)
            code = "draft-saved" if saved.missing else "draft-saved-complete"
            print(text(code, language, path=options.draft, missing=missing), file=sys.stderr)
            return Exit.OK
        return _finish(chain, draft.submit(), target, language)


def _attestation(
    case: Case, files: list[str], clear: dict[str, Any], given: dict[str, Any], language: Language
) -> Draft:
    """The draft of an attestation, once the trail has been verified; says what was."""
    draft, trail = case.attest(clear.get(SCOPE, TRAIL), clear.get(THROUGH), files, **given)
    through = int(dict(draft.data.records[0].clear)[THROUGH])
    found = {"events": len(trail.events), "findings": len(trail.findings), "through": through}
    print(attested("examined", language, **found), file=sys.stderr)
    return draft


def submit(options: argparse.Namespace, language: Language) -> int:
    """Submit a draft that others have cosigned; the keys given here sign too."""
    from fazhi_sdk import Draft

    target = _new_file(options.receipt)
    signers = load_signers(options, language) if options.key else []
    with connection.connected(options) as chain:
        draft: Draft = Draft.load(options.draft, chain)
        for signer in signers:
            draft = draft.cosign(signer)
        return _finish(chain, draft.submit(), target, language)


def flush(options: argparse.Namespace, language: Language) -> int:
    """Deliver what earlier commands left in the outbox."""
    with connection.connected(options) as chain:
        done = chain.flush()
    print(text("flushed", language, committed=done.committed, refused=done.refused, undecided=done.undecided))
    for reason in done.reasons:
        row = reason.pending
        print(f"  {'' if row is None or row.id is None else row.id.hex()} {explained(reason, language)}")
    if done.refused or done.failed:
        return Exit.NOT_VALID
    return Exit.UNDECIDED if done.undecided else Exit.OK


def load_signers(options: argparse.Namespace, language: Language) -> list[FileSigner]:
    """The signers of ``--key``, in order."""
    from fazhi_ledger.errors import InvalidKey
    from fazhi_sdk import FileSigner

    signers = []
    for path in options.key:
        try:  # a key in the clear takes no passphrase, not even one that stands in the environment for others
            signers.append(FileSigner.load(path))
        except InvalidKey as error:
            if error.code != "needs-passphrase":
                raise
            signers.append(FileSigner.load(path, passphrases.existing(options, path, language)))
    return signers


def moment(given: str) -> datetime:
    """A time with its zone.

    Raises:
        Misuse: ``bad-moment``.
    """
    try:
        if _TIME.fullmatch(given) is None:
            raise ValueError(given)
        return datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misuse("bad-moment", value=given) from None


def _field(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or FIELD.fullmatch(name) is None or name == "file" or name.startswith("file."):
        raise Misuse("bad-field-option", value=given)
    return name, value


def _new_file(given: str | None) -> Path | None:
    if given is None:
        return None
    return require_new(given)


def require_new(given: str) -> Path:
    """The path of a file to be written.

    Raises:
        Misuse: ``file-exists``, ``no-folder``.
    """
    path = Path(given)
    if path.exists() or path.is_symlink():
        raise Misuse("file-exists", path=given)
    if not path.parent.is_dir():
        raise Misuse("no-folder", path=str(path.parent))
    return path


def _finish(chain: Chain, submitted: Submitted, target: Path | None, language: Language) -> int:
    from fazhi_sdk import Receipt

    if not isinstance(submitted, Receipt):
        print(text("pending", language, id=submitted.id.hex()), file=sys.stderr)
        if submitted.why is not None:
            print(f"  {explained(submitted.why, language)}", file=sys.stderr)
        return Exit.UNDECIDED
    path = save_receipt(submitted, target)
    for line in receipt_lines(submitted, language):
        print(line)
    print(text("receipt-saved", language, path=str(path)))
    print(text("try-verify", language, path=str(path), hash=chain.genesis_hash.hex()))
    return Exit.OK


def save_receipt(receipt: Receipt, target: Path | None) -> Path:
    """Save it under the name given, or under one made of step and submission; nothing is overwritten but itself."""
    if target is None:
        target = Path(f"{receipt.facts.record.step}-{receipt.id.hex()[:12]}.receipt.json")
    return receipt.save(target)


def receipt_lines(receipt: Receipt, language: Language) -> Sequence[str]:
    """What was recorded, for the one who recorded it."""
    facts = receipt.facts
    offset = facts.genesis.parameters.get("utc_offset_min")
    rules = labels.rule_set_of(facts.genesis, facts.record.procedure)
    lines = [
        text(
            "recorded",
            language,
            step=labels.step_label(rules, facts.record.step, language),
            place=facts.number_in_case,
            height=f"{facts.block_height:,}",
            time=labels.moment(facts.block_time_ms, offset),
        )
    ]
    lines += [f"  {labels.finding(finding, language, rules)}" for finding in receipt.findings]
    lines.append(text("submission", language, id=receipt.id.hex()))
    return lines
