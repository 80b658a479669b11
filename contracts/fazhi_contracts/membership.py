"""What members may vote for among themselves: each kind of proposal, what it needs, and what it changes.

A change of the seats takes effect two heights after the vote: header h + 1 is the hand-over, certified by the old set,
and the new set certifies from h + 2. Everything else (keys that sign submissions, certificates, addresses, parameters)
counts from the next block. A kind is one entry of :data:`KINDS`; those of rule sets and calendars are in
:mod:`fazhi_contracts.rulebook`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from fazhi_ledger.canonical import Value
from fazhi_ledger.errors import EncodingError, InvalidKey, InvalidSignature
from fazhi_ledger.genesis import Member, roles_from_value, tls_fingerprint, verify_possession
from fazhi_ledger.limits import MAX_NAME_CHARS, MAX_ORG_CHARS, MAX_TEXT_CHARS, MAX_VALIDATORS
from fazhi_ledger.names import ADDRESS, NAME, ORG, URL
from fazhi_ledger.parameters import KNOWN, Parameters
from fazhi_ledger.shape import as_bytes, as_int, as_text, as_tuple
from fazhi_ledger.validators import Validator

from .admission import parameters_of
from .context import Call
from .entries import MEMBER_ROLE, KeyEntry, MemberEntry, OrgEntry, ParametersEntry, decoded_key, decoded_member
from .epochs import newest_set
from .errors import Refused, StateCorrupt
from .keys import key_key, member_key, org_key, single_key
from .procedures.vocabulary import OWN
from .proposals import Change
from .state import Entry

MAX_CERTIFICATE_BYTES: Final = 8 * 1024
MIN_VALIDATORS: Final = 4
"""No vote takes a chain below: three cannot bear a single faulty one. Add first, then remove."""


def seat_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    """The roles over which a key proves its possession for a seat. ``member`` among them tells the proof from that of
    an officer of the same organisation."""
    return tuple(sorted({*roles, MEMBER_ROLE}))


def add_validator(call: Call, args: Value) -> Change:
    """``validator.add [member, certificate DER]``: a new member with a seat at the end of the set.

    ``member`` is as in a genesis, but for its possession, which names this chain and :func:`seat_roles`.

    Raises:
        Refused: see the checks; ``bad-args`` (EncodingError) for what is malformed.
    """
    member_value, certificate_value = as_tuple(args, "validator.add", length=2)
    member = Member.from_value(member_value)
    seats = newest_set(call.state)
    if "." in member.org:
        raise Refused("seat-for-unit", org=member.org)
    if MEMBER_ROLE in member.roles:
        raise Refused("reserved-role", role=MEMBER_ROLE)
    if not member.name_zh or not member.name_en:
        raise EncodingError("bad-shape", what="name", expected="not empty")
    if seats.index_of_member(member.org) is not None:
        raise Refused("already-seated", org=member.org)
    if len(seats) >= MAX_VALIDATORS:
        raise Refused("too-many-validators", limit=MAX_VALIDATORS)
    known = call.state.load(member_key(member.org), decoded_member)
    left = None if known is None else known.left_height
    entry = _reachable(call, member.org, certificate_value, member.p2p_address, member.gateway_url, left)
    if tls_fingerprint(entry.certificate) != member.tls_fingerprint:
        raise Refused("wrong-fingerprint")
    require_new_key(call, member.org, member.key, seat_roles(member.roles), member.possession)
    height = call.context.height
    org = OrgEntry(member.org, member.name_zh, member.name_en, None, member.roles, height)
    return Change(
        (
            (org_key(member.org), org),
            (member_key(member.org), entry),
            (key_key(member.key), KeyEntry(member.org, (MEMBER_ROLE,), height)),
        ),
        (*seats.validators, Validator(member.org, member.key)),
    )


def remove_validator(call: Call, args: Value) -> Change:
    """``validator.remove [org]``: the member loses its seat; keys of its organisation and units sign nothing after this
    block, as nobody is left who answers for them.

    Raises:
        Refused: ``not-seated`` or ``too-few-validators``.
    """
    (org_value,) = as_tuple(args, "validator.remove", length=1)
    org = as_text(org_value, "org", MAX_ORG_CHARS, ORG)
    seat, member = _seated(call, org)
    seats = newest_set(call.state)
    if len(seats) <= MIN_VALIDATORS:
        raise Refused("too-few-validators", validators=len(seats), least=MIN_VALIDATORS)
    left = replace(member, left_height=call.context.height)
    rest = tuple(one for one in seats.validators if one.member != org)
    return Change(((member_key(org), left), _retired(call, seat.key)), rest)


def replace_key(call: Call, args: Value) -> Change:
    """``validator.replace_key [org, key, possession]``: the member's seat and its submissions get another key. The old
    one signs submissions last in this block and certifies last the hand-over.

    Raises:
        Refused: ``not-seated``, ``key-known``, ``weak-key`` or ``possession-not-proven``.
    """
    org_value, key_value, proof_value = as_tuple(args, "validator.replace_key", length=3)
    org = as_text(org_value, "org", MAX_ORG_CHARS, ORG)
    key = as_bytes(key_value, "key", max_length=128)
    seat, _ = _seated(call, org)
    require_new_key(call, org, key, seat_roles(()), as_bytes(proof_value, "possession", max_length=256))
    fresh = KeyEntry(org, (MEMBER_ROLE,), call.context.height)
    seats = tuple(Validator(org, key) if one.member == org else one for one in newest_set(call.state).validators)
    return Change(((key_key(key), fresh), _retired(call, seat.key)), seats)


def update_member(call: Call, args: Value) -> Change:
    """``member.update [org, certificate DER, p2p_address, gateway_url]``: how a member is reached, from the next block
    on; its seat stays as it is.

    Raises:
        Refused: ``not-seated``, ``certificate-known`` or ``address-known``.
    """
    org_value, certificate, p2p_address, gateway_url = as_tuple(args, "member.update", length=4)
    org = as_text(org_value, "org", MAX_ORG_CHARS, ORG)
    _, member = _seated(call, org)
    entry = _reachable(call, org, certificate, p2p_address, gateway_url, member.left_height)
    return Change(((member_key(org), entry),))


def set_roles(call: Call, args: Value) -> Change:
    """``member.roles [org, [role…]]``, sorted, each once: what a member is among the members (``notary``), from the
    next block on. Rule sets let organisations of a role record in cases of others, so nobody takes one without a vote.

    Raises:
        Refused: ``not-seated``, ``reserved-role`` or ``roles-unchanged``.
    """
    org_value, roles_value = as_tuple(args, "member.roles", length=2)
    org, roles = as_text(org_value, "org", MAX_ORG_CHARS, ORG), roles_from_value(roles_value)
    _seated(call, org)
    reserved = sorted({MEMBER_ROLE, OWN} & set(roles))
    if reserved:
        raise Refused("reserved-role", role=reserved[0])
    entry = call.state.load(org_key(org), OrgEntry.decode)
    if entry is None:
        raise StateCorrupt("a seat without an organisation")
    if entry.roles == roles:
        raise Refused("roles-unchanged", org=org)
    return Change(((org_key(org), replace(entry, roles=roles)),))


def set_parameters(call: Call, args: Value) -> Change:
    """``parameters.set [[name, value]…]``, sorted by name, each once: those parameters, from the next block on."""
    values: dict[str, int] = {}
    for pair in as_tuple(args, "parameters.set", max_length=len(KNOWN)):
        name_value, number = as_tuple(pair, "parameter", length=2)
        values[as_text(name_value, "parameter name", MAX_NAME_CHARS, NAME)] = as_int(number, "value", low=-(2**63))
    if not values or tuple(values.items()) != args or sorted(values) != list(values):
        raise EncodingError("bad-shape", what="parameters.set", expected="sorted names, each once")
    merged = {**dict(parameters_of(call.state).pairs), **values}
    return Change(((single_key("parameters"), ParametersEntry(Parameters(tuple(sorted(merged.items()))))),))


Kind = Callable[[Call, Value], Change]

KINDS: Final[dict[str, Kind]] = {
    "member.roles": set_roles,
    "member.update": update_member,
    "parameters.set": set_parameters,
    "validator.add": add_validator,
    "validator.remove": remove_validator,
    "validator.replace_key": replace_key,
}
"""Kind of a proposal → what it would change now. It raises ``Refused``, or ``EncodingError`` for malformed args, and
changes nothing."""
CHANGES_SEATS: Final = frozenset({"validator.add", "validator.remove", "validator.replace_key"})
"""Kinds that wait while another such change is pending."""


def require_new_key(call: Call, org: str, key: bytes, roles: tuple[str, ...], proof: bytes) -> None:
    """Raise unless that key was never registered, may be, and asked for this very registration.

    Raises:
        Refused: ``key-known``, ``weak-key`` or ``possession-not-proven``.
    """
    if call.state.get(key_key(key)) is not None:
        raise Refused("key-known")
    try:
        verify_possession(call.context.suite, call.context.genesis_hash, org, key, roles, proof)
    except InvalidKey as error:
        raise Refused("weak-key", reason=error.code) from None
    except InvalidSignature as error:
        raise Refused("possession-not-proven", reason=error.code) from None


def _seated(call: Call, org: str) -> tuple[Validator, MemberEntry]:
    seats = newest_set(call.state)
    index = seats.index_of_member(org)
    if index is None:
        raise Refused("not-seated", org=org)
    member = call.state.load(member_key(org), decoded_member)
    if member is None:
        raise StateCorrupt("a seat without a member")
    return seats.validators[index], member


def _retired(call: Call, key: bytes) -> tuple[bytes, Entry]:
    entry = call.state.load(key_key(key), decoded_key)
    if entry is None:
        raise StateCorrupt("a seat without a key")
    return key_key(key), replace(entry, revoked_height=call.context.height)


def _reachable(
    call: Call, org: str, certificate: Value, p2p_address: Value, gateway_url: Value, left: int | None
) -> MemberEntry:
    """The entry of a member that is reached so; no two members may show the same certificate, nor stand at the same
    address: clients know a gateway's certificate by its address, and the one would put its own in the other's place."""
    der = as_bytes(certificate, "certificate", max_length=MAX_CERTIFICATE_BYTES)
    p2p = as_text(p2p_address, "p2p address", MAX_TEXT_CHARS, ADDRESS)
    url = as_text(gateway_url, "gateway url", MAX_TEXT_CHARS, URL)
    for seat in newest_set(call.state).validators:
        other = call.state.load(member_key(seat.member), decoded_member)
        if other is None or other.org == org:
            continue
        if other.certificate == der:
            raise Refused("certificate-known", org=other.org)
        if other.p2p_address == p2p or _place(other.gateway_url) == _place(url):
            raise Refused("address-known", org=other.org)
    return MemberEntry(org, der, p2p, url, left)


def _place(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a gateway url, as those see it who connect."""
    scheme, _, place = url.lower().rstrip("/").partition("://")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        return scheme, place, 443 if scheme == "https" else 80
    return scheme, host, int(port)
