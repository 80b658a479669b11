"""Proposals and votes, for tests: cards of members, and what a vote came to."""

from __future__ import annotations

from collections.abc import Sequence

from fazhi_contracts.chain import ExecutedBlock
from fazhi_contracts.membership import seat_roles
from fazhi_contracts.workdays import YearCalendar
from fazhi_ledger.canonical import Value
from fazhi_ledger.genesis import Member, prove_possession, tls_fingerprint
from fazhi_ledger.result import OK
from fazhi_ledger.submission import Item
from fazhi_ledger.validators import ValidatorSet

from .builders import SUITE, World, signer

FAR = 1_000_000


def card(world: World, org: str, holder_word: str = "", /, **changes: object) -> Value:
    """Args of ``validator.add``: an organisation whose ledger key follows from its id, or from another word."""
    der = changes.pop("certificate", f"certificate of {org}".encode())
    assert isinstance(der, bytes)
    holder, roles = signer(holder_word or org), ("bureau",)
    values: dict[str, object] = {
        "org": org,
        "name_zh": "新成员",
        "name_en": "New member",
        "roles": roles,
        "key": holder.public_key,
        "tls_fingerprint": tls_fingerprint(der),
        "p2p_address": f"{org}.example:7440",
        "gateway_url": f"https://{org}.example",
        "possession": prove_possession(holder, world.state.genesis_hash, org, seat_roles(roles)),
    }
    member = Member(**{**values, **changes})  # type: ignore[arg-type]
    return member.to_value(), der


def new_key(world: World, org: str, word: str) -> tuple[str, bytes, bytes]:
    """Args of ``validator.replace_key``."""
    proof = prove_possession(signer(word), world.state.genesis_hash, org, seat_roles(()))
    return org, signer(word).public_key, proof


def proposal(world: World, by: str, kind: str, args: Value, until: int = FAR) -> Item:
    return world.by(by).act("governance", "propose", (kind, args, until))


def ballot(world: World, by: str, proposal_id: bytes, yes: bool = True) -> Item:
    return world.by(by).act("governance", "vote", (proposal_id, yes))


def propose(world: World, by: str, kind: str, args: Value, until: int = FAR) -> bytes:
    """Propose in a block of its own; the id."""
    item = proposal(world, by, kind, args, until)
    world.do(item)
    return item.id(SUITE)


def pass_it(world: World, kind: str, args: Value, voters: Sequence[str] = ("sfj", "zfj", "gzc")) -> ExecutedBlock:
    """Propose and vote, the last vote in the block that is answered; it must pass."""
    first, *rest = voters
    proposal_id = propose(world, first, kind, args)
    for voter in rest[:-1]:
        world.do(ballot(world, voter, proposal_id))
    executed = world.block(ballot(world, rest[-1], proposal_id))
    result = executed.outcomes[0].result
    assert (result.code, dict(result.parameters).get("outcome")) == (OK, "passed"), result
    return executed


def with_calendar(world: World) -> World:
    """The world once its members have voted a calendar of 2026: no work on the first two days, but on the fourth."""
    pass_it(world, "calendar.set", (YearCalendar(2026, "国办发明电〔2025〕7号", (1, 2), (4,)).encode(),))
    return world


def orgs(validators: ValidatorSet | None) -> list[str]:
    return [] if validators is None else [seat.member for seat in validators.validators]
