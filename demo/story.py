"""The case: every step of a walk from its first to its last, through the SDK, with files that exist.

Which documents a step has is taken from the rule set, the rest from the walk (:mod:`demo.walks`). ``moment`` is called
wherever a node might be killed; tests do.
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
from demo.walks import Visit, Walk, times_of

PATIENCE_S: Final = 60.0

Moment = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step that the chain has taken."""

    visit: Visit
    step: Step
    receipt: Receipt
    saved: Path
    files: tuple[Path, ...]
    seconds: float


class Story:
    """Walks one case through a procedure; ``times_ms`` are when its steps happened."""

    def __init__(
        self,
        chain: Chain,
        rules: RuleSet,
        walk: Walk,
        office: Office,
        folder: Path,
        evidence: Sequence[Path],
        *,
        number: str | None = None,
        moment: Moment = lambda _: None,
    ) -> None:
        self.steps = tuple(rules.by_code[visit.step] for visit in walk.visits)
        self.times_ms = times_of(walk, time.time_ns() // 1_000_000)
        self._chain = chain
        self._rules = rules
        self._walk = walk
        self._office = office
        self._evidence = tuple(evidence)
        self._number = number or walk.number
        self._moment = moment
        self._receipts = folder / "receipts"
        self._files = folder / "files"
        self._drafts = folder / "drafts"
        for place in (self._receipts, self._files, self._drafts):
            place.mkdir(parents=True, exist_ok=True)
        self.case: Case | None = None

    def walk(self) -> Iterator[Recorded]:
        """Record every step; each is yielded once its receipt is verified and saved."""
        ids: list[bytes] = []
        for position, visit in enumerate(self._walk.visits, 1):
            began = time.monotonic()
            step = self.steps[position - 1]
            signers = self._office.of(self._walk, visit)
            case = self._chain.case(self._rules.procedure, self._number, signers[0], org=self._walk.org)
            if not visit.org:
                self.case = case
            name = f"{position:02d}-{step.code}"
            files = self._evidence if visit.evidence else self._documents(step, name)
            self._moment(f"{step.code} draft")
            draft = case.draft(
                step.code,
                files,
                occurred_at=self.times_ms[position - 1],
                fields={"remark": f"{step.zh}(演示)"},
                clear=visit.clear,
                refs=_examined(visit, ids),
                cosigners=[signer.public_key for signer in signers[1:]],
            )
            if signers[1:]:
                draft = self._cosigned(draft, signers[1:], files, self._drafts / f"{name}.draft")
            self._moment(f"{step.code} submit")
            receipt = self._receipt(draft)
            saved = receipt.save(self._receipts / f"{name}.receipt.json")
            self._moment(f"{step.code} recorded")
            ids.append(receipt.id)
            yield Recorded(visit, step, receipt, saved, files, time.monotonic() - began)

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

    def _documents(self, step: Step, name: str) -> tuple[Path, ...]:
        """A small document for every one that the step must have, made now."""
        made = []
        for term in step.documents[: max(step.documents_min, 1 if step.initial else 0)]:
            path = self._files / f"{name}-{term.zh}.txt"
            path.write_text(f"{term.zh}({term.en})\n案号 {self._number}\n演示用,无实际内容。\n", "utf-8")
            made.append(path)
        return tuple(made)


def _examined(visit: Visit, ids: Sequence[bytes]) -> tuple[bytes, ...]:
    """What an attestation refers to: the submission of the last record that the notary looked at."""
    through = visit.clear.get("through")
    return (ids[through - 1],) if isinstance(through, int) else ()
