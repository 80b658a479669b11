"""The case: every step of a procedure from its first to its last, through the SDK, with files that exist.

What each step asks for is taken from the rule set, so that any procedure can be walked through: who signs, which
documents, which facts are stated. ``moment`` is called wherever a node might be killed; tests do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fazhi_contracts.procedures.ruleset import RuleSet, Step
from fazhi_sdk import Case, Chain, Draft, FileSigner, Receipt
from fazhi_sdk.errors import ConnectionFailed

from demo.network import Office
from demo.screen import DemoFailed

NUMBER: Final = "桐综执罚〔2026〕0412号"
LATE_MS: Final = 2 * 86_400_000
"""The lead is two days old when it is recorded: an honest record with a finding."""
PATIENCE_S: Final = 60.0

Moment = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step that the chain has taken."""

    step: Step
    receipt: Receipt
    saved: Path
    files: tuple[Path, ...]
    seconds: float


WALKS: Final = {
    "penalty": "LEAD FILED INVEST INVEND LEGALREV NOTICE DEFEND DECIDED SERVED PERFORM CLOSED",
}
"""The way of the demo's case through each procedure."""


def path_through(rules: RuleSet) -> tuple[Step, ...]:
    """The steps that the demo's case takes, in order."""
    return tuple(rules.by_code[code] for code in WALKS[rules.procedure].split())


def evidence_step(steps: Sequence[Step]) -> Step:
    """The step that takes the evidence: the one that asks for most signers."""
    return max(steps, key=lambda step: step.signing.minimum)


class Story:
    """Walks one case through a procedure."""

    def __init__(
        self,
        chain: Chain,
        rules: RuleSet,
        office: Office,
        folder: Path,
        evidence: Sequence[Path],
        *,
        number: str = NUMBER,
        moment: Moment = lambda _: None,
    ) -> None:
        self.steps = path_through(rules)
        self._chain = chain
        self._rules = rules
        self._office = office
        self._evidence = tuple(evidence)
        self._number = number
        self._moment = moment
        self._receipts = folder / "receipts"
        self._files = folder / "files"
        self._drafts = folder / "drafts"
        for place in (self._receipts, self._files, self._drafts):
            place.mkdir(parents=True, exist_ok=True)
        self.case: Case | None = None

    def walk(self) -> Iterator[Recorded]:
        """Record every step; each is yielded once its receipt is verified and saved."""
        heavy = evidence_step(self.steps)
        for position, step in enumerate(self.steps, 1):
            began = time.monotonic()
            signers = self._office.of(step.signing.roles, step.signing.minimum)
            case = self.case = self._chain.case(self._rules.procedure, self._number, signers[0])
            files = self._evidence if step is heavy else self._documents(step)
            now = time.time_ns() // 1_000_000
            self._moment(f"{step.code} draft")
            draft = case.draft(
                step.code,
                files,
                occurred_at=now - LATE_MS if step.initial else now,
                fields={"remark": f"{step.zh}(演示)"},
                clear={known.name: known.values[0].code for known in step.clear},
                cosigners=[signer.public_key for signer in signers[1:]],
            )
            if signers[1:]:
                draft = self._cosigned(draft, signers[1:], files, self._drafts / f"{step.code}.draft")
            self._moment(f"{step.code} submit")
            receipt = self._receipt(draft)
            saved = receipt.save(self._receipts / f"{position:02d}-{step.code}.receipt.json")
            self._moment(f"{step.code} recorded")
            yield Recorded(step, receipt, saved, files, time.monotonic() - began)

    def _cosigned(self, draft: Draft, others: Sequence[FileSigner], files: Sequence[Path], path: Path) -> Draft:
        """Over to the other officers' devices, which know no chain, and back."""
        draft.save(path)
        for signer in others:
            self._moment("cosign")
            there = Draft.load(path)
            for file in files:
                there.check_file(file)
            there.cosign(signer).save(path)
        return Draft.load(path, self._chain)

    def _receipt(self, draft: Draft) -> Receipt:
        """Submit, and wait as long as it takes a network to get over the loss of a node."""
        submitted = draft.submit(timeout_s=PATIENCE_S / 3)
        deadline = time.monotonic() + PATIENCE_S
        while not isinstance(submitted, Receipt):
            if time.monotonic() > deadline:
                reason = "" if submitted.why is None else str(submitted.why)
                raise DemoFailed(f"未得到答复: {reason}", "no answer came")
            try:
                return submitted.receipt(timeout_s=5.0)
            except ConnectionFailed:
                time.sleep(0.1)
        return submitted

    def _documents(self, step: Step) -> tuple[Path, ...]:
        """A small document for every one that the step must have, made now."""
        made = []
        for term in step.documents[: max(step.documents_min, 1 if step.initial else 0)]:
            path = self._files / f"{step.code}-{term.zh}.txt"
            path.write_text(f"{term.zh}({term.en})\n案号 {self._number}\n演示用,无实际内容。\n", "utf-8")
            made.append(path)
        return tuple(made)
