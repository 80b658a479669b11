"""Execution of a block: pure, deterministic, the same in every node and in the auditor.

An item is *invalid* (it must not stand in a block) or it is executed; an executed item is accepted or *refused*, and a
refusal is a result that uses the item's seq and changes nothing else. Whatever else is raised is nobody's result: it
goes through to the node, which withholds its vote on a proposal and stops on a decided block (design §5).

Keys, roles, parameters and rule sets are those of the state before the block; lanes, cases and serials see the block's
earlier items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from fazhi_ledger.errors import InvalidBlock, InvalidSubmission
from fazhi_ledger.recording import RECORDING
from fazhi_ledger.result import OK, Result, record_results_root
from fazhi_ledger.submission import Item

from . import cases, epochs, governance, identity, lanes
from .admission import (
    admit,
    check_item,
    content_bytes,
    lane_after,
    lane_position,
    parameters_of,
    select_items,
    signatures_to_verify,
    take_lane,
)
from .context import BlockContext, BlockOutcome, Call, Effect, ItemOutcome
from .entries import LaneEntry
from .errors import Refused
from .in_force import keep_rules
from .keys import lane_key_of
from .procedures.settings import Settings
from .rulebook import workdays_of
from .state import Overlay, StateView

__all__ = [
    "ACTIONS",
    "BlockContext",
    "BlockOutcome",
    "ItemOutcome",
    "check_item",
    "content_bytes",
    "execute_block",
    "lane_after",
    "lane_position",
    "select_items",
    "signatures_to_verify",
]

Action = Callable[[Call], Effect]

ACTIONS: Final[dict[tuple[str, str], Action]] = {
    ("governance", "propose"): governance.propose,
    ("governance", "vote"): governance.vote,
    ("identity", "register_officer"): identity.register_officer,
    ("identity", "register_org"): identity.register_org,
    ("identity", "revoke_key"): identity.revoke_key,
    lanes.VOID: lanes.void,
    RECORDING: cases.record,
}
"""(contract, action) → what it does."""


def execute_block(view: StateView, items: Sequence[Item], context: BlockContext) -> BlockOutcome:
    """Execute ``items`` in order over the state before the block. Signatures must have been verified.

    Raises:
        InvalidBlock: with the code of the first item's invalidity and its ``index``; ``too-many-items`` or
            ``too-many-bytes``.
        Exception: anything else is a fault of this code or of the state, never a result.
    """
    base = Overlay(view)
    state = Overlay(base)
    parameters = parameters_of(base)
    settings = Settings.of(parameters, workdays_of(base))
    if len(items) > parameters.get("max_block_items"):
        raise InvalidBlock("too-many-items", items=len(items), limit=parameters.get("max_block_items"))
    sizes = [content_bytes(item) for item in items]
    size = sum(sizes)
    if size > parameters.get("max_block_bytes"):
        raise InvalidBlock("too-many-bytes", bytes=size, limit=parameters.get("max_block_bytes"))
    outcomes = []
    for index, item in enumerate(items):
        try:
            admitted = admit(base, parameters, item, sizes[index], context)
            lane = take_lane(state, parameters, item)
        except InvalidSubmission as error:
            raise InvalidBlock(error.code, index=index, **dict(error.parameters)) from error
        call = Call(context, parameters, settings, admitted, base, state)
        outcomes.append(_execute(call, lane))
    epochs.advance(state, context.height)
    keep_rules(state, context.suite)
    return BlockOutcome(tuple(outcomes), state.changes())


def _execute(call: Call, lane: LaneEntry) -> ItemOutcome:
    """Run one item's action and write what it came to; its lane moves on whether it is refused or not."""
    body, state = call.admitted.item.body, call.state
    try:
        action = ACTIONS.get((body.contract, body.action))
        if action is None:
            raise Refused("unknown-action", contract=body.contract, action=body.action)
        effect = action(call)
    except Refused as refusal:
        code, effect = refusal.code, Effect(refusal.parameters)
    else:
        code = OK
        state.put_all(effect.encoded)
        state.store_all(effect.writes)
    next_seq = body.seq + 1 if effect.next_seq is None else effect.next_seq
    state.store(lane_key_of(body), LaneEntry(next_seq, lane.voided + effect.voided))
    result = Result(
        call.admitted.submission_id,
        code,
        effect.parameters,
        call.admitted.signers,
        record_results_root(call.context.suite, effect.record_result_bytes),
    )
    return ItemOutcome(result, effect.result_runs, effect.record_result_bytes)
