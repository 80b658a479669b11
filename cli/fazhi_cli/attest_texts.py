"""Sentences about attestations, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from fazhi_contracts.attestation import attestations
from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.genesis import Genesis

from . import labels
from .language import Language, Pair

if TYPE_CHECKING:
    from fazhi_contracts.trail_steps import Event

ATTESTED: Final[dict[str, Pair]] = {
    "attested-record": (
        "公证:第 {number} 条({org})公证第 {through} 条,与所指提交相符",
        "attested: event {number} ({org}) attests event {through}, which is of the submission that it names",
    ),
    "attested-trail": (
        "公证:第 {number} 条({org})公证第 1–{through} 条,与所指提交相符",
        "attested: event {number} ({org}) attests events 1–{through}, of which the last is of the submission named",
    ),
    "attested-no-reference": (
        "公证不符:第 {number} 条({org})未指明所核验的提交",
        "NOT attested: event {number} ({org}) names no submission that was examined",
    ),
    "attested-other-submission": (
        "公证不符:第 {number} 条({org})所指的提交不是第 {through} 条的提交",
        "NOT attested: the submission named by event {number} ({org}) is not that of event {through}",
    ),
    "attested-not-before-it": (
        "公证不符:第 {number} 条({org})所称的第 {through} 条不在其之前",
        "NOT attested: event {through}, named by event {number} ({org}), does not stand before it",
    ),
    "examined": (
        "已核验 {events} 条记录、发现 {findings} 条;公证至第 {through} 条",
        "verified {events} events with {findings} findings; attesting up to event {through}",
    ),
}


def attested(code: str, language: Language, **values: str | int) -> str:
    """A sentence; parameters are escaped."""
    return ledger_messages.sentence((ATTESTED,), code, values.items(), language)


def attestation_lines(events: Sequence[Event], genesis: Genesis, language: Language) -> Iterator[str]:
    """A line for each attestation among all events of a case: what it stands for, or why it does not."""
    for one in attestations(events):
        code = f"attested-{one.problem}" if one.problem else f"attested-{one.scope}"
        org = labels.organisation(genesis, one.org, language)
        yield attested(code, language, number=one.number, org=org, through=one.through)
