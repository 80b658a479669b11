"""Which items may stand in a block at all (design §4, §5). Whatever is wrong here makes the item, and a block that
holds it, invalid.

Signatures are not verified here but once, where an item first arrives (:func:`signatures_to_verify` says what to
verify).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fazhi_ledger.errors import EncodingError, InvalidSubmission
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.record import member_of
from fazhi_ledger.record_runs import RecordRun
from fazhi_ledger.recording import Recording, is_recording
from fazhi_ledger.result import ResultSigner
from fazhi_ledger.submission import Item, SubmissionBody

from .context import Admitted, BlockContext
from .entries import Counter, KeyEntry, LaneEntry, decoded_key, decoded_member, decoded_parameters
from .errors import StateCorrupt
from .keys import key_key, lane_count_key, lane_key_of, member_key, single_key
from .lanes import seq_after
from .personal import personal_kind
from .state import Overlay, StateView, read


def signatures_to_verify(item: Item) -> tuple[tuple[bytes, bytes, bytes], ...]:
    """What must be verified of an item before it may be executed:

    (public key, message, signature), in the order of the signers.
    """
    message = item.message()
    return tuple(
        (key, message, signature) for key, signature in zip(item.body.signer_keys, item.signatures, strict=True)
    )


def content_bytes(item: Item) -> int:
    """The size of an item as the chain's bounds count it: body, signatures and records, without the framing."""
    return len(item.body_bytes) + sum(map(len, item.signatures)) + sum(map(len, item.records))


def parameters_of(view: StateView | Overlay) -> Parameters:
    """The chain's parameters in that state.

    Raises:
        StateCorrupt: there are none.
    """
    entry = read(view, single_key("parameters"), decoded_parameters)
    if entry is None:
        raise StateCorrupt("the state holds no parameters")
    return entry.parameters


def check_item(view: StateView | Overlay, item: Item, context: BlockContext) -> None:
    """Raise unless the item could stand in the block of ``context``, its place in its lane and its signatures aside.

    Who checks many items against one state passes an overlay over it, which keeps the entries that it has decoded.

    Raises:
        InvalidSubmission: see :func:`admit`; also ``too-many-lanes``.
    """
    base = view if isinstance(view, Overlay) else Overlay(view)
    parameters = parameters_of(base)
    admit(base, parameters, item, content_bytes(item), context)
    if _lane(base, item) is None:
        check_new_lane(base, parameters, item.body)


def admit(base: Overlay, parameters: Parameters, item: Item, size: int, context: BlockContext) -> Admitted:
    """Check everything of an item but its lane and its signatures, cheap checks first.

    ``base`` is the state before the block; ``size`` the item's :func:`content_bytes`.

    Raises:
        InvalidSubmission: ``wrong-genesis``, ``item-too-large``, ``too-many-signers``, ``expired``,
            ``validity-too-long``, ``not-before-ahead``, ``not-before-mismatch``, ``unknown-key``, ``revoked-key``,
            ``key-not-of-org``, ``unexpected-records``, ``wrong-records``, ``looks-personal``, ``too-many-records`` or
            ``malformed-record``.
    """
    body = item.body
    if body.genesis_hash != context.genesis_hash:
        raise InvalidSubmission("wrong-genesis")
    # What fits into no block must not wait for one: while something waits, rounds end and empty blocks follow.
    largest = min(parameters.get("max_item_bytes"), parameters.get("max_block_bytes"))
    if size > largest:
        raise InvalidSubmission("item-too-large", bytes=size, limit=largest)
    if len(body.signer_keys) > parameters.get("max_signer_keys"):
        limit = parameters.get("max_signer_keys")
        raise InvalidSubmission("too-many-signers", signers=len(body.signer_keys), limit=limit)
    _check_validity(parameters, body, context)
    signers = _signers(base, body)
    runs = _runs(parameters, item, context)
    return Admitted(item, item.id(context.suite), signers, runs)


def _check_validity(parameters: Parameters, body: SubmissionBody, context: BlockContext) -> None:
    until = body.valid_until_ms
    if until is not None:
        if context.time_ms > until:
            raise InvalidSubmission("expired", valid_until_ms=until, time_ms=context.time_ms)
        limit = parameters.get("max_validity_ms")
        if until - body.claimed_time_ms > limit:
            raise InvalidSubmission("validity-too-long", validity_ms=until - body.claimed_time_ms, limit_ms=limit)
    if body.not_before is not None:
        height, header_hash = body.not_before
        if height >= context.height:
            raise InvalidSubmission("not-before-ahead", not_before=height, next_height=context.height)
        if context.header_hash_at(height) != header_hash:
            raise InvalidSubmission("not-before-mismatch", not_before=height)


def _signers(base: Overlay, body: SubmissionBody) -> tuple[ResultSigner, ...]:
    signers = []
    for position, public_key in enumerate(body.signer_keys):
        entry = base.load(key_key(public_key), decoded_key)
        if entry is None:
            raise InvalidSubmission("unknown-key", position=position)
        revoked = revoked_height_of(base, entry)
        if revoked is not None:
            raise InvalidSubmission("revoked-key", position=position, revoked_height=revoked)
        signers.append(_signer(public_key, entry.org, entry.roles))
    if signers[0].org != body.org:
        raise InvalidSubmission("key-not-of-org", org=body.org, key_org=signers[0].org)
    return tuple(signers)


def revoked_height_of(view: StateView | Overlay, entry: KeyEntry) -> int | None:
    """Up to which height a key signs: where it was revoked, or its member was voted out; None while it may sign."""
    if entry.revoked_height is not None:
        return entry.revoked_height
    member = read(view, member_key(member_of(entry.org)), decoded_member)
    if member is None or member.left_height is None or member.left_height < entry.registered_height:
        return None
    return member.left_height


_signer = lru_cache(maxsize=4096)(ResultSigner)
"""Who signs, signs often."""


def _runs(parameters: Parameters, item: Item, context: BlockContext) -> tuple[RecordRun, ...]:
    """The records beside the body, which must be the ones that the signed args name."""
    body = item.body
    if not is_recording(body):
        if item.records:
            raise InvalidSubmission("unexpected-records", records=len(item.records))
        return ()
    count = len(item.records)
    if count > parameters.get("max_records_per_item"):
        raise InvalidSubmission("too-many-records", records=count, limit=parameters.get("max_records_per_item"))
    try:
        said = Recording.of(body)
    except EncodingError:
        raise InvalidSubmission("wrong-records", records=count) from None
    if said.count != count or said.root != item.records_root(context.suite):
        raise InvalidSubmission("wrong-records", records=count)
    try:
        runs = item.record_runs()
    except EncodingError as error:
        raise InvalidSubmission("malformed-record", reason=error.code, **dict(error.parameters)) from None
    for run in runs:
        found = _personal(run.clear) if run.clear else None
        if found is not None:
            field, kind = found
            raise InvalidSubmission("looks-personal", record=run.first, field=field, kind=kind)
    return runs


@lru_cache(maxsize=4096)
def _personal(clear: tuple[tuple[str, str | int], ...]) -> tuple[str, str] | None:
    """The first clear field that looks like personal data, and what it looks like. Such an item is invalid, not
    refused: a refused one stands in its block for ever."""
    for name, value in clear:
        kind = personal_kind(value)
        if kind is not None:
            return name, kind
    return None


def lane_position(view: StateView | Overlay, item: Item) -> int:
    """The next seq of the item's lane in that state: the item is executable when this is its own seq."""
    lane = _lane(view, item)
    return 0 if lane is None else lane.next_seq


def lane_after(view: StateView | Overlay, item: Item) -> int:
    """The next seq of the item's lane once the item is executed, whatever its result: a ``lane.void`` skips more than
    one. Who picks the items of a block goes on from here in that lane.
    """
    return seq_after(item.body, parameters_of(view))


def select_items(view: StateView, items: Sequence[Item], context: BlockContext) -> tuple[Item, ...]:
    """Those of ``items``, in order, that can stand together in the block of ``context``; the others are passed over.

    An item that could stand alone may still not stand beside another: two that open the last lane that a key may have.
    """
    base = Overlay(view)
    state = Overlay(base)
    parameters = parameters_of(base)
    room = parameters.get("max_block_bytes")
    chosen: list[Item] = []
    for item in items:
        size = content_bytes(item)
        if len(chosen) == parameters.get("max_block_items"):
            break
        if size > room:
            continue
        try:
            admit(base, parameters, item, size, context)
            lane = take_lane(state, parameters, item)
        except InvalidSubmission:
            continue
        state.store(lane_key_of(item.body), LaneEntry(seq_after(item.body, parameters), lane.voided))
        room -= size
        chosen.append(item)
    return tuple(chosen)


def _lane(view: StateView | Overlay, item: Item) -> LaneEntry | None:
    return read(view, lane_key_of(item.body), LaneEntry.decode)


def check_new_lane(state: Overlay, parameters: Parameters, body: SubmissionBody) -> int:
    """How many lanes the first key has with one more.

    Raises:
        InvalidSubmission: ``too-many-lanes``.
    """
    known = state.load(lane_count_key(body.signer_keys[0]), Counter.decode)
    lanes = 1 if known is None else known.value + 1
    if lanes > parameters.get("max_lanes_per_key"):
        raise InvalidSubmission("too-many-lanes", limit=parameters.get("max_lanes_per_key"))
    return lanes


def take_lane(state: Overlay, parameters: Parameters, item: Item) -> LaneEntry:
    """The item's lane as it stands, the item being its next; a new lane is counted.

    Raises:
        InvalidSubmission: ``wrong-seq`` or ``too-many-lanes``.
    """
    lane = state.load(lane_key_of(item.body), LaneEntry.decode)
    expected = 0 if lane is None else lane.next_seq
    if item.body.seq != expected:
        raise InvalidSubmission("wrong-seq", expected=expected, found=item.body.seq)
    if lane is None:
        lanes = check_new_lane(state, parameters, item.body)
        state.store(lane_count_key(item.body.signer_keys[0]), Counter(lanes))
        return LaneEntry(0)
    return lane
