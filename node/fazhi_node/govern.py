"""``fazhi-node member``, ``parameters``, ``rules``, ``vote`` and ``proposals``: what a member's operator asks of the
others, and answers them; ``officer`` and ``unit``: what a member registers by itself. The ledger key lies with the
node, so it is signed here and handed to this machine's node.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from fazhi_contracts.builtin import common_parts
from fazhi_contracts.calendar import date_of_day, day_of_date
from fazhi_contracts.entries import MemberEntry
from fazhi_contracts.errors import BadRuleSet
from fazhi_contracts.procedures.compile import compile_calendar, compile_rule_set
from fazhi_contracts.procedures.ruleset import RuleSet
from fazhi_contracts.proposals import Proposal
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import Value, encode
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.genesis import Member, tls_fingerprint
from fazhi_ledger.keys import SoftwareSigner
from fazhi_ledger.submission import SubmissionBody, sign_item

from .cli_texts import cli_text
from .exits import Exit, Misuse, Stop
from .local import Gateway
from .members import read_member_card, read_officer_card
from .prepare import Prepared, prepare
from .private_files import read_bounded
from .texts import Language, printable, sentence

LANE: Final = b"fazhi governance"
"""The lane of every key's proposals and votes: there are few, one after the other."""
WAIT_MS: Final = 20_000
MAX_TOML_BYTES: Final = 1024 * 1024
_KEY: Final = re.compile("([0-9a-f]{2}){1,128}", re.ASCII)

PassphraseOf = Callable[[], bytes]


class Operator:
    """A member's operator at the machine of its node."""

    def __init__(self, home: Path, passphrase: PassphraseOf, language: Language | None) -> None:
        self.prepared: Prepared = prepare(home, None, passphrase, language)
        self.language: Language = language or self.prepared.config.lang
        self.gateway = Gateway(self.prepared.config, home)

    def propose(self, kind: str, args: Value, blocks: int) -> str:
        """Propose, which is to vote yes; what came of it, as a sentence."""
        height = int(self.gateway.get("/v1/status")["height"])
        return self._submit("propose", (kind, args, height + blocks))

    def vote(self, which: str, yes: bool) -> str:
        """Vote on the proposal of that id; what came of it.

        The whole id: whoever proposes may choose contents until the first digits are those of another proposal, and
        withdraw that one while the others vote.
        """
        if all(one["id"] != which for one in self.open_proposals()):
            raise Misuse("no-such-open-proposal", which=which)
        return self._submit("vote", (bytes.fromhex(which), yes))

    def open_proposals(self) -> list[dict[str, Any]]:
        """What may be voted on now."""
        found: list[dict[str, Any]] = self.gateway.get("/v1/proposals")["proposals"]
        return found

    def all_proposals(self) -> list[dict[str, Any]]:
        """Every proposal that was ever made, oldest first."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.gateway.get(f"/v1/proposals?all=1&after={after}")
            found += page["proposals"]
            if page["next"] is None:
                return sorted(found, key=lambda one: (one["opened_height"], one["id"]))
            after = page["next"]

    def reached_at(self, org: str) -> tuple[bytes, str, str] | None:
        """Certificate and addresses of a member as the chain holds them; None where it holds none."""
        for one in self.gateway.get("/v1/members")["members"]:
            if one["org"] == org:
                entry = MemberEntry.decode(base64.b64decode(one["entry"]))
                return entry.certificate, entry.p2p_address, entry.gateway_url
        return None

    def _signer(self) -> SoftwareSigner:
        """The key that may sign submissions now."""
        for signer in reversed(self.prepared.signers):
            status, entry = self.gateway.ask(f"/v1/keys/{signer.public_key.hex()}")
            if status == 200 and entry["revoked_height"] is None:
                return signer
        raise Misuse("no-key-in-force", org=self.prepared.member.org)

    def register(self, card: Path) -> str:
        """Register an officer's or a device's key of this member or a unit of it; what came of it."""
        officer = read_officer_card(card, self.prepared.genesis.suite, self.prepared.genesis_hash)
        self._commit("identity", "register_officer", (officer.org, officer.key, officer.roles, officer.possession))
        roles = ", ".join(officer.roles)
        return cli_text("officer_done", self.language, org=officer.org, key=officer.key.hex(), roles=roles)

    def revoke(self, key: str) -> str:
        """Revoke a key of this member's officers; what came of it."""
        if _KEY.fullmatch(key) is None:
            raise Misuse("bad-key", value=key[:80])
        self._commit("identity", "revoke_key", (bytes.fromhex(key),))
        return cli_text("officer_revoked", self.language, key=key)

    def unit(self, org: str, name_zh: str, name_en: str) -> str:
        """Register a unit of this member; what came of it."""
        self._commit("identity", "register_org", (org, name_zh, name_en))
        return cli_text("unit_done", self.language, org=org, name=name_zh if self.language == "zh" else name_en)

    def _submit(self, action: str, args: Value) -> str:
        return self._came_to(self._commit("governance", action, args))

    def _commit(self, contract: str, action: str, args: Value) -> dict[str, Any]:
        """Sign and hand over; the parameters of the result.

        Raises:
            Stop: it is not committed, or refused.
        """
        signer, org = self._signer(), self.prepared.member.org
        lane = self.gateway.get(f"/v1/lanes/{org}/{signer.public_key.hex()}/{LANE.hex()}")
        body = SubmissionBody(
            self.prepared.genesis_hash,
            org,
            LANE,
            int(lane["next_seq"]),
            secrets.token_bytes(16),
            contract,
            action,
            args,
            (signer.public_key,),
            time.time_ns() // 1_000_000,
        )
        item = sign_item(body, [signer])
        (result,) = self.gateway.submit(encode((item.encode(),)), WAIT_MS)["results"]
        if result["status"] != "committed":
            error = result.get("error") or {}
            reason = str(error.get("detail") or result["status"])
            raise Stop(Exit.NOT_READY, "not-committed-yet", id=str(result["id"]), reason=reason)
        if result["code"] != "OK":
            reason = sentence(result["code"], tuple(result["parameters"].items()), self.language)
            raise Stop(Exit.USAGE, "refused", reason=reason)
        parameters: dict[str, Any] = result["parameters"]
        return parameters

    def _came_to(self, found: dict[str, Any]) -> str:
        text = cli_text(f"proposal_{found['outcome']}", self.language)
        return cli_text(
            "vote_done",
            self.language,
            id=found["proposal"],
            kind=found["kind"],
            yes=found["yes"],
            no=found["no"],
            quorum=found["quorum"],
            outcome=text,
        )

    def card(self, path: Path) -> tuple[Member, bytes]:
        """A card made for this chain."""
        member, certificate, suite = read_member_card(path, self.prepared.genesis_hash)
        if suite != self.prepared.genesis.suite_name:
            raise Misuse("several-suites", suites=f"{suite}, {self.prepared.genesis.suite_name}")
        return member, certificate


def member_proposal(operator: Operator, action: str, what: str, roles: Sequence[str] = ()) -> tuple[str, Value]:
    """Kind and args of a proposal about a member: by a card's path, or for ``remove`` and ``roles`` its id."""
    if action == "remove":
        return "validator.remove", (what,)
    if action == "roles":
        return "member.roles", (what, tuple(sorted(set(roles))))
    member, certificate = operator.card(Path(what))
    if action == "add":
        return "validator.add", (member.to_value(), certificate)
    if action == "replace-key":
        return "validator.replace_key", (member.org, member.key, member.possession)
    if (certificate, member.p2p_address, member.gateway_url) == operator.reached_at(member.org):
        raise Misuse("card-changes-nothing", path=what)
    return "member.update", (member.org, certificate, member.p2p_address, member.gateway_url)


def rules_proposal(path: Path) -> tuple[str, Value]:
    """Kind and args of a proposal out of a TOML file: a rule set, or the calendar of a year."""
    try:
        document = tomllib.loads(read_bounded(path, MAX_TOML_BYTES).decode("utf-8"))
        if "calendar" in document:
            return "calendar.set", (compile_calendar(document).encode(),)
        return "rules.install", (compile_rule_set(document, common_parts()).encode(),)
    except BadRuleSet as error:
        named = dict(error.parameters)
        raise Misuse("bad-rules", path=str(path), place=named["place"], reason=named["what"]) from None
    except (ValueError, RecursionError) as error:
        raise Misuse("bad-rules", path=str(path), place="TOML", reason=str(error)[:200]) from None


def described(one: dict[str, Any], language: Language) -> str:
    """An open proposal on a few lines, by what its entry says."""
    try:
        proposal = Proposal.decode(base64.b64decode(one["encoded"]))
    except (FazhiError, ValueError) as error:
        raise Stop(Exit.UNREACHABLE, "unexpected-answer", address="/v1/proposals", reason=str(error)[:200]) from None
    text = cli_text(
        "proposal_line",
        language,
        id=one["id"],
        kind=proposal.kind,
        org=proposal.org,
        until=f"{proposal.until_height:,}",
        yes=", ".join(one["yes"]) or "-",
        no=", ".join(one["no"]) or "-",
        quorum=one["quorum"],
        what=printable(_summary(proposal)),  # a name with line ends must not look like another proposal
    )
    if one.get("outcome") is not None:
        outcome = cli_text(f"proposal_{one['outcome']}", language)
        text += "\n" + cli_text("proposal_came_to", language, outcome=outcome, height=f"{one['outcome_height']:,}")
    return "\n".join(printable(line) for line in text.split("\n"))


def _summary(proposal: Proposal) -> str:
    """The arguments, byte strings in hex and long ones cut: certificates are shown by their fingerprints."""
    if proposal.kind == "validator.add":
        (member_value, _) = proposal.args if isinstance(proposal.args, tuple) else (None, None)
        member = Member.from_value(member_value)
        return (
            f"{member.org} ({member.name_zh} / {member.name_en}) roles={','.join(member.roles)} key={member.key.hex()} "
            f"tls={member.tls_fingerprint.hex()} p2p={member.p2p_address} url={member.gateway_url}"
        )
    if proposal.kind == "rules.install" and isinstance(proposal.args, tuple) and isinstance(proposal.args[0], bytes):
        rules = RuleSet.decode(proposal.args[0])
        return (
            f"{rules.procedure} {rules.number} ({rules.title_zh} / {rules.title_en}) law_from={rules.law_from} "
            f"steps={','.join(step.code for step in rules.steps)} sha256:{tls_fingerprint(proposal.args[0]).hex()}"
        )
    if proposal.kind == "calendar.set" and isinstance(proposal.args, tuple) and isinstance(proposal.args[0], bytes):
        calendar = YearCalendar.decode(proposal.args[0])
        off, work = (_days(calendar.year, listed) for listed in (calendar.holidays, calendar.makeup_days))
        return f"{calendar.year} {calendar.source} off={off} work={work}"
    return json.dumps(_shown(proposal.args), ensure_ascii=False)


def _days(year: int, numbers: Iterable[int]) -> str:
    first = day_of_date(year, 1, 1) - 1
    return ",".join("{1:02}-{2:02}".format(*date_of_day(first + number)) for number in numbers) or "-"


def _shown(value: Value) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 64 else "sha256:" + tls_fingerprint(value).hex()
    return [_shown(part) for part in value] if isinstance(value, tuple) else value
