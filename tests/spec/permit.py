"""A small procedure, and a case of it with a breach and a late entry: what the trail vector is made of. It is written
out here so that no change of a rule set that is in use changes the vector."""

from __future__ import annotations

import tomllib
from typing import Any

from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.trail import CaseTrail

from tests.contracts.builders import Docket, make_genesis_file
from tests.contracts.trails import Recorded, trail_of
from tests.contracts.voting import with_calendar

PERMIT = """
procedure = "permit"
number = 1
title = { zh = "许可", en = "permit" }
law_from = "2020-01-01"
record_article = "许可办法 1"

[[unjudged]]
zh = "申请材料真实"
en = "the application is true"
article = "许可办法 9"

[[steps]]
code = "APPLY"
zh = "申请"
en = "application"
article = "许可办法 2"
initial = true
sign = { roles = ["officer"], article = "许可办法 2" }

[[steps]]
code = "LOOK"
zh = "现场核查"
en = "inspection"
article = "许可办法 3"
repeatable = true
from = ["APPLY"]
sign = { roles = ["officer"], minimum = 2, article = "许可办法 3" }
documents_min = 1

[[steps.guards]]
kind = "before"
step = "GRANT"
article = "许可办法 4"
severity = "grave"

[[steps]]
code = "GRANT"
zh = "准予许可"
en = "granted"
article = "许可办法 5"
decides = true
from = ["LOOK"]
sign = { roles = ["head"], article = "许可办法 5" }

[[steps.guards]]
kind = "done"
step = "LOOK"
article = "许可办法 3"
severity = "irregular"

[[steps.clocks]]
start = "APPLY"
amount = 5
unit = "working-days"
article = "许可办法 6"
severity = "irregular"

[[steps]]
code = "SERVED"
zh = "送达"
en = "served"
article = "许可办法 7"
terminal = true
from = ["GRANT"]
requires = ["GRANT"]
sign = { roles = ["officer"], article = "许可办法 7" }

[[steps.clocks]]
start = "GRANT"
amount = 10
unit = "calendar-days"
rolls = true
article = "许可办法 7"
severity = "irregular"
to_confirm = true
"""


OFFICERS = dict.fromkeys(("officer-1", "officer-2"), ("zfj", ("officer",))) | {"head": ("zfj", ("head",))}


def permit_trail() -> tuple[Recorded, CaseTrail]:
    """The chain, and the trail of the case as of its last block."""
    rules = compile_rule_set(tomllib.loads(PERMIT))
    world = Recorded(make_genesis_file([("permit", rules.encode())], officers=OFFICERS))
    case = Docket("许可2026-1", "zfj", "permit")

    def record(step: str, *words: str, **how: Any) -> None:
        world.do(world.by(*words).record(case, step, clear={}, **how))

    record("APPLY", "officer-1")
    with_calendar(world)
    world.pass_days(1)
    record("LOOK", "officer-1")  # one officer only
    world.pass_days(6)
    record("GRANT", "head")
    looked_ms = world.now_ms
    world.pass_days(2)
    record("LOOK", "officer-1", "officer-2", at=looked_ms)  # after the decision
    world.block()
    return world, trail_of(world, case)
