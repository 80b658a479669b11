"""Contract ``identity``: the keys of officers and devices, and the units below a member.

A member's ledger key registers and revokes keys of its own organisation and of its units (``zfj.chengguan`` is a unit
of ``zfj``). Members themselves and their keys change by vote only. A key proves that its holder asks for this very
registration, and serves one membership once: a revoked key never comes back.
"""

from __future__ import annotations

from fazhi_ledger.errors import EncodingError
from fazhi_ledger.genesis import roles_from_value
from fazhi_ledger.limits import MAX_ORG_CHARS, MAX_TEXT_CHARS
from fazhi_ledger.names import ORG
from fazhi_ledger.record import member_of
from fazhi_ledger.shape import as_bytes, as_text, as_tuple

from .context import Call, Effect
from .entries import MEMBER_ROLE, KeyEntry, OrgEntry, decoded_key
from .errors import Refused
from .keys import key_key, org_key
from .membership import require_new_key


def parent_of(org: str) -> str | None:
    """The member above a unit; None for a member."""
    parent, dot, _ = org.partition(".")
    return parent if dot else None


def is_within(org: str, family: str) -> bool:
    """Whether ``org`` is ``family`` or a unit of it."""
    return org == family or parent_of(org) == family


def is_own(org: str, case_org: str) -> bool:
    """Whether signers of ``org`` record in a case of ``case_org`` as in one of their own: those of that organisation,
    of a unit of it, or of the member above it."""
    return is_within(org, case_org) or org == member_of(case_org)


def _signed_by_member_of(call: Call, org: str) -> bool:
    return any(MEMBER_ROLE in signer.roles and is_within(org, signer.org) for signer in call.admitted.signers)


def _require_member_of(call: Call, org: str) -> None:
    if not any(MEMBER_ROLE in signer.roles for signer in call.admitted.signers):
        raise Refused("member-key-needed")
    if not _signed_by_member_of(call, org):
        raise Refused("not-of-your-org", org=org)


def register_officer(call: Call) -> Effect:
    """``[org, key, [role…], proof of possession]``: the key signs for ``org`` from the next block on.

    Raises:
        Refused: ``bad-args``, ``member-key-needed``, ``not-of-your-org``, ``unknown-org``, ``no-roles``,
            ``reserved-role``, ``key-known``, ``weak-key`` or ``possession-not-proven``.
    """
    try:
        org_value, key_value, roles_value, proof_value = as_tuple(call.body.args, "identity.register_officer", length=4)
        org = as_text(org_value, "org", MAX_ORG_CHARS, ORG)
        key = as_bytes(key_value, "key", max_length=128)
        roles = roles_from_value(roles_value)
        proof = as_bytes(proof_value, "possession", max_length=256)
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None
    _require_member_of(call, org)
    if call.state.get(org_key(org)) is None:
        raise Refused("unknown-org", org=org)
    if not roles:
        raise Refused("no-roles")
    if MEMBER_ROLE in roles:
        raise Refused("reserved-role", role=MEMBER_ROLE)
    require_new_key(call, org, key, roles, proof)
    return Effect(writes=((key_key(key), KeyEntry(org, roles, call.context.height)),))


def register_org(call: Call) -> Effect:
    """``[org, name_zh, name_en]``: a unit ``parent.unit`` of the signing member.

    Raises:
        Refused: ``bad-args``, ``not-a-unit``, ``member-key-needed``, ``not-of-your-org`` or ``org-known``.
    """
    try:
        org_value, zh_value, en_value = as_tuple(call.body.args, "identity.register_org", length=3)
        org = as_text(org_value, "org", MAX_ORG_CHARS, ORG)
        name_zh = as_text(zh_value, "name_zh", MAX_TEXT_CHARS)
        name_en = as_text(en_value, "name_en", MAX_TEXT_CHARS)
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None
    parent = parent_of(org)
    if parent is None:
        raise Refused("not-a-unit", org=org)
    if not name_zh or not name_en:
        raise Refused("bad-args", what="name", expected="not empty")
    _require_member_of(call, org)
    if call.state.get(org_key(org)) is not None:
        raise Refused("org-known", org=org)
    return Effect(writes=((org_key(org), OrgEntry(org, name_zh, name_en, parent, (), call.context.height)),))


def revoke_key(call: Call) -> Effect:
    """``[key]``: signed by the key itself or by the member above it; the key signs nothing after this block.

    Raises:
        Refused: ``bad-args``, ``no-such-key``, ``member-key``, ``not-of-your-org`` or ``key-already-revoked``.
    """
    try:
        (key_value,) = as_tuple(call.body.args, "identity.revoke_key", length=1)
        key = as_bytes(key_value, "key", max_length=128)
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None
    entry = call.state.load(key_key(key), decoded_key)
    if entry is None:
        raise Refused("no-such-key")
    if MEMBER_ROLE in entry.roles:
        raise Refused("member-key")
    if key not in call.body.signer_keys and not _signed_by_member_of(call, entry.org):
        raise Refused("not-of-your-org", org=entry.org)
    if entry.revoked_height is not None:
        raise Refused("key-already-revoked", revoked_height=entry.revoked_height)
    revoked = KeyEntry(entry.org, entry.roles, entry.registered_height, call.context.height)
    return Effect(writes=((key_key(key), revoked),))
