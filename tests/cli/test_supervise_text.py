"""What ``fazhi supervise`` prints of rule sets that were voted: their names are a proposer's, and steer no terminal."""

from __future__ import annotations

import argparse
import json

from fazhi_cli import supervise, terminal
from fazhi_cli.language import Language
from fazhi_contracts.in_force import Rules
from fazhi_contracts.procedures.compile import compile_rule_set
from fazhi_contracts.queries import rules_bytes
from fazhi_sdk.lists import CaseList, KnownRules, ListedCase, Survey

from tests.contracts.builders import SUITE, World, make_genesis_file
from tests.contracts.test_others_in_a_case import CASE, open_case

STEERING = "\x1b[2J\u202e\x9b"


def test_names_and_articles_of_a_rule_set_steer_no_terminal() -> None:
    document = open_case()
    for named in (*document["steps"], *document["colours"], document["title"]):
        named.update(zh=f"{STEERING}名", en=f"{STEERING}name")
    for step in document["steps"]:
        for clock in step.get("clocks", ()):
            clock["article"] = f"{STEERING}某法 8"
    rules = compile_rule_set(document)
    world = World(make_genesis_file([("open", rules.encode())]))
    world.do(world.by("officer-1").record(CASE, "OPEN"))
    header = world.block().block.header
    encoded = rules_bytes(world.state.view, header.rules_hash)
    assert encoded is not None
    in_force = Rules.decode(encoded)
    known = KnownRules(in_force, in_force.settings(SUITE, ()), {rules.hash(SUITE): rules}, ())
    listed = ListedCase(CASE.id, world.head(CASE), header)
    options = argparse.Namespace(at=None, numbers=None, within=None, overdue=False)
    series = ("zfj", "open", 2026)
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        watch = supervise.Watch(options, world.genesis_file.genesis, language)
        watch.see(listed, known)
        assert watch.terms
        found = Survey(header, (CaseList(series, 1, (), (), header),))
        printed = "\n".join(supervise._lines(watch, found, {"open": f"{STEERING}名"}))
        assert "·[2J" in printed
        assert "--numbers" in printed, "no docket number is known, and how it would be shown is said"
        assert not set(STEERING) & set(printed) - set("[2J")


def test_json_steers_no_terminal_and_says_the_same() -> None:
    said = {"number": f"{STEERING}桐综执罚\x7f\n\U000e0041\u200b", "list": ["é", 7, None]}
    printed = terminal.json_text(said)
    assert json.loads(printed) == said
    assert printed.isprintable() is False, "lines are ended"
    assert all(line.isprintable() for line in printed.split("\n"))
    assert "桐综执罚" in printed
