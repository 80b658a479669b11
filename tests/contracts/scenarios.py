"""Blocks of everything at once, by seed: sound cases and impossible steps, several signers, batches of one and of many
cases, units, late and early records, repeated steps, void lanes; and keys that come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.queries import case_head
from fazhi_ledger.canonical import Value
from fazhi_ledger.record import Record
from fazhi_ledger.submission import Item

from .builders import (
    DAY_MS,
    SPINE,
    USUAL_SIGNERS,
    Docket,
    Hand,
    World,
    make_genesis_file,
    make_record,
    penalty,
    signer,
)
from .drawn import STEPS as DRAWN
from .drawn import draw_calendar, draw_rules
from .test_ruleset import small
from .voting import pass_it

SMALL = ("OPEN", "WORK", "DONE")
LOOPS = ("OPEN", "WORK", "LOOP", "FREE", "DONE")
SIGNERS = ["officer-1", "officer-2", "officer-3", "head", "reviewer", "sfj-officer", "notary", "zfj", "ann"]
VARIANTS: Mapping[str, Sequence[Mapping[str, str | int]]] = {
    "WORK": ({"mode": "fast"}, {"mode": "slow"}),
    "LOOP": ({"mode": "fast"}, {"mode": "slow"}),
    "FREE": ({"mode": "fast"}, {"mode": "slow"}),
    **{
        step: ({}, {"mode": "fast"}, {"mode": "slow"}, {"amount": 250}, {"pieces": 9}, {"pieces": 20})
        for step in DRAWN[1:-1]
    },
    "INVEND": ({}, {"legal_review": "required"}, {"legal_review": "not_required"}),
    "LEGALREV": ({"opinion": "passed"}, {"opinion": "not_passed"}),
    "DEFEND": ({"response": "stated"}, {"response": "waived"}),
    "DECIDED": ({"outcome": "penalty"}, {"outcome": "penalty"}, {"outcome": "none"}, {"outcome": "transfer"}),
    "SERVED": ({"mode": "direct"}, {"mode": "announced"}),
    "PERFORM": ({"kind": "fine"}, {"kind": "deferred"}),
}
NONSENSE: Sequence[Mapping[str, str | int]] = ({"mode": "nonsense"}, {"mode": 7}, {"other": "fast"}, {})


def mixed_world(rng: Random) -> World:
    """A chain with five procedures, one of them drawn and two of them small ones of the tests, a unit with an officer,
    and calendars of some years."""
    review = replace(penalty(), procedure="review").encode()
    rule_sets = {name: compile_rule_set(document()).encode() for name, document in (("small", small), ("loops", loops))}
    rule_sets["drawn"] = compile_rule_set(draw_rules(rng, "drawn")).encode()
    rule_sets |= {"penalty": penalty().encode(), "review": review}
    world = World(make_genesis_file(rule_sets.items(), parameters={"max_lanes_per_key": 1000}))
    world.do(world.by("zfj").register_org("zfj.a"))
    world.do(world.by("zfj").register_officer("zfj.a", "ann"))
    world.knows("ann", "zfj.a")
    for year in (2026, 2025, 2027)[: rng.choice((0, 1, 2, 3, 3))]:
        pass_it(world, "calendar.set", (draw_calendar(rng, year).encode(),))
    return world


def loops() -> dict[str, Any]:
    """A procedure with two steps that may stand any number of times and look at one another."""
    document = small()
    document["procedure"] = "loops"
    opening, work, done = document["steps"]
    finds = {"article": "某法 5", "severity": "grave"}
    adverse, others = done["guards"][1:3]
    work = {**work, "clocks": [{"start": "OPEN", "amount": 2, "unit": "calendar-days", "rolls": False, **finds}]}
    loop = {
        "code": "LOOP",
        "repeatable": True,
        "terminal": False,
        "clear": work["clear"],
        "clocks": done["clocks"],
        "guards": [
            {"kind": "done", "step": "WORK", "since": "LOOP", **finds},
            {"kind": "done", "step": "FREE", "since": "WORK", **finds},
            {**adverse, "unless": {"field": "mode", "values": ["slow"]}},
            {**adverse, "only_if": {"step": "FREE", "field": "mode", "values": ["slow"]}},
            others,
        ],
    }
    guards = [*done["guards"], {**others, "step": "LOOP"}, {"kind": "done", "step": "LOOP", "since": "FREE", **finds}]
    free = {**loop, "code": "FREE", "from": ["LOOP"], "requires": [], "clocks": [], "guards": guards}
    document["steps"] = [opening, work, {**done, **loop}, {**done, **free}, done]
    return document


class Scenario:
    """Items that follow from a seed and from the state of the world, about half of which are accepted."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = mixed_world(self.rng)
        self._lanes = 0
        self._officers = 0

    def hand(self, *words: str) -> Hand:
        """In the first key's usual lane, or in one of its own."""
        hand = self.world.by(*words)
        if self.rng.random() < 0.5:
            return hand
        self._lanes += 1
        return hand.in_lane(f"lane {self._lanes}", 0)

    def case(self) -> Docket:
        procedure = self.rng.choice(
            ("penalty",) * 10 + ("drawn",) * 10 + ("small",) * 6 + ("review",) * 2 + ("unheard",)
        )
        return Docket(str(self.rng.randrange(30)), "zfj", procedure)

    def record(self, case: Docket, step: str) -> Record:
        """A record that is usually as it should be."""
        rng, now = self.rng, self.world.now_ms
        back = 90 if case.procedure == "drawn" else 5
        at = rng.choice((now, now, now, now - rng.randrange(back * DAY_MS), now + rng.randrange(20_000), 0))
        clear = rng.choice(NONSENSE) if rng.random() < 0.02 else rng.choice(VARIANTS.get(step, ({},)))
        record = make_record(case, step, max(at, 0), clear, rng.choice((0, 1, 1, 3)))
        if rng.random() < 0.01:
            record = replace(record, procedure=rng.choice(("penalty", "review", "small")))
        return record

    def steps(self, case: Docket) -> list[str]:
        """A run of steps: from the opening or from where the case stands; now and then anything."""
        rng = self.rng
        head = case_head(self.world.state.view, case.id)
        if case.procedure == "drawn":
            opening = [] if head else ["OPEN"]
            closing = ["DONE"] if rng.random() < 0.1 else []
            return [*opening, *rng.choices(DRAWN[1:-1], k=rng.randrange(1, 7)), *closing]
        way = SMALL if case.procedure == "small" else SPINE
        start = 0 if head is None else way.index(head.step) + rng.randrange(2)
        if rng.random() < 0.1:
            start = rng.randrange(len(way))
        run = [
            step
            for step in way[start:]
            for _ in range(rng.choice((1, 1, 1, 2)))
            if rng.random() < 0.9 or step == way[0]
        ]
        run = run[: rng.randrange(1, len(run) + 1)] if run else [way[0]]
        if rng.random() < 0.05:
            rng.shuffle(run)
        if rng.random() < 0.05:
            run.append("NOWHERE")
        return run

    def signers(self, steps: Sequence[str]) -> list[str]:
        if self.rng.random() < 0.8:
            everybody = sorted({word for step in steps for word in USUAL_SIGNERS.get(step, ("officer-1", "head"))})
            self.rng.shuffle(everybody)
            return everybody
        return self.rng.sample(SIGNERS, self.rng.randrange(1, 4))

    def batch(self) -> Item:
        """Records of one case, or of several in turn."""
        rng = self.rng
        cases = [self.case() for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        runs = [[self.record(case, step) for step in self.steps(case)] for case in cases]
        steps = [record.step for run in runs for record in run]
        records: list[Record] = []
        while any(runs):
            run = rng.choice([run for run in runs if run])
            records.append(run.pop(0))
        return self.submitted(steps, records)

    def submitted(self, steps: Sequence[str], records: Sequence[Record]) -> Item:
        """By the usual signers; now and then by those of another organisation, or of both."""
        rng = self.rng
        if rng.random() < 0.8:
            return self.hand(*self.signers(steps)).records(*records)
        words = rng.sample(["sfj-officer", "sfj-head", "notary", "head"], rng.choice((1, 1, 2, 2, 3)))
        hand = self.hand(*words)
        return hand.records(*records, of=rng.choice(("zfj", "zfj", "zfj", "zfj", "fy", hand.org)))

    def openings(self) -> Item:
        """Many new cases at once; now and then one of them twice."""
        rng = self.rng
        numbers = [f"new {rng.randrange(500)}" for _ in range(rng.randrange(1, 12))]
        records = [make_record(Docket(number), "LEAD", self.world.now_ms) for number in numbers]
        return self.hand(rng.choice(("officer-1", "head", "ann"))).records(*records)

    def alike(self) -> Item:
        """Records that differ in time and commitments at most, of one case or of many, and others around them."""
        rng, now = self.rng, self.world.now_ms
        procedure = rng.choice(("penalty", "small", "loops", "loops", "drawn", "drawn"))
        way = {"penalty": SPINE, "small": SMALL, "loops": LOOPS, "drawn": DRAWN}[procedure]
        cases = [Docket(f"alike {rng.randrange(60)}", "zfj", procedure)]
        if rng.random() < 0.4:
            cases += [Docket(f"alike {rng.randrange(60)}", "zfj", procedure) for _ in range(rng.randrange(12))]
        records: list[Record] = []
        start = rng.choice((0, 0, 1))
        steps = [*way[start : rng.randrange(start + 1, len(way))], *rng.choices(way[1:], k=rng.randrange(2))]
        for step in steps:
            clear, documents = rng.choice(VARIANTS.get(step, ({},))), rng.choice((1, 1, 3, 0))
            at, pace = now - rng.choice((60_000, 60_000, 4 * DAY_MS)), rng.choice((0, 1, 1000, 1000, -1, DAY_MS))
            count = 1 if step == way[0] else rng.choice((1, 2, 3, 4, 9))
            for case in cases:
                for _ in range(count):
                    found = documents if rng.random() < 0.98 else rng.choice((0, 1, 200))
                    at = max(0, at + rng.choice((pace, pace, 2 * pace)))
                    records.append(make_record(case, step, at, clear, found))
        for _ in range(rng.randrange(3) if rng.random() < 0.2 else 0):
            records[rng.randrange(len(records))] = self.record(cases[0], rng.choice(way))
        return self.submitted(steps, records)

    def identity(self) -> Item:
        """A key or a unit that comes or goes."""
        rng = self.rng
        self._officers += 1
        word = f"new-{self._officers}"
        match rng.randrange(4):
            case 0:
                return self.hand("zfj").register_officer("zfj", word, ("head", "officer"))
            case 1:
                return self.hand(rng.choice(("sfj", "officer-1"))).register_officer("zfj", word)
            case 2:
                return self.hand("zfj").revoke(f"new-{rng.randrange(1, self._officers + 1)}")
            case _:
                return self.hand("zfj").register_org(f"zfj.u{rng.randrange(9)}")

    def other(self) -> Item:
        """What records nothing."""
        if self.rng.random() < 0.7:
            return self.void(self.world.by("officer-2"))
        return self.hand("head").act("cases", "forget", None)

    def void(self, hand: Hand) -> Item:
        """Seqs given up in the usual lane of a key, soundly or not."""
        seq = self.world.next_seq(hand.org, signer(hand.words[0]).public_key, hand.lane)
        match self.rng.randrange(3):
            case 0:
                return hand.void(seq, seq + self.rng.randrange(4))
            case 1:
                args: Value = (seq + 1, seq + 2, "lost")
            case _:
                args = (seq, seq + self.rng.choice((0, 10**6)), "Lost!")
        return replace(hand, seq=seq).act("lane", "void", args)

    def items(self, count: int) -> list[Item]:
        """Items that can stand together in the next block, in this order."""
        makers = (self.batch, self.batch, self.batch, self.alike, self.alike, self.openings, self.other)
        return [self.rng.choice(makers)() for _ in range(count)]
